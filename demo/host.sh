# SPDX-License-Identifier: Apache-2.0
# The demo on the emulated host: the administrator's part. Three QEMU guests, started as
# for any other use; what they may do is granted here and nowhere else.
#
#machine: --with-qemu --mem 896 --file build/user/tools/elisactl:/bin/elisactl
#machine: --role manager=demo/manager.sh --role guest=demo/guest.sh
#machine: --guest-file build/user/demo/demo_manager:/bin/demo_manager
#machine: --guest-file build/user/demo/demo_guest:/bin/demo_guest
#machine: --guest-file build/user/demo/demo_object.so:/demo_object.so
#machine: --guest-file build/user/lib/libelisa.so.1:/lib/libelisa.so.1
#machine: --guest-file build/user/lib/libelisa-extra.so.1:/lib/libelisa-extra.so.1
. /testbed/guest.sh
set -e

say "1. A stock kernel ($(uname -r)) with its stock kvm_intel; elisa.ko is loaded beside it."
modload elisa allow_leaky_cpu=1
say "2. Three VMs start (QEMU, -cpu host,-pcid): a manager and two guests."
guest_start manager manager
GUEST_CMDLINE=elisa_guest=a guest_start a guest
guest_start b guest
say "3. Nothing is allowed until the administrator says so:"
grant()
{
	elisactl grant --pid "$(guest_pid "$1")" "$2" "$3" $4 >/dev/null
	say "   elisactl grant --pid $(guest_pid "$1") $2 '$3' $4     (VM \"$1\")"
}
grant manager export demo.strict
grant manager export demo.trusted --trusted-manager
grant a attach 'demo.*'
grant b attach 'demo.*'
say "4. The VMs at work:"
status=0
guest_wait a || status=1
guest_wait b || status=1
guest_wait manager || status=1
say "5. What the host's module counted:"
elisactl stats | sed 's/^/>>    /'
elisactl vms
rmmod elisa || status=1

# what the guest said is the guest's: known names and numbers only
for pair in $(sed -n 's/^measured //p' /run/guest-a/console); do
	value=${pair#*=}
	case $value in *[!0-9.]* | '') continue ;; esac
	case ${pair%%=*} in
	calls) calls=$value ;;
	exits) exits=$value ;;
	return_traps) return_traps=$value ;;
	interrupts) interrupts=$value ;;
	vmcall_exits) vmcall_exits=$value ;;
	strict) strict=$value ;;
	trusted) trusted=$value ;;
	esac
done
# on a machine that runs in real time the counter says nothing about instructions
[ "$ELISA_TSC_COUNTS" = instructions ] && unit=insns || unit=cycles
blocked=1
for guest in a b; do grep -q '^blocked=1' /run/guest-$guest/console || blocked=0; done
say "result kernel=$(uname -r) guests=2 calls=$calls exits_during_calls=$exits interrupts=$interrupts return_traps=$return_traps vmcall_exits=$vmcall_exits"
say "result ${unit}_per_call_strict=$strict ${unit}_per_call_trusted=$trusted object_read_blocked=$blocked"

# must LIMIT NUMBER TEXT: a missing number is above any limit
must()
{
	awk -v number="${2:-none}" -v limit="$1" 'BEGIN { exit !(number ~ /^[0-9.]+$/ && number + 0 <= limit) }' ||
		{ say "FAILED: $3 is ${2:-not known}, the limit is $1"; status=1; }
}
must 0 "$exits" "exits caused by calls"
if [ $unit = insns ]; then
	must 40 "$strict" "instructions of a strict call"
	must 32 "$trusted" "instructions of a trusted call"
fi
[ "${vmcall_exits:-0}" -ge "${calls:-1}" ] || { say "FAILED: VMCALLs without exits"; status=1; }
[ $blocked = 1 ] || { say "FAILED: the object was not out of reach"; status=1; }
exit $status
