# SPDX-License-Identifier: Apache-2.0
# Makes allocations fail, one after the other, in each request: tests/debug/fail_nth.c says how.
#
# When a vmalloc() fails, the kernel prints a trace without a headline; ftrace has a vmalloc() for
# each hook. All reports of the kernel's checks have a headline and a trace.
#
#machine: --file build/debug-tests:/tests --allow-log 'Call Trace:'
. /testbed/lib.sh

if [ ! -e /proc/self/fail-nth ]; then
	say "FAILED: this kernel has no fault injection; see testbed/build-kernel"
	exit 1
fi
for kind in failslab fail_page_alloc; do
	cd /sys/kernel/debug/$kind || exit 1
	echo N >ignore-gfp-wait
	echo Y >task-filter
	echo -1 >./times
	# what a storm is, for threads that asked for it; and no trace in the log for each failure
	echo 20 >probability
	echo 0 >verbose
done
echo 0 >min-order
echo N >ignore-gfp-highmem
cd /tmp || exit 1
mount -t cgroup2 none /sys/fs/cgroup || exit 1
echo +memory >/sys/fs/cgroup/cgroup.subtree_control || exit 1
modload elisa allow_leaky_cpu=1 max_limit_us=60000000 max_suspend_us=60000000 || exit 1
status=0
for test in /tests/*; do
	tsc "$test"
	if timeout 1000 "$test"; then say "ok ${test##*/}"; else say "FAILED ${test##*/}"; status=1; fi
done
rmmod elisa || status=1
exit $status
