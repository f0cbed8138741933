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
symbols libelisa-kv.so lib/kv/libelisa-kv.map
symbols librvif-elisa.so lib/rvif/librvif-elisa.map
symbols librvs.so switch/librvs.map
# the server's process for a client ends with it
symbols libelisa-compat.so lib/compat/libelisa-compat.map '_exit'

headers=$(dirname "$(find "$root/there" -path '*/elisa/elisa.h')")
for header in "$source"/include/elisa/*.h "$source"/include/elisa/sub/*.h; do
	[ -f "$headers/${header#"$source"/include/elisa/}" ] || fail "${header##*/} is not installed"
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

# the switch in a program, shared and static
for static in '' -Wl,-Bstatic; do
	# shellcheck disable=SC2046,SC2086 # options, to be split
	cc -std=c11 -Wall -Wextra -Werror -o "$root/hub" "$source/apps/hub/hub.c" $static \
		$(pkg-config --cflags --libs librvs librvif) -Wl,-Bdynamic
	[ "$(LD_LIBRARY_PATH="$libraries" "$root/hub")" = "1 taken, 1 delivered
20 bytes: hello" ] || fail "hub does not forward"
	ldd "$root/hub" | grep -q librvs.so.1 || [ "$static" ] || fail "hub does not use librvs.so.1"
done

# the code of an export, its manager and its test, from what is installed alone
cat >"$root/function.c" <<'END'
#include <elisa/sub.h>

struct record {
	char text[200];
};
static struct {
	struct elisa_callers callers;
	struct elisa_caller_record record[ELISA_CALLER_RECORDS(2, 2)];
	struct elisa_change change;
	struct record table[16];
} object;

long entry_function(long key, long offset, long a2, long a3, long a4, long a5);
long entry_function(long key, long offset, long a2, long a3, long a4, long a5)
{
	const struct record *theirs = elisa_exchange((uint64_t)offset, sizeof(*theirs));
	struct elisa_caller me;

	(void)a2, (void)a3, (void)a4, (void)a5;
	if (!theirs || key < 0 || key >= 16)
		return -1;
	if (elisa_enter(&object.callers, &me) || elisa_change_begin(&object.change, &me))
		return -2;
	object.table[key] = *theirs;
	return elisa_change_commit(&object.change);
}
END
cat >"$root/test.c" <<'END'
#include <elisa/sub.h>
#include <elisa/sub_test.h>

static struct elisa_callers callers;
static struct elisa_caller_record record[ELISA_CALLER_RECORDS(2, 2)];
elisa_test_function entry_function;

int main(void)
{
	struct elisa_test_attachment *guest;
	struct elisa_test *test;
	struct elisa_result result;

	if (elisa_callers_init(&callers, record, 2, 2) || elisa_test_new(entry_function, &test) ||
	    elisa_test_attach(test, 1, 4096, &guest))
		return 1;
	result = elisa_test_call(guest, 0, 16, 0, 0, 0, 0, 0);
	elisa_test_free(test);
	return result.error || result.value != -1;
}
END
for mode in sub sub-sse; do
	# shellcheck disable=SC2046 # options, to be split
	cc -O0 -Wall -Wextra -Werror -o "$root/function.so" "$root/function.c" \
		$(pkg-config --cflags --libs libelisa-$mode)
	nm -D --undefined-only "$root/function.so" | grep . && fail "a function's object needs others"
	[ $mode = sub-sse ] || readelf -n "$root/function.so" | grep -q 'x86 feature used: x86$' ||
		fail "a function's object does not say that it uses general registers only"
done
# shellcheck disable=SC2046 # options, to be split
cc -Wall -Wextra -Werror -o "$root/test" "$root/test.c" "$root/function.c" \
	$(pkg-config --cflags --libs libelisa-sub-test libelisa-sub-manager)
"$root/test" || fail "the harness does not call a function"

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
