#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# All parts as one object in an archive, of which only what the map file names can be seen:
# one-archive.sh PARTS.a MAP ARCHIVE
set -eu
parts=$1 map=$2 archive=$3
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

sed -n 's/^[[:space:]]*\([a-z_]*\);.*/\1/p' "$map" >"$work/names"
"${LD:-ld}" -r --whole-archive "$parts" -o "$work/libelisa.o"
"${OBJCOPY:-objcopy}" --keep-global-symbols="$work/names" "$work/libelisa.o"
rm -f "$archive"
"${AR:-ar}" rcsD "$archive" "$work/libelisa.o"
