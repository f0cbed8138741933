# SPDX-License-Identifier: Apache-2.0
# SIGKILL ends a VM's QEMU in each phase of a guest's and a manager's life. Another VM resets itself
# in a call. The failure would be something that the host keeps of a dead VM, or an effect on the
# two VMs that go on. After each step the test compares the host's lists and makes the survivors
# call.
#
#machine: --with-qemu --mem 1024 --file build/user/tools/elisactl:/bin/elisactl
#machine: --file tests/vms.sh:/vms.sh --file tests/soak/lives.sh:/lives.sh --role vm=tests/soak/role.sh
#machine: --guest-file build/user/tests/soak/soak_vm:/bin/soak_vm
#machine: --guest-file build/user/tests/e2e/e2e_function.so:/e2e_function.so
#machine: --guest-file build/user/lib/libelisa.so.1:/lib/libelisa.so.1
#machine: --guest-file build/user/lib/libelisa-extra.so.1:/lib/libelisa-extra.so.1
trouble=0 leaks=0
. /vms.sh
. /lives.sh

tries=0
# as_designed VMS EXPORTS ATTACHMENTS: the host knows this many, and the survivors go on
as_designed()
{
	tries=$((tries + 1))
	there "$@"
	says steady steady $(($(said steady steady) + 1))
}

load
vm keeper manager soak.steady
vm steady steady soak.steady
says steady steady 1

# A guest is killed before it has its driver, and while it waits for an export.
vm early spin soak.spin
kill_vm early
as_designed 2 1 1
vm booting spin soak.spin
says booting "before the driver" 1
kill_vm booting
as_designed 2 1 1
vm waiting spin soak.spin
says waiting "driver is there" 1
usleep 300000
kill_vm waiting
as_designed 2 1 1

# A manager is killed before it has its driver, and when it has published.
vm young manager soak.spin
says young "before the driver" 1
kill_vm young
as_designed 2 1 1
vm idle manager soak.spin
says idle published 1
as_designed 3 2 1
kill_vm idle
as_designed 2 1 1

# A manager is killed in the middle of a guest's call. Then the guest is killed, which waits for
# another manager.
vm manager manager soak.spin
says manager published 1
GUEST_CPUS=2 vm caller spin soak.spin
says caller "in a call" 1
as_designed 4 2 2
kill_vm manager
says caller revoked 1
as_designed 3 1 1
kill_vm caller
as_designed 2 1 1

# A guest resets itself in a call. Its old attachments must be gone, and the second boot attaches
# again.
vm again manager soak.twice
says again published 1
GUEST_CPUS=2 vm twice spin soak.twice twice=1
says twice "in a call" 1
as_designed 4 2 2
says twice "boot 2" 1
guest_wait twice || problem "the second boot did not end well"
as_designed 3 2 1
grep -a FAILED /run/guest-*/console && problem "a process failed"
kill_vm again
kill_vm keeper
guest_wait steady || problem "the survivor did not end well"
tries=$((tries + 1))
all_gone
echo "attack qemu tries=$tries unexpected=$((trouble + leaks))"
vms_end
