# SPDX-License-Identifier: Apache-2.0
# A VM whose two processes are attached is saved, and goes on as another VM, of which the host knows nothing. Both processes
# are told by their next call, and attach again. The first one gets the slot that the second one had: when
# that one detaches, only its own, which is gone, ends.
#
#machine: --with-qemu --mem 1024 --file build/user/tools/elisactl:/bin/elisactl
#machine: --file tests/vms.sh:/vms.sh --role vm=tests/restore/role.sh
#machine: --guest-file build/user/tests/restore/restored:/bin/restored
#machine: --guest-file build/user/tools/elisa-exec:/bin/elisa-exec
#machine: --guest-file build/user/apps/nop/nop.so:/nop.so
#machine: --guest-file build/user/apps/nop/nop_function.so:/nop_function.so
#machine: --guest-file build/user/lib/libelisa.so.1:/lib/libelisa.so.1
#machine: --guest-file build/user/lib/libelisa-extra.so.1:/lib/libelisa-extra.so.1
. /vms.sh
patient 4000

# monitored NAME [QEMU ARGUMENTS...]: the VM with its two processes, and QEMU's monitor
monitored()
{
	_name=$1
	shift
	rm -f /run/monitor.in /run/monitor.out
	mkfifo /run/monitor.in /run/monitor.out
	cat /run/monitor.out >/run/monitor.log &
	GUEST_CMDLINE="vm=guest" guest_start "$_name" vm "$@" \
		-chardev pipe,id=monitor,path=/run/monitor -mon chardev=monitor
	granted "$_name" restored attach
}

# monitor COMMAND
monitor()
{
	echo "$1" >/run/monitor.in
}

# monitor_says REGEX: asks for the VM's status until a line of the monitor's matches
monitor_says()
{
	_looks=1000
	until grep -a -q -e "$1" /run/monitor.log; do
		_looks=$((_looks - 1))
		[ $_looks != 0 ] || { problem "the monitor does not say \"$1\": $(cat /run/monitor.log)"; return 1; }
		monitor 'info status'
		usleep 200000
	done
}

load
GUEST_CMDLINE="vm=manager" start manager restored export
monitored saved
says saved 'second: attached'
says saved 'first: attached'
monitor stop
monitor 'migrate "exec:cat >/tmp/state"'
monitor_says 'paused (postmigrate)' && say "saved: $(wc -c </tmp/state) bytes"
kill_vm saved
there 1 1 0
# it was stopped when it was saved
monitored restored -incoming 'exec:cat /tmp/state'
monitor_says 'VM status: paused[^(]*$' && monitor cont
ended restored
has restored 'second: lost'
has restored 'first: lost: .*attach again'
has restored 'first: slot 0'
has restored 'first: calls work'
has restored 'second: calls work'
cat /run/guest-restored/console
kill_vm manager
all_gone
vms_end
