# SPDX-License-Identifier: Apache-2.0
# In every VM of tests/soak/qemu.sh and tests/attack/qemu.sh: runs soak_vm as the kernel's command
# line says: soak=WHAT name=EXPORT. Its process is killed lives=N times (-9, in whatever it does)
# and another one takes its place. With twice=1 the VM resets itself once in the midst of it; the
# counter in the export tells the first boot from the second.
. /testbed/lib.sh
export LD_LIBRARY_PATH=/lib
option()
{
	tr ' ' '\n' </proc/cmdline | sed -n "s/^$1=//p"
}
what=$(option soak) name=$(option name) lives=$(option lives)
echo "before the driver"
modload elisa-guest || exit 1
echo "driver is there"
[ -z "$(option twice)" ] || boot=$(soak_vm count "$name")
[ "${boot:-1}" = 1 ] || { echo "boot $boot"; exit 0; }

soak_vm "$what" "$name" /e2e_function.so &
while [ "${lives:-0}" -gt 0 ]; do
	sleep 2
	kill -9 $!
	wait $!
	echo "killed"
	# what comes next, perhaps in the same page-table root, must not get in by the old gate
	soak_vm strange 0 || exit 1
	soak_vm "$what" "$name" /e2e_function.so &
	lives=$((lives - 1))
done
[ -z "${boot:-}" ] || { sleep 2; reboot -f; }
wait $!
