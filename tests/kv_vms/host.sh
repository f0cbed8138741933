# SPDX-License-Identifier: Apache-2.0
# A manager with a store, and two guests: one with elisa-kv-cli, one with clients of memcached behind
# elisa-kv-proxy. Values of one are read by the other. The manager's daemon is started anew, and all
# values are there. When all VMs are gone nothing is left.
#
#machine: --with-qemu --mem 1024 --file build/user/tools/elisactl:/bin/elisactl
#machine: --file tests/vms.sh:/vms.sh
#machine: --role vm=tests/kv_vms/role.sh
#machine: --guest-file build/user/apps/kv/manager/elisa-kv:/bin/elisa-kv
#machine: --guest-file build/user/apps/kv/kv_function.so:/kv_function.so
#machine: --guest-file build/user/apps/kv/cli/elisa-kv-cli:/bin/elisa-kv-cli
#machine: --guest-file build/user/apps/kv/proxy/elisa-kv-proxy:/bin/elisa-kv-proxy
#machine: --guest-file build/user/lib/libelisa.so.1:/lib/libelisa.so.1
#machine: --guest-file build/user/lib/libelisa-extra.so.1:/lib/libelisa-extra.so.1
. /vms.sh
patient 6000

# vm NAME RIGHT...: a guest with these rights
vm()
{
	_vm=$1
	shift
	GUEST_CMDLINE="kv=$_vm" start "$_vm" kv "$@"
}

tsc "boot"
load
vm manager export attach
vm b attach
vm a attach
says a "the store is back"
says b "the proxy is back"
tsc "all is said"
ended a b
has a "values are shared"
has b "values are shared"
has manager "4 of them stored"
elisactl stats
kill_vm manager
all_gone

# ok NAME TEXT: 1 if the VM said so
ok()
{
	[ "$(said "$1" "^$2")" = 0 ] && echo 0 || echo 1
}
say "result kv=elisa shared=$(ok a 'values are shared') proxy=$(ok b 'values are shared') snapshot=$(ok a 'the store is back') reconnect=$(ok b 'the proxy is back')"
vms_end
