# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# selsock-generate: its options, a directory for --output, a file for --import, one configuration.  bash-completion loads this file on
# demand; nothing of its library is used.

_selsock_generate() {
	local current=${COMP_WORDS[COMP_CWORD]} before="" word file=yes index
	for ((index = 1; index < COMP_CWORD; index++)); do
		word=${COMP_WORDS[index]}
		case $before:$word in
		--output:= | --import:=) continue ;; # bash splits --output=DIR into three words
		--output:*) word="" ;;
		--import:*) word="" file="" ;;
		*:--renew | *:--remove) file="" ;;
		*:-*) ;;
		*) file="" ;;
		esac
		before=$word
	done
	COMPREPLY=()
	case $before:$current in
	--output:=) mapfile -t COMPREPLY < <(compgen -d) ;;
	--output:*) mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
	--import:=) mapfile -t COMPREPLY < <(compgen -f) ;;
	--import:*) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
	*:-*) mapfile -t COMPREPLY < <(compgen -W "--output --check --diff --import --relabel --renew --remove --version --help" -- "$current") ;;
	*) [ -z "$file" ] || mapfile -t COMPREPLY < <(compgen -f -X "!*.yaml" -o plusdirs -- "$current") ;;
	esac
}
complete -o filenames -F _selsock_generate selsock-generate
