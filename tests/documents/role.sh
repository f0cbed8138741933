# SPDX-License-Identifier: Apache-2.0
# Runs in each VM of tests/documents/host.sh the commands for this VM, which vm=NAME on the kernel's
# command line names.
. /testbed/lib.sh
export LD_LIBRARY_PATH=/lib
cd /objects || exit 1
name=$(tr ' ' '\n' </proc/cmdline | sed -n 's/^vm=//p')

# Replaces what a distribution has and this image has not: the loader of modules, and the service
# manager. The latter starts the program of the unit, and returns when the program is ready.
modprobe()
{
	modload "$@"
}

systemctl()
{
	[ "$1 $2" = "enable --now" ] || return
	instance=${3#rvif-tap@}
	modload tun || return
	mkfifo /tmp/ready
	rvif-tap --name "$instance" --stats --ready-fd 3 "elisa:$instance" 3>/tmp/ready &
	read -r _ready </tmp/ready
}

fail()
{
	echo "FAILED: $*"
	exit 1
}

manager()
{
	modload elisa-guest || exit 1
	sed -n 's/^manager#  *//p' /documents/session >/tmp/commands
	. /tmp/commands
	code=$(elisa-vmnet --help | sed -n 's/.*default \(.*vmnet_switch.so\)).*/\1/p')
	mkdir -p "$(dirname "$code")" && ln -s /objects/vmnet_switch.so "$code"
	. /documents/vmnet-manager
}

# each command of a guest, and the lines below it, which are what it is to print
session()
{
	modload elisa-guest || exit 1
	: >/tmp/wanted
	command=
	{ grep -v '^#:' /documents/session; echo 'host# the end'; } >/tmp/session
	while read -r line <&4; do
		case $line in
		*'# '*)
			if [ -n "$command" ]; then
				echo "guest# $command"
				eval "$command" >/tmp/said || fail "$command"
				[ ! -s /tmp/wanted ] || cmp -s /tmp/wanted /tmp/said || fail "it says: $(cat /tmp/said)"
			fi
			: >/tmp/wanted
			case $line in guest*) command=${line#*#} ;; *) command= ;; esac
			;;
		*) echo "$line" >>/tmp/wanted ;;
		esac
	done 4</tmp/session
	echo "the documents' commands gave what they say"
}

# interface ADDRESS: the second guest needs another one than the documents'
interface()
{
	sed "s/10\.9\.0\.1/$1/" /documents/vmnet-guest >/tmp/commands
	. /tmp/commands || fail "the interface"
	ip address show dev vmnet | grep -q "$1/" || fail "no address"
	echo "the interface has its address"
}

case $name in
manager)
	manager
	;;
a)
	session
	interface 10.9.0.1
	ping -c 3 -W 5 10.9.0.2 || fail "no frames"
	echo "frames pass"
	;;
b)
	interface 10.9.0.2
	sleep 1000
	;;
esac
