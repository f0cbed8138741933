# SPDX-License-Identifier: Apache-2.0
# In the guests that send and receive: netbench through virtio-net, then through ELISA as soon as there is a grant.
. /testbed/lib.sh
export LD_LIBRARY_PATH=/lib
option()
{
	tr ' ' '\n' </proc/cmdline | sed -n "s/^$1=//p"
}
# the device for the marks
marks()
{
	_port=$(grep -lx marks /sys/class/virtio-ports/*/name)
	echo "/dev/$(basename "$(dirname "$_port")")"
}
# bench EAL-OPTIONS...
bench()
{
	# shellcheck disable=SC2046,SC2086 # options
	netbench --in-memory -m 32 --lcores 0@0 --iova-mode pa --no-telemetry --log-level 4 -d /drivers "$@" \
		-- $(option netbench | tr : ' ') $what
}

case $(option net) in
a) what="send --marks $(marks)" ;;
b) what="receive" ;;
esac
mkdir -p /var/run
chmod go-w / # else the EAL loads no drivers from below
modload uio_pci_generic || exit 1
echo 1af4 1041 >/sys/bus/pci/drivers/uio_pci_generic/new_id || exit 1
bench || exit 1
until modload elisa-guest 2>/dev/null; do
	sleep 1
done
until bench --no-pci --vdev net_rvif0,elisa=vmnet 2>/tmp/error; do
	grep -q -e "Operation not permitted\|No such file or directory" /tmp/error ||
		{ cat /tmp/error; exit 1; }
	sleep 1
done
