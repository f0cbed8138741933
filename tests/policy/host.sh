# SPDX-License-Identifier: Apache-2.0
# elisad grants three VMs what its rules say, by their control groups: a manager in a unit, a guest that is a domain of
# libvirt's and is started anew twice, and one that only calls its group so, below a user's own units. No grant is made
# by hand, and no VM asks twice. A reload takes a grant back from a VM that goes on calling, a bad file changes nothing, and a daemon
# that is started anew goes on with the grants that it finds.
#
#machine: --with-qemu --mem 1024 --file build/user/tools/elisactl:/bin/elisactl
#machine: --file build/user/apps/elisad/elisad:/bin/elisad
#machine: --file apps/elisad/libvirt-hook:/hook
#machine: --file tests/vms.sh:/vms.sh --role vm=tests/policy/role.sh
#machine: --guest-file build/user/tools/elisa-exec:/bin/elisa-exec
#machine: --guest-file build/user/apps/nop/nop.so:/nop.so
#machine: --guest-file build/user/apps/nop/nop_function.so:/nop_function.so
#machine: --guest-file build/user/lib/libelisa.so.1:/lib/libelisa.so.1
#machine: --guest-file build/user/lib/libelisa-extra.so.1:/lib/libelisa-extra.so.1
. /vms.sh
patient 4000

groups=/sys/fs/cgroup rules=/etc/elisa/grants.d run=/run/elisad
mount -t cgroup2 none $groups || exit 1
mkdir -p $rules $run

cat >$rules/10-vms.conf <<'END'
{"rules": [
	{"comment": "the manager", "vm": {"unit": "vm-*.service"}, "export": ["nop"], "max_pages": 20000},
	{"comment": "guests", "vm": {"domain": "web"}, "attach": ["nop"]}
]}
END

# daemon: returns when it is ready
daemon()
{
	rm -f /run/ready
	mkfifo /run/ready
	elisad --ready-fd 3 3>/run/ready 2>>/run/elisad.log &
	daemon=$!
	read -r _ready </run/ready
	[ "$_ready" = READY=1 ] || problem "elisad is not ready"
}

# logged TEXT: the daemon has said so
logged()
{
	grep -q -e "$1" /run/elisad.log || problem "elisad did not say \"$1\""
}

# vm NAME GROUP: a VM in this control group
vm()
{
	mkdir -p "$groups/$2"
	echo $$ >"$groups/$2/cgroup.procs"
	rm -f "/run/guest-$1/console"
	GUEST_CMDLINE="vm=$1" guest_start "$1" vm
	echo $$ >$groups/cgroup.procs
}

# web NUMBER: the domain, started so often
web()
{
	vm good "machine.slice/machine-qemu\\x2d$1\\x2dweb.scope"
	says good "^it calls"
	say "start $1: $(grep -a "^first request" /run/guest-good/console)"
}

grants()
{
	elisactl --json grants | grep -c '"policy"'
}

load
daemon
tsc "daemon"
vm manager system.slice/vm-manager.service
says manager "export 'nop' is up"
web 1
kill_vm good
web 2
kill_vm good
web 3
tsc "three starts"
vm bad 'user.slice/user-1000.slice/user@1000.service/machine.slice/machine-qemu\x2d9\x2dweb.scope'
ended bad
has bad "not granted"
logged "may export nop, grant .*, by rule 1 of $rules/10-vms.conf (the manager)"
logged "asked to attach to \"nop\": no rule gives it that"
elisactl policy show

# a daemon that is started anew finds its grants
elisactl --json grants >/run/before
kill $daemon
wait $daemon || problem "elisad's end"
elisactl grant --pid "$(guest_pid good)" attach other >/run/by-hand
daemon
elisactl --json grants >/run/after
[ "$(grep -c '"policy"' /run/before)" = "$(grants)" ] || problem "elisad gave grants twice"
grep '"id"' /run/before | while read -r line; do grep -q "$line" /run/after || problem "grant $line is gone"; done

# a bad file changes nothing
echo '{"rules": [{"vm": {"name": "web"}, "attach": ["nop"]}]}' >$rules/20-bad.conf
kill -HUP $daemon
until grep -q '"vm" has no key "name"' /run/elisad.log; do usleep 50000; done
[ "$(grants)" = "$(grep -c '"policy"' /run/before)" ] || problem "a bad file changed the grants"
elisactl policy check && problem "a bad file is good"
rm $rules/20-bad.conf

# what no rule gives any more is taken back; what was given by hand stays
sed -i 's/"domain": "web"/"domain": "other"/' $rules/10-vms.conf
elisactl policy apply || problem "policy apply"
says good "^it may not any more"
logged "may not attach nop any more, grant .*: no rule gives it"
[ "$(grants)" = 1 ] || problem "$(grants) grants of the policy's, not one"
elisactl --json grants | grep -q '"other"' || problem "a grant made by hand is gone"
ended good
kill $daemon
wait $daemon || problem "elisad's end"

# without the daemon: the rules for one VMM
sed -i 's/"export": \["nop"\]/"export": ["other"]/' $rules/10-vms.conf
mkdir -p /run/libvirt/qemu /usr/sbin
ln -s /bin/elisactl /usr/sbin/elisactl
guest_pid manager >/run/libvirt/qemu/manager.pid
/hook manager started begin -
elisactl grants | grep -q "other$" || problem "the hook granted nothing"
[ "$(grants)" = 1 ] || problem "the hook took nothing back"
kill_vm manager
cat /run/elisad.log
all_gone
# shellcheck disable=SC2154 # of vms.sh
say "result policy_ok=$((trouble == 0)) starts=3"
vms_end
