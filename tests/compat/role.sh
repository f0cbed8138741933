# SPDX-License-Identifier: Apache-2.0
# In every VM of the compatibility tests; compat=NAME on the kernel's command line says which, and
# number=N gives it an address. Shell functions, then the VM's own script.
. /testbed/lib.sh
export LD_LIBRARY_PATH=/lib ELISA_APPLIB_FILE=/compat_function.so
compat=$(sed -n 's/.*compat=\([a-z]*\).*/\1/p' /proc/cmdline)
number=$(sed -n 's/.*number=\([0-9]*\).*/\1/p' /proc/cmdline)
modload virtio_net
echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad
ip addr add "10.0.0.$number/24" dev eth0
ip link set eth0 up
ip -6 addr add "fd00::$number/64" dev eth0
mkdir -p /etc
echo "10.0.0.1 manager" >/etc/hosts

status=0
failed()
{
	echo "FAILED: $*"
	status=1
}
# is STATUS REGEX COMMAND...: it ends with this status, and a line of what it says matches
is()
{
	_status=$1 _wanted=$2
	shift 2
	_said=$("$@" 2>&1)
	_got=$?
	if [ "$_got" != "$_status" ] || ! echo "$_said" | grep -q -e "$_wanted"; then
		failed "$*: status $_got, not $_status, or no '$_wanted' in: $_said"
	fi
}
# client LIBRARY PORT [SERVER]
client()
{
	elisa-exec -f "/compat_$1.so" -p "$2" -s "${3:-127.0.0.1}"
}
# at_once N CALLS SERVER: N clients that count
at_once()
{
	_pids=
	for _ in $(seq 1 "$1"); do
		COUNTER_CALLS=$2 client counter 7002 "$3" >/dev/null &
		_pids="$_pids $!"
	done
	for _pid in $_pids; do
		wait "$_pid" || failed "one of $1 at once"
	done
}
# within SECONDS COMMAND...: it succeeds at last
within()
{
	_times=$(($1 * 10))
	shift
	while ! "$@" >/dev/null 2>&1; do
		_times=$((_times - 1))
		[ "$_times" -gt 0 ] || { failed "never: $*"; return 1; }
		usleep 100000
	done
}
# shellcheck disable=SC1090 # one of the scripts beside this one
. "/$compat.sh"
echo "$compat: status $status"
exit $status
