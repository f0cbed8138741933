# SPDX-License-Identifier: Apache-2.0
# Two guests, and in the manager's VM an uplink into a Linux bridge with a network namespace behind it: each reaches each
# other, by TCP both ways, also on a VLAN, and again after the uplink's interface was removed and made anew.
#
#machine: --with-qemu --mem 1280 --file build/user/tools/elisactl:/bin/elisactl
#machine: --file tests/vms.sh:/vms.sh
#machine: --role vm=tests/vmnet/uplink_role.sh --guest-modules tun veth bridge 8021q
#machine: --guest-file build/user/apps/vmnet/elisa-vmnet:/bin/elisa-vmnet
#machine: --guest-file build/user/apps/vmnetctl/elisa-vmnetctl:/bin/elisa-vmnetctl
#machine: --guest-file build/user/apps/vmnet/vmnet_switch.so:/vmnet_switch.so
#machine: --guest-file build/user/apps/tap/rvif-tap:/bin/rvif-tap
#machine: --guest-file build/user/lib/libelisa.so.1:/lib/libelisa.so.1
#machine: --guest-file build/user/lib/libelisa-extra.so.1:/lib/libelisa-extra.so.1
#machine: --guest-file /usr/bin/iperf3:/bin/iperf3 --guest-file /usr/sbin/ip:/opt/ip
trouble=0
. /vms.sh
patient 12000

load
GUEST_MEM=192 GUEST_CMDLINE=vmnet=manager start manager vmnet export attach
GUEST_MEM=192 GUEST_CMDLINE=vmnet=b start b vmnet attach
GUEST_MEM=192 GUEST_CMDLINE=vmnet=a start a vmnet attach
ended a
[ $trouble = 0 ] || kill_vm b
[ $trouble != 0 ] || ended b
says manager "^the end" || true
has manager "^the uplink moved frames"
kill_vm manager
sed -n 's/^ok: />> a: /p' /run/guest-a/console
all_gone
say "result uplink=$((trouble == 0))"
vms_end
