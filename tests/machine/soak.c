// SPDX-License-Identifier: Apache-2.0
/*
 * Managers' processes, managers' VMs, guests' processes and guests' VMs end in random order while a
 * call is in the export.
 *
 * Each VM is a process of its own, which the test kills to end the VM. After each cycle the host
 * must know exactly the VMs that live. The survivors must get right results, and a guest whose
 * export ended must get the error and live. At the end all pages, pins and references to the module
 * must be released. ELISA_SOAK_CYCLES sets the number of cycles, ELISA_SOAK_SEED the random
 * numbers.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "../../gate/gate_page.h"
#include "harness.h"

#define CYCLES	   50
#define WARM_UP	   12 /* cycles before the first look at the memory */
#define MANAGERS   3  /* no cycle ends the first manager and the first guest */
#define GUESTS	   3
#define PATIENCE   30000 /* ms until something counts as stuck */
#define EXCHANGE   (OBJECT + 0x100000)
#define NOISE_KB   512 /* of each processor's partial slabs */
#define LEAK_BYTES 512 /* memory lost in each cycle that the test notices */

/* Orders to a VM's process, which answers with a number. */
enum command {
	PUBLISH,
	DESTROY,
	ATTACH,
	CALL,	     /* the shared counter's new value */
	CALL_FIRST,  /* of the manager that lives */
	ENTER,	     /* answers from inside, stays, and again when the export is gone */
	ENTER_LEAVE, /* the same, and the process dies: its driver detaches on another vCPU */
};
struct order {
	enum command command;
	int manager;
};

static struct actor {
	pid_t pid;
	int orders, answers;
	int manager; /* whose export a guest is attached to */
} managers[MANAGERS], guests[GUESTS];
static uint64_t counts[MANAGERS]; /* what the managers' counters must be */

/* What must be the same at the end as at the start. */
struct state {
	long free_kb, pins, uses, vms, exports, attachments, grants, kvms;
};

static const char *name_of(int manager)
{
	static char name[] = "t.soak0";

	name[6] = '0' + manager;
	return name;
}

/* ---- the VMs' processes */

static void answer(int to, long value)
{
	CHECK_EQ(write(to, &value, sizeof(value)), sizeof(value));
}

static void be_manager(int orders, int answers, int manager)
{
	struct vm *vm = vm_new(1);
	struct order order;
	uint32_t id = 0;

	while (read(orders, &order, sizeof(order)) == sizeof(order)) {
		if (order.command == PUBLISH) {
			*object_data(vm) = 0;
			id = export_new(vm, name_of(manager), 0, 60000000);
		} else {
			CHECK_EQ(destroy(vm, id), 0);
		}
		events(vm, ELISA_EVENT_ATTACH, 0);
		answer(answers, 0);
	}
}

static void enter(struct vm *vm, uint32_t slot)
{
	volatile uint64_t *inside = vm_u64(vm, EXCHANGE);

	*inside = 0;
	start_call(vm, 0, slot, DO_STAY, code_page(slot) + ELISA_EXCHANGE_OFFSET, 0);
	timer(200, 200);
	while (!*inside)
		CHECK_EQ(run_once(vm, 0), -EINTR);
	timer(0, 0);
}

/*
 * The export ended in the middle of a call. The guest must get this error again and again, and
 * live.
 */
static void revoked(struct vm *vm, uint32_t slot, uint32_t first)
{
	struct outcome out = finish(vm, 0);

	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, ELISA_CALL_REVOKED);
	CHECK_EQ(out.value, 0);
	CHECK_EQ(out.regs.rsp, USER_STACK);
	CHECK_EQ(call(vm, 0, slot, DO_ADD, 1, 2).error, ELISA_CALL_REVOKED);
	CHECK_EQ(call(vm, 1, slot, DO_ADD, 1, 2).error, ELISA_CALL_REVOKED);
	CHECK_EQ(call(vm, 0, first, DO_ADD, 1, 2).value, 3);
	CHECK_EQ(detach(vm, 0, slot), 0);
}

static long count(struct vm *vm, uint32_t slot)
{
	struct outcome out = call(vm, 0, slot, DO_COUNT, 0, 0);

	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, 0);
	return out.value;
}

static void be_guest(int orders, int answers)
{
	struct vm *vm = vm_new(2);
	uint32_t first = 0, slot = 0;
	struct order order;
	long value;

	while (read(orders, &order, sizeof(order)) == sizeof(order)) {
		value = 0;
		switch (order.command) {
		case ATTACH:
			slot = attach(vm, name_of(order.manager), ELISA_STUB_XSAVE, 1);
			if (!order.manager)
				first = slot;
			break;
		case CALL:
			value = count(vm, slot);
			break;
		case CALL_FIRST:
			value = count(vm, first);
			break;
		case ENTER:
			enter(vm, slot);
			answer(answers, 0);
			revoked(vm, slot, first);
			break;
		case ENTER_LEAVE:
			enter(vm, slot);
			CHECK_EQ(detach(vm, 1, slot), 0);
			CHECK_EQ(finish(vm, 0).error, ELISA_CALL_REVOKED);
			CHECK_EQ(call(vm, 0, slot, DO_ADD, 1, 2).exit, FAULT(UD));
			break;
		default:
			CHECK(false);
		}
		answer(answers, value);
	}
}

/* ---- the test's own process: the administrator */

static long wait_for(struct actor *actor)
{
	struct pollfd ready = {.fd = actor->answers, .events = POLLIN};
	long value;

	if (poll(&ready, 1, PATIENCE) != 1) {
		printf("FAILED: process %d is stuck\n", actor->pid);
		exit(1);
	}
	CHECK_EQ(read(actor->answers, &value, sizeof(value)), sizeof(value));
	return value;
}

static void order(struct actor *actor, enum command command, int manager)
{
	struct order order = {command, manager};

	CHECK_EQ(write(actor->orders, &order, sizeof(order)), sizeof(order));
}

static long ask(struct actor *actor, enum command command, int manager)
{
	order(actor, command, manager);
	return wait_for(actor);
}

static void allow(struct actor *actor, uint32_t rights, const char *name)
{
	CHECK(grant_to(actor->pid, rights, name, 0) > 0);
}

static void start(struct actor *actor, int manager)
{
	int orders[2], answers[2];

	CHECK(!pipe2(orders, O_CLOEXEC) && !pipe2(answers, O_CLOEXEC));
	actor->pid = fork();
	if (!actor->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(orders[1]);
		close(answers[0]);
		if (manager >= 0)
			be_manager(orders[0], answers[1], manager);
		else
			be_guest(orders[0], answers[1]);
		exit(0);
	}
	close(orders[0]);
	close(answers[1]);
	actor->orders = orders[1];
	actor->answers = answers[0];
}

static void stop(struct actor *actor)
{
	CHECK(!kill(actor->pid, SIGKILL));
	CHECK_EQ(waitpid(actor->pid, NULL, 0), actor->pid);
	close(actor->orders);
	close(actor->answers);
}

static void publish(int i)
{
	counts[i] = 0;
	CHECK_EQ(ask(&managers[i], PUBLISH, i), 0);
}

static void start_manager(int i)
{
	start(&managers[i], i);
	allow(&managers[i], ELISA_GRANT_EXPORT | (random() % 2 ? ELISA_GRANT_TRUSTED_MANAGER : 0),
	      name_of(i));
	publish(i);
}

static void start_guest(int i)
{
	start(&guests[i], -1);
	allow(&guests[i], ELISA_GRANT_ATTACH, "t.soak*");
	CHECK_EQ(ask(&guests[i], ATTACH, 0), 0);
	guests[i].manager = i;
	if (i)
		CHECK_EQ(ask(&guests[i], ATTACH, i), 0);
}

static void check_results(void)
{
	int i, m;

	for (i = 0; i < GUESTS; i++) {
		CHECK_EQ(ask(&guests[i], CALL_FIRST, 0), ++counts[0]);
		m = guests[i].manager;
		if (i)
			CHECK_EQ(ask(&guests[i], CALL, 0), ++counts[m]);
	}
}

/* Waits a random time, so that the call is anywhere between its start and deep in the function. */
static void dawdle(void)
{
	if (random() % 2)
		usleep(random() % 3000);
}

/* Ends one VM or process in the middle of a call of guest @g, and starts it again. */
static void cycle(int g, int kind)
{
	int m = guests[g].manager;

	if (kind < 3) {
		order(&guests[g], kind == 2 ? ENTER_LEAVE : ENTER, 0);
		wait_for(&guests[g]);
	}
	switch (kind) {
	case 0: /* the manager's process: its driver destroys what it exported */
		dawdle();
		CHECK_EQ(ask(&managers[m], DESTROY, 0), 0);
		CHECK_EQ(wait_for(&guests[g]), 0);
		publish(m);
		break;
	case 1: /* the manager's VM */
		dawdle();
		stop(&managers[m]);
		CHECK_EQ(wait_for(&guests[g]), 0);
		start_manager(m);
		break;
	case 2: /* the guest's process */
		break;
	case 3: /* the guest's VM */
		CHECK_EQ(ask(&guests[g], ENTER, 0), 0);
		dawdle();
		stop(&guests[g]);
		start_guest(g);
		return;
	}
	CHECK_EQ(ask(&guests[g], ATTACH, m), 0);
}

/* ---- what is there */

/* Returns how many records of a kind the host has. */
static int live(enum elisa_host_kind kind)
{
	static const uint32_t sizes[] = {
		[ELISA_HOST_VMS] = sizeof(struct elisa_host_vm),
		[ELISA_HOST_GRANTS] = sizeof(struct elisa_host_grant_info),
		[ELISA_HOST_EXPORTS] = sizeof(struct elisa_host_export),
		[ELISA_HOST_ATTACHMENTS] = sizeof(struct elisa_host_attachment),
	};

	return admin_list(kind, NULL, sizes[kind], 0);
}

/*
 * Returns the free pages that processors keep for themselves, a MiB or more. MemFree does not count
 * them.
 */
static long kept_kb(void)
{
	FILE *zones = fopen("/proc/zoneinfo", "r");
	long pages, sum = 0;
	char line[200];

	CHECK(zones);
	while (fgets(line, sizeof(line), zones))
		if (sscanf(line, " count: %ld", &pages) == 1)
			sum += pages;
	fclose(zones);
	return sum * (ELISA_PAGE_SIZE / 1024);
}

static struct state now(void)
{
	struct state s = {0};
	struct stat folder;
	long free_kb;
	int i;

	/* the grants of processes that ended are about to end */
	for (i = 0; i < 1000 && live(ELISA_HOST_GRANTS); i++)
		usleep(1000);
	s.vms = live(ELISA_HOST_VMS);
	s.exports = live(ELISA_HOST_EXPORTS);
	s.attachments = live(ELISA_HOST_ATTACHMENTS);
	s.grants = live(ELISA_HOST_GRANTS);
	s.uses = number_in("/sys/module/elisa/refcnt", "%ld");
	/* makes the kernel add up the counts of all processors */
	CHECK_EQ(system("cat /proc/sys/vm/stat_refresh >/dev/null"), 0);
	s.pins = kernel_pins();
	/* the most of some looks, as RCU and the kernel's workers release memory late */
	for (i = 0; i < 10; i++) {
		usleep(20000);
		free_kb = number_in("/proc/meminfo", "MemFree: %ld") +
			  number_in("/proc/meminfo", "SReclaimable: %ld") + kept_kb();
		s.free_kb = free_kb > s.free_kb ? free_kb : s.free_kb;
	}
	/* debugfs has one folder for each VM of KVM */
	CHECK(!stat("/sys/kernel/debug/kvm", &folder));
	s.kvms = folder.st_nlink;
	return s;
}

/* Returns the number of kernel messages of level warning and worse since @log was opened. */
static int warnings(int log)
{
	char record[8192];
	int n, level, found = 0;

	while ((n = read(log, record, sizeof(record) - 1)) > 0) {
		record[n] = 0;
		CHECK_EQ(sscanf(record, "%d", &level), 1);
		if ((level & 7) > 4)
			continue;
		printf("soak: kernel: %s", strchr(record, ';') + 1);
		found++;
	}
	return found;
}

static int leak(const char *what, long before, long after, long allowed)
{
	if (after - before <= allowed && (allowed || after == before))
		return 0;
	printf("LEAK: %s: %ld at the start, %ld at the end\n", what, before, after);
	return 1;
}

/*
 * With KASAN and kmemleak, the kernel keeps freed memory for a while, and a record of each object.
 * On such a kernel, kmemleak's own scan at the end of the machine finds lost memory.
 */
static bool is_scanned(void)
{
	return !access("/sys/kernel/debug/kmemleak", F_OK);
}

static int leaks(const struct state *a, const struct state *b, unsigned long cycles)
{
	const long allowed =
		sysconf(_SC_NPROCESSORS_ONLN) * NOISE_KB + (long)cycles * LEAK_BYTES / 1024;

	return leak("VMs", a->vms, b->vms, 0) + leak("exports", a->exports, b->exports, 0) +
	       leak("attachments", a->attachments, b->attachments, 0) +
	       leak("grants", a->grants, b->grants, 0) +
	       leak("uses of the module", a->uses, b->uses, 0) +
	       leak("pinned pages", a->pins, b->pins, 0) + leak("VMs of KVM", a->kvms, b->kvms, 0) +
	       (is_scanned() ? 0 : leak("KiB in use", -a->free_kb, -b->free_kb, allowed));
}

/* Starts all VMs, makes some cycles and ends all VMs. */
static void run(unsigned long cycles)
{
	unsigned long i;
	int n;

	for (n = 0; n < MANAGERS; n++)
		start_manager(n);
	for (n = 0; n < GUESTS; n++)
		start_guest(n);
	for (i = 0; i < cycles; i++) {
		cycle(1 + random() % (GUESTS - 1), random() % 4);
		check_results();
		CHECK_EQ(live(ELISA_HOST_VMS), MANAGERS + GUESTS);
		CHECK_EQ(live(ELISA_HOST_EXPORTS), MANAGERS);
		CHECK_EQ(live(ELISA_HOST_ATTACHMENTS), 2 * GUESTS - 1);
		if (i % 500 == 499)
			printf("soak: %lu cycles\n", i + 1);
	}
	for (n = 0; n < GUESTS; n++)
		stop(&guests[n]);
	for (n = 0; n < MANAGERS; n++)
		stop(&managers[n]);
}

static unsigned long number(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoul(text, NULL, 0) : otherwise;
}

int main(void)
{
	unsigned long cycles = number("ELISA_SOAK_CYCLES", CYCLES);
	unsigned long seed = number("ELISA_SOAK_SEED", time(NULL) ^ getpid());
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK), lost, warned;
	struct state before, after;

	setvbuf(stdout, NULL, _IOLBF, 0);
	CHECK(log >= 0 && lseek(log, 0, SEEK_END) >= 0);
	printf("soak: ELISA_SOAK_SEED=%lu\n", seed);
	srandom(seed);
	run(WARM_UP);
	before = now();
	run(cycles);
	after = now();
	lost = leaks(&before, &after, cycles);
	warned = warnings(log);
	printf("soak: %ld KiB less memory\n", before.free_kb - after.free_kb);
	printf("result soak_cycles=%lu leaks=%d warnings=%d\n", cycles, lost, warned);
	return lost || warned;
}
