# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Shell functions for jobs that run QEMU guests. A guest's failure is returned, never hidden: a job
# that calls guest_start must call guest_wait.
#
#   guest_start NAME ROLE [QEMU ARGUMENTS...]   start a guest that runs /roles/ROLE; returns when guest_pid
#                                               knows its process, or when there is none any more
#   guest_wait NAME                             wait for its end; returns the role's status
#   guest_pid NAME                              process id of its QEMU
#   guest_runs NAME                             it has not ended yet
#   guest_kill NAME SIGNAL                      end its QEMU; such a guest owes no kernel log
#
# Variables, read by guest_start: GUEST_MEM (MiB), GUEST_CPUS, GUEST_CPU (-cpu), GUEST_PROFILE
# (fast or default), GUEST_CMDLINE (more kernel options), GUEST_INITRD, GUEST_KERNEL, GUEST_UID
# (run QEMU as this user and group), GUEST_PCI (not empty: with a PCI bus).

. /testbed/lib.sh

guest_start()
{
	_guest=$1 _role=$2
	shift 2
	_dir=/run/guest-$_guest
	mkdir -p "$_dir"
	rm -f "$_dir/pid" "$_dir/qemu-status"
	_append="console=ttyS0 $(cat /testbed/guest-cmdline-"${GUEST_PROFILE:-fast}")"
	_machine=microvm,pit=off,pic=off,rtc=on,ioapic2=off
	if [ -n "${GUEST_PCI:-}" ]; then
		_append=$(echo "$_append" | sed 's/ pci=off//')
		_machine=$_machine,pcie=on
	fi
	_append="$_append role=$_role token=$(cat /testbed/guest-token) ${GUEST_CMDLINE:-}"
	_as=
	if [ -n "${GUEST_UID:-}" ]; then
		chown "$GUEST_UID:$GUEST_UID" "$_dir"
		chmod 666 /dev/kvm
		_as="runas $GUEST_UID"
	fi
	# The console is a virtio console: see docs/testbed.md for what a serial port would cost.
	{
		$_as qemu-system-x86_64 \
			-name "$_guest" -pidfile "$_dir/pid" \
			-L /usr/share/qemu -bios qboot.rom \
			-M "$_machine" -accel kvm \
			-cpu "${GUEST_CPU:-host,-pcid}" -smp "${GUEST_CPUS:-1}" \
			-m $((${GUEST_MEM:-128} * $(cat /testbed/guest-memory))) \
			-nodefaults -no-user-config -display none -no-reboot \
			-kernel "${GUEST_KERNEL:-/guest/vmlinux}" \
			-initrd "${GUEST_INITRD:-/guest/initrd}" -append "$_append" \
			-serial "file:$_dir/serial" \
			-global virtio-mmio.ioeventfd=off \
			-chardev stdio,id=console,signal=off \
			-device virtio-serial-device -device virtconsole,chardev=console \
			"$@" </dev/null 2>&1
		echo "$?" >"$_dir/qemu-status"
	} | relay "[$_guest] " "$_dir/console" &
	echo "$!" >"$_dir/relay"
	until [ -s "$_dir/pid" ] || [ -s "$_dir/qemu-status" ]; do usleep 50000; done
}

guest_pid()
{
	cat "/run/guest-$1/pid"
}

guest_runs()
{
	[ ! -s "/run/guest-$1/qemu-status" ]
}

guest_kill()
{
	echo "[$1] $(cat /testbed/guest-token)-killed"
	kill "-$2" "$(guest_pid "$1")"
}

guest_wait()
{
	_dir=/run/guest-$1
	wait "$(cat "$_dir/relay")"
	[ ! -s "$_dir/serial" ] || relay "[$1] serial: " /dev/null <"$_dir/serial"
	_status=$(sed -n "s/^$(cat /testbed/guest-token)-end //p" "$_dir/console")
	_qemu=$(cat "$_dir/qemu-status")
	if [ -z "$_status" ] || [ "$_qemu" != 0 ]; then
		echo "[$1] did not end properly: QEMU's status $_qemu, role's status ${_status:-unknown}"
		return 91
	fi
	return "$_status"
}
