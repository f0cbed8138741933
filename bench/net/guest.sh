# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Shell functions for the guests that exchange frames through DPDK. After /testbed/lib.sh.
#
#   net_option NAME      a value of the kernel's command line
#   net_through_virtio   netbench on the virtio-net-pci device, which no other program uses
#   net_through_elisa NAME [OPTION]
#                        netbench on the manager's switch, as soon as there is a grant; an option of net_rvif

export LD_LIBRARY_PATH=/lib

net_option()
{
	tr ' ' '\n' </proc/cmdline | sed -n "s/^$1=//p"
}

# net_bench NAME EAL-OPTIONS...: guest a sends, and says on its device for marks what it is about
net_bench()
{
	_what="receive" _net=$1
	shift
	if [ "$(net_option net)" = a ]; then
		_port=$(grep -lx marks /sys/class/virtio-ports/*/name)
		_what="send --marks /dev/$(basename "$(dirname "$_port")")"
	fi
	# shellcheck disable=SC2046,SC2086 # options
	netbench --in-memory -m 32 --lcores 0@0 --iova-mode pa --no-telemetry --log-level 4 -d /drivers "$@" \
		-- $(net_option netbench | tr : ' ') --net "$_net" $_what
}

net_through_virtio()
{
	mkdir -p /var/run
	chmod go-w / # else the EAL loads no drivers from below
	modload uio_pci_generic || return 1
	echo 1af4 1041 >/sys/bus/pci/drivers/uio_pci_generic/new_id || return 1
	net_bench virtio
}

net_through_elisa()
{
	until modload elisa-guest 2>/dev/null; do
		sleep 1
	done
	until net_bench "$1" --no-pci --vdev "net_rvif0,elisa=vmnet${2:+,$2}" 2>/tmp/error; do
		grep -q -e "has not granted\|no such export\|not published" /tmp/error || { cat /tmp/error; return 1; }
		sleep 1
	done
}
