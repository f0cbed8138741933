# SPDX-License-Identifier: Apache-2.0
# In every VM of the compatibility tests; compat=NAME on the kernel's command line says which, and
# number=N gives it an address.
. /testbed/lib.sh
export LD_LIBRARY_PATH=/lib ELISA_APPLIB_FILE=/compat_function.so
compat=$(sed -n 's/.*compat=\([a-z]*\).*/\1/p' /proc/cmdline)
number=$(sed -n 's/.*number=\([0-9]*\).*/\1/p' /proc/cmdline)
modload virtio_net
ip addr add "10.0.0.$number/24" dev eth0
ip link set eth0 up
ip -6 addr add "fd00::$number/64" dev eth0 nodad
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
	timeout 60 elisa-exec -f "/compat_$1.so" -p "$2" -s "${3:-127.0.0.1}"
}
server()
{
	elisa-exec -f "/compat_$1.so" -p "$2" >"/tmp/$1-$2" 2>&1 &
	eval "server_$2=$!"
}
server_fails()
{
	timeout 20 elisa-exec -f "/compat_$1.so" -p "$2"
}
# until it listens, which is after it has looked for the driver and the grant
listens()
{
	for _ in $(seq 1 200); do
		netstat -ltn | grep -q ":$1 " && return
		usleep 20000
	done
	failed "nobody listens on port $1"
}
. "/compat_$compat.sh"
echo "$compat: status $status"
exit $status
