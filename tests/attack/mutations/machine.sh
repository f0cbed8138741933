# SPDX-License-Identifier: Apache-2.0
# One module with a fault after the other, each with the test that has to notice:
# ELISA_MUTATIONS=name:test,... (name.anything is the same module). Status 0: it did not.
#
# All programs and modules are in memory, the last file of them is lost when that is short.
#machine: --mem 512 --file build/attacks:/attacks --file build/mutations/modules:/mutations
. /testbed/lib.sh

ELISA_ATTACK_SCALE=5
export ELISA_ATTACK_SCALE
mount -t tracefs none /sys/kernel/tracing 2>/dev/null
echo 1 >/proc/sys/kernel/printk
for entry in $(echo "$ELISA_MUTATIONS" | tr , ' '); do
	name=${entry%:*} test=${entry#*:}
	# also for tests that load the module again
	cp "/mutations/${name%%.*}.ko" /modules/elisa.ko || exit 1
	insmod /modules/elisa.ko allow_leaky_cpu=1 max_limit_us=60000000 max_suspend_us=60000000 || exit 1
	echo "mutation $name begins"
	timeout -s KILL 20 "/attacks/$test"
	echo "mutation $name done $?"
	rmmod elisa || exit 0
done
