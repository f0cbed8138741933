#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# bash's completion of elisactl offers what --help lists, and nothing else.
#
#   test_completion.sh ELISACTL COMPLETION
set -eu
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
ln -s "$(realpath "$1")" "$folder/elisactl"
PATH=$folder:$PATH
# shellcheck disable=SC1090 # an argument
. "$2"

# offers WORDS COMPLETIONS: the last word is being typed
offers()
{
	read -ra COMP_WORDS <<<"$1"
	case $1 in *' ') COMP_WORDS+=("") ;; esac
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	COMPREPLY=()
	_elisactl
	[ "${COMPREPLY[*]}" = "$2" ] || {
		echo "'$1' offers '${COMPREPLY[*]}', not '$2'"
		exit 1
	}
}

offers "elisactl re" "revoke"
offers "elisactl gr" "grants grant"
offers "elisactl --j" "--json"
offers "elisactl grant --pid" "--pid --pidfile"
offers "elisactl grant --pid 1 exp" "exports export"
offers "elisactl grant --pid 1 export x --tr" "--trusted-manager"
offers "elisactl --device $folder/eli" "$folder/elisactl"
offers "elisactl nothing" ""
