# SPDX-License-Identifier: Apache-2.0
# The VM of demo/nested.sh. Its VMs are those of the machine tests, which need nothing but /dev/kvm.
. /testbed/lib.sh
modload kvm && modload kvm_intel && modload elisa allow_leaky_cpu=1 max_limit_us=60000000 max_suspend_us=60000000 || exit 1

failed=0
# try TEST TEXT
try()
{
	say "   $2:"
	"/tests/$1" || {
		failed=1
		say "   $1 FAILED"
	}
}
say "3. Calls, in strict and in trusted mode. Each VMFUNC is an exit here, for no processor has two levels of it:"
try call "six arguments, 8 times 1000 calls"
say "4. Attacks:"
try foreign "a process that is not attached enters by the gate of one that is"
try gate_entry "jumps to each byte of the gate"
try faults "functions that fail in 23 ways"
elisactl stats | sed 's/^/       /'
rmmod elisa && [ $failed = 0 ]
