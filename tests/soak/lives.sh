# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# For tests/soak/qemu.sh and tests/attack/qemu.sh, after /vms.sh.

# vm NAME WHAT EXPORT [OPTIONS]: a VM that runs "soak_vm WHAT EXPORT"
vm()
{
	case $2 in manager) _right='export' ;; *) _right=attach ;; esac
	rm -f "/run/guest-$1/console"
	GUEST_CMDLINE="soak=$2 name=$3 ${4:-}" guest_start "$1" vm -action reboot=reset
	granted "$1" "$3" $_right
}
