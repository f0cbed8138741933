# SPDX-License-Identifier: Apache-2.0
# The manager's VM: servers, clients beside them, and what must be refused.
# shellcheck disable=SC2154 # status is the role's
server_fails()
{
	timeout 20 elisa-exec -f "$1" -p "$2"
}
# server LIBRARY PORT; its process is in $server afterwards, what it says in /tmp/PORT
server()
{
	elisa-exec -f "/compat_$1.so" -p "$2" >"/tmp/$2" 2>&1 &
	server=$!
	within 20 listens "$2"
}
listens()
{
	netstat -ltn | grep -q "0.0.0.0:$1 " && netstat -ltn | grep -q ":::$1 "
}
said()
{
	grep -q -e "$2" "/tmp/$1"
}
# a child process for each client that it has
clients_of()
{
	[ "$(grep -l "^PPid:.$1$" /proc/[0-9]*/status | wc -l)" = "$2" ]
}
no_server()
{
	! pidof elisa-exec
}
# peer PORT COMMAND...: what a stranger sends; the server must close the connection
peer()
{
	_port=$1
	shift
	"$@" | timeout 20 nc 127.0.0.1 "$_port" >/dev/null
	[ $? -lt 124 ] || failed "the server keeps a stranger: $*"
}
slowly()
{
	for _byte in E L I S A c m p; do
		printf %s "$_byte"
		sleep 1
	done
}

# --- before there is a driver, and before there is a grant
is 1 "open '/dev/elisa'.*modprobe elisa-guest" server_fails /compat_value.so 7001
is 1 "open '/dev/elisa'.*modprobe elisa-guest" client value 7001
modload elisa-guest || exit 1
is 1 "has not granted this VM to export.*elisactl grant" server_fails /compat_value.so 7001
echo "wants a grant"
until [ "$(elisa-exec manager --name elisa-compat /nowhere 2>&1 | grep -c granted)" = 0 ] &&
	elisa-exec guest --name elisa-compat.none /nop.so 2>&1 | grep -q "no such export"; do
	usleep 300000
done

# the other VMs wait for the end of a connection, which costs nothing, and so does this one
mkfifo /tmp/hold
nc -l -p 9001 <>/tmp/hold &
go=$!
nc -l -p 9002 </dev/null &
a=$!
nc -l -p 9003 </dev/null &
b=$!

# --- bad usage
is 1 "cannot load the application: .*nowhere" server_fails /nowhere.so 7001
is 1 "lacks a callback: .*elisa__exec_init" server_fails /compat_function.so 7001
is 2 "not from 1 to 65535" server_fails /compat_value.so 77777
is 2 "give -f LIB.so and -p PORT" elisa-exec -f /compat_value.so
is 1 "no such\|not known\|resolution" client value 7001 nobody.example
is 1 "Connection refused; start the server first" client value 7001

# --- servers
server value 7001
value=$server
server counter 7002
counter=$server
server echo 7003
server loop 7004
server prototype 7009
export ELISA_COMPAT_STACK=0 ELISA_COMPAT_GENERAL_REGS=1
server loop 7010
unset ELISA_COMPAT_STACK ELISA_COMPAT_GENERAL_REGS
for name in native general; do
	options="--stack 1048576,2,2"
	[ $name = native ] || options=--general-regs
	# shellcheck disable=SC2086 # options, to be split
	elisa-exec manager --name elisa-compat-$name $options /nop.so /compat_function.so \
		>"/tmp/$name" 2>&1 &
	within 20 said $name "is up"
done
export BAR_DEVICE=0000:00:01.0
server bar 7005
unset BAR_DEVICE
is 1 "Address already in use" server_fails /compat_value.so 7001
ELISA_APPLIB_FILE=/nowhere.so server value 7007
is 1 "callback refused this client" client value 7007
echo "serves"

# the host takes its hooks away with the last attachment, and the next one would wait for them
COUNTER_DOES=stay elisa-exec -f /compat_counter.so -p 7002 -s ::1 &
keeper=$!

# --- clients in the same VM
for address in 127.0.0.1 ::1 10.0.0.1 fd00::1 manager; do
	is 0 "value: 1" client value 7001 "$address"
done
is 0 "echo: 100000 bytes" client echo 7003
for _ in $(seq 1 20); do
	COUNTER_CALLS=10 is 0 "counter: " client counter 7002
done
at_once 8 1000 127.0.0.1
COUNTER_DOES=fault is 0 "error 14: call: the function faulted" client counter 7002
within 10 said 7002 "a call of the client, on its vCPU 0: the function faulted"
is 0 "value 1, few 1, all 51113, by address 4351121" client prototype 7009
# without a stack of its own, and with one of the host's pages
ELISA_COMPAT_STACK=4096 server value 7011
is 1 "" client value 7011
within 10 said 7011 "on its vCPU 0: the function faulted"

# --- strangers
echo "strangers"
peer 7001 head -c 5000 /dev/urandom
peer 7001 printf ELISAcmp
peer 7001 true
peer 7001 slowly &
stranger=$!
is 0 "value: 1" client value 7001
wait "$stranger"
within 10 clients_of "$value" 0
said 7001 "no client: it does not speak this negotiation" || failed "no word of garbage"
said 7001 "no client: it did not finish the negotiation: Connection reset" ||
	failed "no word of a truncated message"
said 7001 "no client: it did not finish the negotiation: Connection timed out" ||
	failed "no word of a slow client"
said 7001 "a client of value has gone: 4711" || failed "no exit callback"

# --- a client is killed in a call
echo "kills"
ELISA_COMPAT_LIMIT_US=20000 server counter 7006
spun=$server
COUNTER_DOES=spin elisa-exec -f /compat_counter.so -p 7006 -s ::1 >/tmp/spin 2>&1 &
spinning=$!
within 20 grep -q spinning /tmp/spin
kill -KILL "$spinning"
within 20 clients_of "$spun" 0
said 7006 "the counter is" || failed "no exit callback after a kill"

# --- the server is killed during calls, those of another VM, too
server counter 7008
doomed=$server
kill "$go"
COUNTER_DOES=survive client counter 7008 >/tmp/survive 2>&1 &
survivor=$!
within 30 clients_of "$doomed" 2
usleep 50000
kill -KILL "$doomed"
wait "$survivor" || failed "a survivor's status"
grep -q "error 32: call: the export or the attachment has ended" /tmp/survive ||
	failed "the server is gone, but: $(cat /tmp/survive)"

# --- until the other VMs are content
wait "$a" "$b"
COUNTER_CALLS=1 is 0 "counter: 10201" client counter 7002
kill "$keeper"
within 10 clients_of "$counter" 0
killall elisa-exec
wait
within 10 no_server
echo "nothing should be left"
nc -l -p 9001 </dev/null
