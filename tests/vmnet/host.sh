# SPDX-License-Identifier: Apache-2.0
# A manager with the switch, and two guests. First by rvs-pktgen: all that was sent
# arrives, ping-pong. Then with a network interface in each: TCP with combinations
# of checksum offload, MTU and dropped frames (with ELISA_COMBINATIONS=all each of
# them), the interface down and up under load, idle, an intruder, the manager's VM
# dying and coming back. When all VMs are gone nothing is left.
#
#machine: --with-qemu --mem 1024 --file build/user/tools/elisactl:/bin/elisactl
#machine: --file tests/vms.sh:/vms.sh
#machine: --role vm=tests/vmnet/role.sh --guest-modules tun
#machine: --guest-file build/user/apps/vmnet/elisa-vmnet:/bin/elisa-vmnet
#machine: --guest-file build/user/apps/vmnet/vmnet_switch.so:/vmnet_switch.so
#machine: --guest-file build/user/tools/rvs-pktgen:/bin/rvs-pktgen
#machine: --guest-file build/user/apps/tap/rvif-tap:/bin/rvif-tap
#machine: --guest-file build/user/tests/vmnet/vmnet_stream:/bin/vmnet_stream
#machine: --guest-file build/user/tests/vmnet/vmnet_intruder:/bin/vmnet_intruder
#machine: --guest-file build/user/lib/libelisa.so.1:/lib/libelisa.so.1
#machine: --guest-file build/user/lib/libelisa-extra.so.1:/lib/libelisa-extra.so.1
. /vms.sh
patient 12000 # what comes between is long

# vm NAME RIGHT...: a guest with these rights
vm()
{
	_vm=$1
	shift
	GUEST_CMDLINE="vmnet=$_vm combinations=${ELISA_COMBINATIONS:-half}" start "$_vm" vmnet "$@"
}

# exits a second of an idle guest with the interface may be so many more
# than without: its kernel wakes up 5 to 10 times a second in any case,
# three exits each; a program that looked for frames would do so more often
MORE_WHEN_IDLE=25

tsc "boot"
load
vm manager export attach
vm b attach
vm a attach
if says a "^without an interface, idle begins"; then
	sleep 1
	bare=$(exits a)
	sleep 3
	bare=$((($(exits a) - bare) / 3))
fi
if says a "^idle begins"; then
	sleep 1
	before_a=$(exits a) before_b=$(exits b) before_m=$(exits manager)
	sleep 4
	idle=$((($(exits a) - before_a) / 4))
	idle_b=$((($(exits b) - before_b) / 4))
	say "idle: exits a second: a $idle, b $idle_b, the manager $((($(exits manager) - before_m) / 4)); without an interface $bare"
	[ $idle_b -le $idle ] || idle=$idle_b
fi
if says a "kill the manager"; then
	kill_vm manager
	vm manager export attach
fi
tsc "all is said"
ended a b
has a '"sent":5000,'
has b '"received":5000,"lost":0,"disordered":0,"reordered":0,"duplicated":0,"foreign":0'
has a '"answers":50,'
elisactl stats
kill_vm manager
all_gone

# ok TEXT: 1 if a said so
ok()
{
	said a "^$1" | sed 's/[1-9].*/1/'
}
say "result net=elisa tcp_ok=$(ok 'tcp is right') ping_ok=$(ok 'ping answers') spoof_blocked=$(ok 'spoofing is blocked') idle_exits_per_s=${idle:-unknown} bare_exits_per_s=${bare:-unknown}"
[ "${idle:-9999}" -le $((${bare:-0} + MORE_WHEN_IDLE)) ] ||
	problem "an idle guest has ${idle:-unknown} exits a second, ${bare:-unknown} without an interface"
vms_end
