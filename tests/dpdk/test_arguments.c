// SPDX-License-Identifier: Apache-2.0
/*
 * Devices that must not come into being: wrong arguments and files that cannot be made. After each,
 * no port and no file is left.
 */
#include "ports.h"

#include <errno.h>
#include <rte_bus_vdev.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "/dev/shm/rvif-arguments"

static void refused(const char *arguments, int error)
{
	int result = rte_vdev_init("net_rvif0", arguments);

	if (result != error)
		fail_msg("'%s': %d instead of %d", arguments, result, error);
	assert_int_equal(rte_eth_dev_count_avail(), 0);
	assert_int_not_equal(access(FOLDER "/a", F_OK), 0);
}

static void test_wrong_values(void **state)
{
	(void)state;
	refused("", -EINVAL);
	refused("mac=02:00:00:00:00:01", -EINVAL);
	refused("path=", -EINVAL);
	refused("path=" FOLDER "/a,path=" FOLDER "/b", -EINVAL);
	refused("path=" FOLDER "/a,unknown=1", -EINVAL);
	refused("elisa=", -EINVAL);
	refused("path=" FOLDER "/a,elisa=vmnet", -EINVAL);
	refused("elisa=a,elisa=b", -EINVAL);
	refused("path=" FOLDER "/a,mac=", -EINVAL);
	refused("path=" FOLDER "/a,mac=02:00:00:00:00", -EINVAL);
	refused("path=" FOLDER "/a,mac=+2:00:00:00:00:01", -EINVAL);
	refused("path=" FOLDER "/a,mac=0200.0000.0001", -EINVAL);
	refused("path=" FOLDER "/a,mac=02:00:00:00:00:01 ", -EINVAL);
	refused("path=" FOLDER "/a,mac=01:00:00:00:00:01", -EINVAL);
	refused("path=" FOLDER "/a,mac=00:00:00:00:00:00", -EINVAL);
	refused("path=" FOLDER "/a,queues=0", -EINVAL);
	refused("path=" FOLDER "/a,queues=129", -EINVAL);
	refused("path=" FOLDER "/a,queues=-1", -EINVAL);
	refused("path=" FOLDER "/a,queues=4x", -EINVAL);
	refused("path=" FOLDER "/a,queues=", -EINVAL);
	refused("path=" FOLDER "/a,queues=99999999999999999999", -EINVAL);
	refused("path=" FOLDER "/a,buffer=511", -EINVAL);
	refused("path=" FOLDER "/a,buffer=65536", -EINVAL);
	refused("path=" FOLDER "/a,csum=2", -EINVAL);
	refused("path=" FOLDER "/a,csum=0,tso=1", -EINVAL);
	refused("path=" FOLDER "/a,tso=yes", -EINVAL);
	refused("path=" FOLDER "/a,zero_copy=2", -EINVAL);
	refused("path=" FOLDER "/a,zero_copy=1,buffer=2048", -EINVAL);
	refused("elisa=vmnet,zero_copy=1,buffer=2048", -EINVAL);
}

static void test_permissions(void **state)
{
	struct stat st;

	(void)state;
	refused("path=" FOLDER "/a,mode=888", -EINVAL);
	refused("path=" FOLDER "/a,mode=1777", -EINVAL);
	refused("path=" FOLDER "/a,mode=0", -EINVAL);
	refused("elisa=vmnet,mode=0660", -EINVAL);
	refused("group=65534,elisa=vmnet", -EINVAL);
	refused("path=" FOLDER "/a,group=no-such-group", -EINVAL);
	assert_int_equal(rte_vdev_init("net_rvif0", "path=" FOLDER "/a,mode=0660,group=65534"), 0);
	assert_int_equal(stat(FOLDER "/a", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	assert_int_equal(st.st_gid, 65534);
	assert_int_equal(rte_vdev_uninit("net_rvif0"), 0);
}

static void test_missing_folder(void **state)
{
	(void)state;
	refused("path=" FOLDER "/missing/a", -ENOENT);
}

static void test_path_too_long(void **state)
{
	char arguments[400] = "path=" FOLDER "/";

	(void)state;
	memset(arguments + strlen(arguments), 'x', 300);
	refused(arguments, -ENAMETOOLONG);
}

/* No room for the file: it must not become shorter than what is mapped. */
static void test_short_file(void **state)
{
	struct rlimit limit, old;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	limit = old;
	limit.rlim_cur = 8192;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	refused("path=" FOLDER "/a", -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
}

static void test_file_in_use(void **state)
{
	(void)state;
	assert_int_equal(rte_vdev_init("net_rvif0", "path=" FOLDER "/used"), 0);
	assert_int_equal(rte_vdev_init("net_rvif1", "path=" FOLDER "/used"), -EBUSY);
	assert_int_equal(access(FOLDER "/used", F_OK), 0);
	assert_int_equal(rte_vdev_uninit("net_rvif0"), 0);
	assert_int_not_equal(access(FOLDER "/used", F_OK), 0);
}

/* A driver that died left its file. */
static void test_file_of_the_dead(void **state)
{
	FILE *file = fopen(FOLDER "/dead", "w");

	(void)state;
	assert_non_null(file);
	fclose(file);
	assert_int_equal(rte_vdev_init("net_rvif0", "path=" FOLDER "/dead"), 0);
	assert_int_equal(rte_vdev_uninit("net_rvif0"), 0);
}

static void test_limits_are_reported(void **state)
{
	struct rte_eth_dev_info info;
	struct rte_ether_addr mac;
	uint16_t id;

	(void)state;
	assert_int_equal(rte_vdev_init("net_rvif0", "path=" FOLDER "/a,queues=3,buffer=1024,"
						    "mac=02:aa:bb:cc:dd:ee"),
			 0);
	assert_int_equal(rte_eth_dev_get_port_by_name("net_rvif0", &id), 0);
	assert_int_equal(rte_eth_dev_info_get(id, &info), 0);
	assert_int_equal(info.max_rx_queues, 3);
	assert_int_equal(info.max_tx_queues, 3);
	assert_int_equal(info.max_rx_pktlen, 65535);
	assert_int_equal(info.max_mtu, 65535 - 22);
	assert_true(info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_UDP_CKSUM);
	assert_true(info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM);
	assert_false(info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_TCP_TSO);
	assert_int_equal(rte_eth_macaddr_get(id, &mac), 0);
	assert_memory_equal(&mac, "\x02\xaa\xbb\xcc\xdd\xee", 6);
	assert_int_equal(rte_vdev_uninit("net_rvif0"), 0);
}

static int start(void **state)
{
	mkdir(FOLDER, 0700);
	return start_dpdk(state);
}

static int stop(void **state)
{
	/* what is left is a fault */
	return rmdir(FOLDER) | stop_dpdk(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrong_values),	 cmocka_unit_test(test_permissions),
		cmocka_unit_test(test_missing_folder),	 cmocka_unit_test(test_path_too_long),
		cmocka_unit_test(test_short_file),	 cmocka_unit_test(test_file_in_use),
		cmocka_unit_test(test_file_of_the_dead), cmocka_unit_test(test_limits_are_reported),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
