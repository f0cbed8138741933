# SPDX-License-Identifier: Apache-2.0
# Programs that know nothing of ELISA, as Debian has them, between two
# guests with an interface of two queues: the address comes by DHCP; iperf3
# by TCP both ways and by UDP; a file by curl, and through ssh.
#
#machine: --with-qemu --mem 1280 --file build/user/tools/elisactl:/bin/elisactl
#machine: --file tests/vms.sh:/vms.sh
#machine: --role vm=tests/vmnet/programs_role.sh --guest-modules tun
#machine: --guest-file build/user/apps/vmnet/elisa-vmnet:/bin/elisa-vmnet
#machine: --guest-file build/user/apps/vmnet/vmnet_switch.so:/vmnet_switch.so
#machine: --guest-file build/user/apps/tap/rvif-tap:/bin/rvif-tap
#machine: --guest-file build/user/lib/libelisa.so.1:/lib/libelisa.so.1
#machine: --guest-file build/user/lib/libelisa-extra.so.1:/lib/libelisa-extra.so.1
#machine: --guest-file /usr/bin/iperf3:/bin/iperf3 --guest-file /usr/bin/curl:/bin/curl
#machine: --guest-file /usr/bin/ssh:/bin/ssh --guest-file /usr/sbin/dropbear:/bin/dropbear
trouble=0
. /vms.sh

load
GUEST_MEM=192 GUEST_CMDLINE=vmnet=manager start manager vmnet export attach
GUEST_MEM=192 GUEST_CMDLINE=vmnet=server start server vmnet attach
GUEST_MEM=192 GUEST_CMDLINE=vmnet=client start client vmnet attach
ended client
if [ $trouble = 0 ]; then ended server; else kill_vm server; fi
kill_vm manager
sed -n 's/^ok: />> client: /p' /run/guest-client/console
all_gone
vms_end
