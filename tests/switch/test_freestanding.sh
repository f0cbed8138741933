#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The switch's libraries link alone, into a shared object that needs nothing, has nothing to relocate and
# no data of its own to write; the one for general registers uses no others.
#   test_freestanding.sh LIBRVS LIBRVS_GENERAL
set -eu
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
status=0

wrong()
{
	echo "$1: $2"
	status=1
}

# not_in LIBRARY WHAT COMMAND...: the command must print nothing
not_in()
{
	library=$1 what=$2
	shift 2
	found=$("$@")
	[ -z "$found" ] || wrong "$library" "$what: $(echo "$found" | head -n 5)"
}

vector_registers()
{
	objdump -d --no-show-raw-insn "$1" | grep -E '%([xyz]?mm|st\b|k[0-7])' || true
}

relocations()
{
	readelf -rW "$1" | grep -E 'R_X86_64' || true
}

writable_data()
{
	readelf -SW "$1" | grep -E ' \.(data|bss|tdata|tbss|got\.plt|init_array)[ .]' |
		grep -vE ' \.got\.plt .* 000018 ' || true
}

for library; do
	object=$directory/$(basename "$library").so
	if ! ld -shared -z defs --whole-archive "$library" -o "$object"; then
		wrong "$library" "does not link alone"
		continue
	fi
	not_in "$library" "undefined symbols" nm -u "$object"
	not_in "$library" "relocations" relocations "$object"
	not_in "$library" "writable data" writable_data "$object"
	case $library in
	*general*) not_in "$library" "vector registers" vector_registers "$object" ;;
	*) [ -n "$(vector_registers "$object")" ] || wrong "$library" "no vector registers, is this the right one?" ;;
	esac
done
exit $status
