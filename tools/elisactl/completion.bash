# SPDX-License-Identifier: Apache-2.0
# bash's completion of elisactl. Commands and options are those that its --help lists.
_elisactl()
{
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words
	case $before in
	--pidfile | --device) mapfile -t COMPREPLY < <(compgen -f -- "$word") && return ;;
	--root | --run | --programs) mapfile -t COMPREPLY < <(compgen -d -- "$word") && return ;;
	--pid) words=$(pgrep -f '^[^ ]*qemu-system') ;;
	revoke) words=$(elisactl grants 2>/dev/null | sed -n 's/^ *\([0-9]\+\) .*/\1/p') ;;
	*)
		words=$(elisactl --help | sed -n 's/^ \{2,\}\(--[a-z-]\+\|[a-z]\+\) .*/\1/p')
		case " ${COMP_WORDS[*]} " in *" grant "*) words="$words export attach" ;; *" policy "*) words="$words check show apply" ;; *" selftest "*) words="$words machine attack hardware bench" ;; esac
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _elisactl elisactl
