#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The lines of docs/rvif-tap.md that need no VM, as they are there. Needs root; the namespaces' names are this mount
# namespace's own.   test_recipe.sh SOURCE-ROOT RVIF_TAP RVS_FWD
if [ -z "$RECIPE_INSIDE" ]; then
	RECIPE_INSIDE=1 exec unshare --mount --net "$0" "$@"
fi
root=$(realpath "$1") directory=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$directory"' EXIT
mkdir "$directory/bin" && ln -s "$(realpath "$2")" "$(realpath "$3")" "$directory/bin" || exit 1
export PATH=$directory/bin:$PATH
mount -t tmpfs none /run || exit 1
sed -n '/^    rvs-fwd --quiet a.vnic/,/^    ip netns delete b/s/^    //p' "$root/docs/rvif-tap.md" >"$directory/recipe"
if ! command -v ping >/dev/null; then
	# the same question: does an echo come back
	sed -i "s|ping -c 3 10.9.0.2|python3 '$root/tests/tap/echo.py' 10.9.0.2|" "$directory/recipe"
fi
[ "$(wc -l <"$directory/recipe")" -gt 10 ] || { echo "FAILED: no recipe in docs/rvif-tap.md"; exit 1; }
cd "$directory" || exit 1
timeout 30 bash -e recipe 2>&1 || { echo "FAILED"; exit 1; }
sleep 0.3
[ -z "$(find . -name '*.vnic')" ] || { echo "FAILED: vNICs are left behind"; exit 1; }
[ -z "$(ip netns list)" ] || { echo "FAILED: namespaces are left behind"; exit 1; }
echo "ok: the recipe"
