# SPDX-License-Identifier: Apache-2.0
# Deaths in a store under load: in two guests processes that change items are killed, nine tenths of
# KV_CYCLES; then the manager's daemon is, again and again. kv_life.c says what must not be.
#
#machine: --with-qemu --mem 1024 --file build/user/tools/elisactl:/bin/elisactl
#machine: --file tests/vms.sh:/vms.sh --role vm=tests/soak/kv_role.sh
#machine: --guest-file build/user/apps/kv/manager/elisa-kv:/bin/elisa-kv
#machine: --guest-file build/user/apps/kv/kv_function.so:/kv_function.so
#machine: --guest-file build/user/apps/kv/cli/elisa-kv-cli:/bin/elisa-kv-cli
#machine: --guest-file build/user/tests/soak/kv_life:/bin/kv_life
#machine: --guest-file build/user/lib/libelisa.so.1:/lib/libelisa.so.1
#machine: --guest-file build/user/lib/libelisa-extra.so.1:/lib/libelisa-extra.so.1
trouble=0 leaks=0
. /vms.sh

cycles=${KV_CYCLES:-1000}
seed=${ELISA_SOAK_SEED:-1}
say "ELISA_SOAK_SEED=$seed KV_CYCLES=$cycles"
managers=$(((cycles + 9) / 10))
guests=$(((cycles - managers + 1) / 2))

# vm NAME DEATHS RIGHT...
vm()
{
	_vm=$1 _deaths=$2
	shift 2
	GUEST_CMDLINE="kv=$_vm deaths=$_deaths seed=$seed" start "$_vm" kv "$@"
}

# sum WORD: of WORD=NUMBER in what VMs say at their end
sum()
{
	grep -a -h "^life \|^managers=" /run/guest-*/console | tr -d '\r' | tr ' ' '\n' |
		awk -F = -v word="$1" '$1 == word { n += $2 } END { print n + 0 }'
}

load
vm manager $managers export attach
vm a $guests attach
vm b $guests attach
ended a b
kill_vm manager
all_gone
n=$(($(sum deaths) + $(sum managers)))
bad=$(($(sum lost) + $(sum torn) + $(sum stale) + $(sum counters) + $(sum other)))
[ $bad = 0 ] || problem "$bad bad counts"
[ "$(sum deaths)" = $((2 * guests)) ] && [ "$(sum managers)" = $managers ] || problem "deaths are missing"
[ "$(sum acknowledged)" != 0 ] || problem "nothing was changed"
[ "$(sum reconnects)" != 0 ] && [ "$(sum kept)" != 0 ] || problem "the store did not come back with items"
warnings=$(dmesg -r | grep -a -c '^<[0-4]>.*\(WARNING\|BUG\)')
[ "$warnings" = 0 ] || problem "warnings"
result="result kv_soak cycles=$n"
for word in deaths managers acknowledged ended undone evicted reconnects kept lost torn stale counters other; do
	result="$result $word=$(sum $word)"
done
say "$result"
say "result soak_kv_cycles=$n leaks=$leaks warnings=$warnings problems=$trouble"
vms_end
