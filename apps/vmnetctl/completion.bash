# SPDX-License-Identifier: Apache-2.0
# bash's completion of elisa-vmnetctl. Commands and options are those that its --help lists; ports are those that the
# daemon has.
_elisa_vmnetctl()
{
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} socket=() words i
	for ((i = 1; i + 1 < ${#COMP_WORDS[@]}; i++)); do
		[ "${COMP_WORDS[i]}" != --socket ] || socket=(--socket "${COMP_WORDS[i + 1]}")
	done
	case $before in
	--socket | add) mapfile -t COMPREPLY < <(compgen -f -- "$word") && return ;;
	capture | counters | up | down | kick | remove)
		words=$(elisa-vmnetctl "${socket[@]}" ports 2>/dev/null | sed 1d | cut -d ' ' -f 1)
		;;
	*) words=$(elisa-vmnetctl --help | sed -n 's/^ \{2,\}\(--[a-z-]\+\|[a-z]\+\) .*/\1/p') ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _elisa_vmnetctl elisa-vmnetctl
