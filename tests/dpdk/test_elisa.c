// SPDX-License-Identifier: Apache-2.0
/*
 * zero_copy=1 over ELISA, with a fake host: which memory is donated when, and that all mbufs come
 * back, whatever the switch does. The test is the switch: it writes to the donated memory.
 */
#include "ports.h"

#include <errno.h>
#include <rte_bus_vdev.h>
#include <rte_cycles.h>
#include <rvif/rvif.h>
#include <string.h>

#include "../unit/fake.h"

#define MAX_WAIT_MS 10000
#define IN_FLIGHT   5

int open_fake_instead(const char *path, struct elisa **handle);

static struct fake fake;
/* What the next call ends with; those behind it succeed. */
long ended;

void switch_stub(void);
__asm__(".pushsection .text\n"
	".type switch_stub, @function\n"
	"switch_stub:\n"
	"	endbr64\n"
	"	xor %eax, %eax\n"
	"	xor %edx, %edx\n"
	"	xchg %rdx, ended(%rip)\n"
	"	ret\n"
	".popsection\n");

int open_fake_instead(const char *path, struct elisa **handle)
{
	(void)path;
	return fake_open(&fake, handle);
}

/* A port and its pool. */
struct station {
	struct setup setup;
	uint16_t id;
};

static void open_station(struct station *station)
{
	memset(&fake, 0, sizeof(fake));
	fake.call = (uint64_t)(uintptr_t)switch_stub;
	ended = ELISA_CALL_OK;
	station->setup = (struct setup){1, 64, 64, 1500, 0, 0, make_pool(511, 2048)};
	assert_int_equal(rte_vdev_init("net_rvif0", "elisa=vmnet,zero_copy=1"), 0);
	assert_int_equal(rte_eth_dev_get_port_by_name("net_rvif0", &station->id), 0);
	port_setup(station->id, &station->setup);
}

static void close_station(struct station *station)
{
	assert_int_equal(rte_vdev_uninit("net_rvif0"), 0);
	assert_int_equal(fake.request, ELISA_IOC_DETACH);
	free_pool(station->setup.pool);
}

/* What an attachment was given. */
struct donated {
	uint64_t bytes;
	struct rvif_header *header;
};

static bool lies_in(const struct elisa_ioc_donate *donation, const void *address)
{
	return (uintptr_t)address - donation->address < donation->length;
}

/* The region is what was donated, with the data of all mbufs in it. */
static struct donated donated_since(unsigned int first, const struct station *station)
{
	struct donated donated = {
		.header = (struct rvif_header *)(uintptr_t)fake.donate[first].address};
	struct rte_mbuf *m = rte_pktmbuf_alloc(station->setup.pool);
	bool has_data = false;

	assert_non_null(m);
	assert_in_range(fake.donations, first + 2, 15);
	for (unsigned int i = first; i < fake.donations; i++) {
		donated.bytes += fake.donate[i].length;
		has_data |= i > first && lies_in(&fake.donate[i], rte_pktmbuf_mtod(m, void *));
	}
	rte_pktmbuf_free(m);
	assert_true(has_data);
	assert_int_equal(donated.header->config.region_size, donated.bytes);
	return donated;
}

static void start(const struct station *station, struct donated *donated)
{
	const unsigned int before = fake.donations;

	assert_int_equal(rte_eth_dev_start(station->id), 0);
	*donated = donated_since(before, station);
	assert_int_equal(rte_mempool_in_use_count(station->setup.pool), 64);
}

/* The switch attaches, and has frames that it does not send. */
static void send_some(const struct station *station, const struct donated *donated)
{
	struct rvif_header *header = donated->header;

	rvif_store(&header->sw.epoch, header->driver.epoch);
	rvif_publish(&header->sw.state, RVIF_SWITCH_ATTACHED);
	for (uint32_t i = 0; i < IN_FLIGHT; i++) {
		struct rte_mbuf *m = make_frame(station->setup.pool, 0, 1, i, 1000, 1);

		assert_int_equal(rte_eth_tx_burst(station->id, 0, &m, 1), 1);
	}
	assert_int_equal(rte_mempool_in_use_count(station->setup.pool), 64 + IN_FLIGHT);
	assert_int_equal(xstat(station->id, "tx_q0_copied"), 0);
}

static void stop(const struct station *station)
{
	assert_int_equal(rte_eth_dev_stop(station->id), 0);
	assert_int_equal(rte_mempool_in_use_count(station->setup.pool), 0);
}

/* Each start donates all, and the attachment before it has ended. */
static void test_starts(void **state)
{
	struct station station;
	struct donated donated, before = {.bytes = 0};

	(void)state;
	open_station(&station);
	for (unsigned int i = 0; i < 3; i++) {
		start(&station, &donated);
		if (i)
			assert_int_equal(donated.bytes, before.bytes);
		before = donated;
		stop(&station);
	}
	close_station(&station);
}

/* The end of the attachment takes the mbufs from a switch that does not let go of them. */
static void test_switch_hangs(void **state)
{
	struct station station;
	struct donated donated;

	(void)state;
	open_station(&station);
	start(&station, &donated);
	send_some(&station, &donated);
	stop(&station);
	assert_int_equal(fake.request, ELISA_IOC_DETACH);
	assert_int_equal(rte_eth_promiscuous_enable(station.id), 0);
	start(&station, &donated);
	stop(&station);
	close_station(&station);
}

/* The host took the pages out of the contexts when the manager died. */
static void test_switch_dies(void **state)
{
	struct station station;
	struct donated donated;

	(void)state;
	open_station(&station);
	start(&station, &donated);
	send_some(&station, &donated);
	__atomic_store_n(&ended, ELISA_CALL_REVOKED, __ATOMIC_SEQ_CST);
	stop(&station);
	close_station(&station);
}

/* A successor gets the same memory in the same order, also if the first attempt fails. */
static void test_successor(void **state)
{
	struct station station;
	struct donated donated, again;
	unsigned int first, count;

	(void)state;
	open_station(&station);
	first = fake.donations;
	start(&station, &donated);
	count = fake.donations - first;
	send_some(&station, &donated);
	fake.fail_at = fake.requests + 3; /* the first donation to the first successor */
	fake.error = EINTR;
	__atomic_store_n(&ended, ELISA_CALL_REVOKED, __ATOMIC_SEQ_CST);
	for (unsigned int ms = 0;
	     __atomic_load_n(&fake.donations, __ATOMIC_SEQ_CST) < first + 2 * count; ms++) {
		assert_true(ms < MAX_WAIT_MS);
		rte_delay_ms(1);
	}
	again = donated_since(first + count, &station);
	assert_ptr_equal(again.header, donated.header);
	for (unsigned int i = first; i < first + count; i++) {
		assert_int_equal(fake.donate[i + count].address, fake.donate[i].address);
		assert_int_equal(fake.donate[i + count].length, fake.donate[i].length);
	}
	stop(&station);
	close_station(&station);
}

/* The pool's memory is more than the place, or the grant, has room for. */
static void test_no_room(void **state)
{
	const struct {
		int error;
		uint32_t why;
	} cases[] = {{ENOSPC, ELISA_WHY_RANGE}, {EDQUOT, ELISA_WHY_QUOTA}};
	struct station station;
	struct donated donated;

	(void)state;
	open_station(&station);
	for (size_t i = 0; i < RTE_DIM(cases); i++) {
		/* the second donation of a new attachment; before the first one another ends */
		fake.fail_at = fake.requests + (i ? 5 : 6);
		fake.error = cases[i].error;
		fake.why = cases[i].why;
		assert_int_equal(rte_eth_dev_start(station.id), -cases[i].error);
		assert_int_equal(fake.request, ELISA_IOC_DETACH);
		assert_int_equal(rte_mempool_in_use_count(station.setup.pool), 0);
		fake.error = 0;
	}
	start(&station, &donated);
	stop(&station);
	close_station(&station);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_starts),	    cmocka_unit_test(test_switch_hangs),
		cmocka_unit_test(test_switch_dies), cmocka_unit_test(test_successor),
		cmocka_unit_test(test_no_room),
	};

	choose_buffers(argc, argv);
	return cmocka_run_group_tests(tests, start_dpdk, stop_dpdk);
}
