# SPDX-License-Identifier: Apache-2.0
# Loads one mutated module after another, and runs the test that has to notice the mutation.
# ELISA_MUTATIONS=name:test,... lists them; "name.anything" is the module "name", too. A test that
# ends with status 0 did not notice the mutation.
#
# All programs and modules are in memory. If memory is short, the last file is lost.
#machine: --mem 512 --file build/attacks:/attacks --file build/mutations/modules:/mutations
. /testbed/lib.sh

ELISA_ATTACK_SCALE=5
export ELISA_ATTACK_SCALE
mount -t tracefs none /sys/kernel/tracing 2>/dev/null
echo 1 >/proc/sys/kernel/printk
for entry in $(echo "$ELISA_MUTATIONS" | tr , ' '); do
	name=${entry%:*} test=${entry#*:}
	# a test that loads the module again gets the mutated one, too
	cp "/mutations/${name%%.*}.ko" /modules/elisa.ko || exit 1
	insmod /modules/elisa.ko allow_leaky_cpu=1 max_limit_us=60000000 max_suspend_us=60000000 || exit 1
	echo "mutation $name begins"
	timeout -s KILL 20 "/attacks/$test"
	echo "mutation $name done $?"
	rmmod elisa || exit 0
done
