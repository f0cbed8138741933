# SPDX-License-Identifier: Apache-2.0
# Runs attacks against the real module on one emulated machine. ELISA_ATTACKS=a,b on the kernel's
# command line names the programs. tests/attack/run judges them by their output in console.log.
#
#machine: --file build/attacks:/attacks
. /testbed/lib.sh

export ELISA_ATTACK_SCALE
mount -t tracefs none /sys/kernel/tracing 2>/dev/null
modload elisa allow_leaky_cpu=1 max_limit_us=60000000 max_suspend_us=60000000 || exit 1
for attack in $(echo "$ELISA_ATTACKS" | tr , ' '); do
	tsc "$attack"
	timeout 280 "/attacks/$attack" || say "failed: $attack"
done
rmmod elisa
