# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # the test sets $daemon
# For tests of a daemon's configuration: what $daemon takes, and what it says of mistakes.
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failures=0

fail()
{
	echo "FAILED: $*"
	failures=$((failures + 1))
}

good()
{
	printf '%s\n' "$1" >"$folder/config"
	"$daemon" --config "$folder/config" --check || fail "refused: $1"
}

# bad TEXT-OF-THE-MESSAGE CONFIGURATION
bad()
{
	printf '%s\n' "$2" >"$folder/config"
	"$daemon" --config "$folder/config" --check 2>"$folder/error" && fail "accepted: $2"
	grep -qF -- "$1" "$folder/error" || fail "$2: no '$1' in: $(cat "$folder/error")"
}
