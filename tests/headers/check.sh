#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Each public header, alone, in each standard of C and C++ that compilers know, pedantic; and that C++ links with what the
# headers declare.   check.sh SOURCE-ROOT
root=$(realpath "$1") status=0
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory" || exit 1
flags=(-I"$root/include" -I"$root/include/elisa-compat" -Wall -Wextra -Wpedantic -Werror)

count=0
while read -r header; do
	name=$(tr / _ <<<"${header%.h}")
	echo "#include <$header>" | tee "$name.c" >"$name.cc"
	count=$((count + 1))
done < <(cd "$root/include" && find elisa rvif -name '*.h' && cd elisa-compat && find . -name '*.h' -printf '%P\n')

# syntax COMPILER SUFFIX STANDARD...
syntax()
{
	local compiler=$1 suffix=$2 standard
	shift 2
	for standard; do
		"$compiler" "-std=$standard" "${flags[@]}" -fsyntax-only ./*."$suffix" && continue
		echo "FAILED: $compiler -std=$standard"
		status=1
	done
}

syntax gcc c c11 c17 c2x gnu11 gnu17
syntax clang c c11 c17 c2x gnu17
syntax g++ cc c++11 c++14 c++17 c++20 c++23 gnu++17
syntax clang++ cc c++11 c++14 c++17 c++20 c++2b

cat >use.cpp <<'EOF'
#include <elisa/exec.h>
#include <rvif/driver.h>
#include <rvif/elisa.h>

static int guest(struct elisa_attachment *, int, char **)
{
	return 0;
}

const struct elisa_app elisa_app = {ELISA_APP_VERSION, 0, nullptr, nullptr, nullptr, guest};

int main()
{
	struct rvif_config config = {};
	struct rvif_vnic vnic;
	struct rvif_ring ring;
	uint32_t seen;

	config.tx_queues = config.rx_queues = 1;
	config.tx_ring = config.rx_ring = 8;
	config.buffer_size = config.max_frame = 2048;
	if (rvif_configure(&config, 65536) || rvif_open(&vnic, &rvif_private_memory, "", &config))
		return 1;
	rvif_start(&vnic);
	rvif_rx_ring_init(&ring, &vnic, 0);
	rvif_desc_set(rvif_ring_desc(&ring, ring.posted++), vnic.layout.buffers, 0, 0);
	rvif_ring_publish(&ring);
	return rvif_ring_room(&ring) != 7 || !rvif_ring_may_sleep(&ring, &seen) ||
	       rvif_attached(&vnic) || !rvif_strreason(0) || rvif_ring_completed(&ring);
}
EOF
# by itself: the build's own may have sanitizers
gcc -D_GNU_SOURCE -I"$root/include" -c "$root"/lib/rvif/{parse,private_memory,reason,shared_file,vnic}.c || exit 1
for compiler in g++ clang++; do
	for standard in c++11 c++20; do
		if ! "$compiler" -std=$standard "${flags[@]}" use.cpp ./*.o -o use || ! ./use ||
			! nm use | grep -q ' [RD] elisa_app$'; then
			echo "FAILED: $compiler -std=$standard does not link, or runs wrongly"
			status=1
		fi
	done
done
echo "$count headers"
[ "$count" -ge 11 ] && exit $status
