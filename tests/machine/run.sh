# SPDX-License-Identifier: Apache-2.0
# Runs the machine tests: each program in /tests against the real module, one after another.
# ELISA_TESTS=a,b on the kernel's command line names some of them. A test that fails does not keep
# the others from running. ELISA_TEST_TIMEOUT is their limit in seconds. A test that lacks what it
# needs ends with status 77 and counts as skipped. If no test passed, the run has failed. The end of
# the output repeats the failures. The module is named on the command line: see the Makefile.
#
#machine: --file build/machine-tests:/tests
. /testbed/lib.sh

failed=0 passed=0 skipped=0 again=/tmp/failed
: >$again

# Ends the tee of a test that is over. A process that the test left behind may still hold the pipe.
end_tee()
{
	_tries=0
	while kill -0 "$1" 2>/dev/null && [ $_tries -lt 20 ]; do
		usleep 50000
		_tries=$((_tries + 1))
	done
	kill "$1" 2>/dev/null
	wait "$1"
}

for test in $(echo "${ELISA_TESTS:-$(ls /tests)}" | tr , ' '); do
	tsc "$test"
	# loads the module for the first test, and after a test that failed without the module
	[ -e /dev/elisa ] || modload elisa allow_leaky_cpu=1 max_limit_us=60000000 max_suspend_us=60000000 || exit 1
	mkfifo "/tmp/says.$test"
	tee /tmp/said <"/tmp/says.$test" &
	tee=$!
	timeout "${ELISA_TEST_TIMEOUT:-60}" "/tests/$test" >"/tmp/says.$test" 2>&1
	status=$?
	end_tee $tee
	rm "/tmp/says.$test"
	if [ $status = 0 ]; then
		passed=$((passed + 1))
		say "ok $test"
	elif [ $status = 77 ]; then
		skipped=$((skipped + 1))
		say "SKIPPED $test"
	else
		failed=$((failed + 1))
		say "FAILED $test"
		{
			echo "FAILED $test:"
			tail -n 8 /tmp/said
		} >>$again
	fi
done
say "$passed passed, $failed failed, $skipped skipped"
cat $again
rmmod elisa || failed=1
[ $failed = 0 ] && [ $passed -gt 0 ]
