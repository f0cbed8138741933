# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Shell functions for jobs and for guests' roles. Nothing here may end the calling shell.

# modload NAME [parameters]: load a module of /modules after those it needs. A module that is
# built into this kernel is no error.
modload()
{
	_name=$(echo "$1" | tr - _)
	shift
	if ! grep -q "^$_name:" /modules/order; then
		echo "modload: $_name is not in this image (testbed/machine --modules)" >&2
		return 1
	fi
	_order=$(sed -n "s/^$_name: //p" /modules/order)
	for _module in $_order; do
		[ ! -d "/sys/module/$_module" ] || continue
		if [ "$_module" = "$_name" ]; then
			insmod "/modules/$_module.ko" "$@" || return 1
		else
			insmod "/modules/$_module.ko" || return 1
		fi
	done
}

# say TEXT...: a line that testbed/machine shows while the job runs.
say()
{
	echo ">> $*"
}
