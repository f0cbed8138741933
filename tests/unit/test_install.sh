#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What "ninja install" gives to others: the libraries export what their maps name and nothing else,
# they contain nothing that exits, prints or asserts, all headers are there, and a program builds
# with the .pc files alone. It must not use anything of the build but what is installed.
#
#   test_install.sh MESON BUILD SOURCE
set -eu
meson=$1 build=$2 source=$3
root=$(mktemp -d)
trap 'rm -r "$root"' EXIT

fail()
{
	echo "$*"
	exit 1
}

"$meson" install --no-rebuild --quiet -C "$build" --destdir "$root/there" >/dev/null
pc=$(find "$root/there" -name libelisa.pc)
libraries=$(dirname "$(dirname "$pc")")

# symbols LIBRARY MAP [ALLOWED]
symbols()
{
	sed -n 's/^[[:space:]]*\([a-z_]*\);.*/\1/p' "$source/$2" | sort >"$root/wanted"
	nm -D --defined-only "$libraries/$1" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' |
		sort >"$root/given"
	diff "$root/wanted" "$root/given" || fail "$1: not the symbols of $2"
	[ -s "$root/given" ] || fail "$1: no symbols"
	nm -D --undefined-only "$libraries/$1" | awk '{ sub(/@.*/, "", $2); print $2 }' |
		grep -vxE "${3:-}" | grep -xE '_?exit|_Exit|quick_exit|abort|__assert.*|(__)?v?f?printf(_chk)?|f?put(s|c|char)|fwrite|perror|v?(err|warn)x?|error|syslog|std(out|err)' &&
		fail "$1: uses what a library must not"
	return 0
}

symbols libelisa.so lib/libelisa.map
symbols libelisa-extra.so lib/extra/libelisa-extra.map
symbols librvif-elisa.so lib/rvif/librvif-elisa.map
# the server's process for a client ends with it
symbols libelisa-compat.so lib/compat/libelisa-compat.map '_exit'

headers=$(dirname "$(find "$root/there" -path '*/elisa/elisa.h')")
for header in "$source"/include/elisa/*.h; do
	[ -f "$headers/${header##*/}" ] || fail "${header##*/} is not installed"
done
for header in libelisa.h libelisa_extra/irq.h libelisa_extra/map.h; do
	[ -f "$headers/../elisa-compat/$header" ] || fail "$header is not installed"
done

cat >"$root/program.c" <<'END'
#include <errno.h>
#include <stdio.h>
#include <elisa/exec.h>
#include <elisa/extra.h>
#include <elisa/gate_layout.h>
#include <elisa/host_ioctl.h>

int main(void)
{
	struct elisa_extra_image *image = NULL;
	struct elisa *handle;

	elisa_extra_unload(image);
	if (elisa_open("/nowhere", &handle) != -ENOENT)
		return 1;
	puts(elisa_error(NULL));
	return 0;
}
END
export PKG_CONFIG_PATH="${pc%/*}" PKG_CONFIG_SYSROOT_DIR="$root/there"
export PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1
# shellcheck disable=SC2046 # options, to be split
cc -std=c11 -Wall -Wextra -Werror -o "$root/program" "$root/program.c" \
	$(pkg-config --cflags --libs libelisa-extra libelisa)
LD_LIBRARY_PATH="$libraries" "$root/program" | grep 'open .*modprobe elisa-guest'

# the code of an export, from what is installed alone
cat >"$root/function.c" <<'END'
#include <elisa/function.h>

struct record {
	char text[200];
};
static struct record table[16];

long entry_function(long key, long offset);
long entry_function(long key, long offset)
{
	const struct record *theirs = elisa_exchange((uint64_t)offset, sizeof(*theirs));

	if (!theirs || key < 0 || key >= 16)
		return -1;
	table[key] = *theirs;
	return 0;
}
END
# shellcheck disable=SC2046 # options, to be split
cc -O0 -Wall -Wextra -Werror -o "$root/function.so" "$root/function.c" \
	$(pkg-config --cflags --libs libelisa-function)
nm -D --undefined-only "$root/function.so" | grep . && fail "a function's object needs others"
readelf -n "$root/function.so" | grep -q 'x86 feature used: x86$' ||
	fail "a function's object does not say that it uses general registers only"

# as programs for the prototype are written and built, static, too
cat >"$root/prototype.c" <<'END'
#include <libelisa.h>
#include <libelisa_extra/irq.h>
#include <libelisa_extra/map.h>
#include <errno.h>

int main(void)
{
	vmcall_cli();
	if (elisa_gate_entry(1, 2, 3, 511, 5, 6) != -1 || errno != ENOTCONN)
		return 1;
	if (elisa_client("127.0.0.1", 1, NULL) != -1)
		return 1;
	puts(elisa_compat_error());
	elisa_disable_irq_if_enabled();
	return 0;
}
END
for static in '' -Wl,-Bstatic; do
	# shellcheck disable=SC2046,SC2086 # options, to be split
	cc -std=gnu99 -Wall -Wextra -Werror -o "$root/prototype" "$root/prototype.c" $static \
		$(pkg-config --cflags --libs libelisa-compat) -Wl,-Bdynamic
	LD_LIBRARY_PATH="$libraries" "$root/prototype" | grep 'open .*modprobe elisa-guest'
done

# with the prototype's Makefiles: one archive in LIBELISA_DIR, headers below it, and no other path
there=$libraries/elisa-compat
nm --defined-only --extern-only "$there/libelisa.a" | awk 'NF == 3 { print $3 }' | sort >"$root/given"
sed -n 's/^[[:space:]]*\([a-z_]*\);.*/\1/p' "$source/lib/compat/libelisa-compat.map" | sort >"$root/wanted"
diff "$root/wanted" "$root/given" || fail "libelisa.a: not the symbols of its map"
unset PKG_CONFIG_PATH
for flags in "-O3 -std=gnu99" "-O0 -std=gnu17 -pedantic"; do
	# shellcheck disable=SC2086 # options, to be split
	gcc $flags -pipe -g -rdynamic -Werror -Wall -Wextra -Wunused-function -shared -fPIC \
		-I"$there/include" -o "$root/prototype.so" "$source/tests/compat/prototype.c" \
		"$there/libelisa.a" -ldl
done
# what it takes from the library goes to the program that loads it, which has the attachment
for symbol in elisa_compat_gate elisa_create_program_map_req; do
	readelf -W --dyn-syms "$root/prototype.so" | grep -q "DEFAULT .* $symbol\$" ||
		fail "$symbol is not shared with the program"
done

# its own functions stay its own when it is run: its elisa__exec_init() calls them
LD_LIBRARY_PATH="$libraries" "$(find "$root/there" -name elisa-exec)" -f "$root/prototype.so" -p 7001 \
	2>&1 | grep "server: open .*modprobe elisa-guest"
