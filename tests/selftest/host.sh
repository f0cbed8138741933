# SPDX-License-Identifier: Apache-2.0
# `elisactl selftest` as on a real host, with the installed module. It must refuse while the module
# knows a VM, and run all tests otherwise. Its file must say that the machine is emulated.
# Afterwards the module's parameters must be what they were.
#
#machine: --mem 512 --file build/user/tools/elisactl:/bin/elisactl
#machine: --file build/selftest/machine:/selftest/machine --file build/selftest/attack:/selftest/attack
#machine: --file build/selftest/probe:/selftest/probe --file build/selftest/bench:/selftest/bench
#machine: --file tests/hardware/sampled:/selftest/sampled
. /testbed/lib.sh

problems=0
problem()
{
	say "PROBLEM: $*"
	problems=$((problems + 1))
}

# refused TEXT: with its own exit status, without a file
refused()
{
	elisactl --programs /selftest -o /tmp/selftest.json selftest machine/call >/tmp/says 2>&1
	[ $? = 3 ] || problem "not refused: $(cat /tmp/says)"
	grep -q "$1" /tmp/says || problem "it does not say '$1': $(cat /tmp/says)"
	[ ! -e /tmp/selftest.json ] || problem "a file without a test"
}

refused 'load the module: modprobe elisa'
modload elisa || exit 1
refused 'allow_leaky_cpu=1'
rmmod elisa
modload elisa allow_leaky_cpu=1 || exit 1
/selftest/machine/strict >/dev/null 2>&1 &
vm=$!
tries=0
while ! elisactl vms | grep -q . && [ $tries -lt 50 ]; do
	usleep 20000
	tries=$((tries + 1))
done
kill -STOP $vm
refused "VM [0-9]* of process $vm uses ELISA"
kill -CONT $vm
kill -9 $vm
wait
tries=0
while elisactl vms | grep -q . && [ $tries -lt 100 ]; do
	usleep 20000
	tries=$((tries + 1))
done

before=$(cat /sys/module/elisa/parameters/max_limit_us)
# Each result is printed when it is there: the tests that run by default take long.
{
	# shellcheck disable=SC2046 # one word a test
	elisactl --programs /selftest -o /tmp/selftest.json selftest $(echo "$ELISA_SELFTEST" | tr , ' ') 2>&1
	echo $? >/tmp/status
} | tee /tmp/says
status=$(cat /tmp/status)
[ "$(cat /sys/module/elisa/parameters/max_limit_us)" = "$before" ] || problem "max_limit_us is another one"
grep -q '"emulated":true' /tmp/selftest.json || problem "the file does not say that this is an emulator"
grep -q '"name":"call_strict_general_trusting"' /tmp/selftest.json || problem "no figure of a call"
grep -q '"name":"packet"' /tmp/selftest.json || problem "no figure of a packet"
say "$(tail -n 1 /tmp/says)"
sed -n '/"figures"/,/^  \],/p' /tmp/selftest.json
[ $status = 0 ] || problem "status $status"
rmmod elisa || problem "the module is in use"
[ $problems = 0 ]
