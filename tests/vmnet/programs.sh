# SPDX-License-Identifier: Apache-2.0
# Programs that know nothing of ELISA, as Debian has them, between two
# guests with an interface of two queues: the address comes by DHCP; iperf3
# by TCP both ways and by UDP; a file by curl, and through ssh.
#
#machine: --with-qemu --mem 1280 --file build/user/tools/elisactl:/bin/elisactl
#machine: --role vm=tests/vmnet/programs_role.sh --guest-modules tun
#machine: --guest-file build/user/apps/vmnet/elisa-vmnet:/bin/elisa-vmnet
#machine: --guest-file build/user/apps/vmnet/vmnet_switch.so:/vmnet_switch.so
#machine: --guest-file build/user/apps/tap/rvif-tap:/bin/rvif-tap
#machine: --guest-file build/user/lib/libelisa.so.1:/lib/libelisa.so.1
#machine: --guest-file build/user/lib/libelisa-extra.so.1:/lib/libelisa-extra.so.1
#machine: --guest-file /usr/bin/iperf3:/bin/iperf3 --guest-file /usr/bin/curl:/bin/curl
#machine: --guest-file /usr/bin/ssh:/bin/ssh --guest-file /usr/sbin/dropbear:/bin/dropbear
. /testbed/guest.sh

status=0
modload elisa allow_leaky_cpu=1 max_limit_us=10000000 || exit 1
for name in manager server client; do
	GUEST_MEM=192 GUEST_CMDLINE="vmnet=$name" guest_start $name vm
	[ $name != manager ] || elisactl grant --pid "$(guest_pid $name)" export vmnet >/dev/null || status=1
	elisactl grant --pid "$(guest_pid $name)" attach vmnet >/dev/null || status=1
done
if guest_wait client; then
	say "ok client"
	guest_wait server || { say "FAILED server"; status=1; }
else
	say "FAILED client"
	status=1
	guest_kill server KILL
	guest_wait server >/dev/null
fi
guest_kill manager KILL
guest_wait manager >/dev/null
sed -n 's/^ok: />> client: /p' /run/guest-client/console
rmmod elisa || status=1
exit $status
