# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# selsockctl: its commands, their options, and a configuration to explain or verify.

_selsockctl() {
	local current=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} before=${COMP_WORDS[COMP_CWORD - 1]}
	COMPREPLY=()
	if [ "$COMP_CWORD" = 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W "doctor explain list verify --version --help" -- "$current")
		return
	fi
	case $command:$before:$current in
	explain:--method:*) mapfile -t COMPREPLY < <(compgen -W "GET HEAD POST PUT DELETE OPTIONS PATCH" -- "$current") ;;
	explain:--host:* | explain:--user:* | explain:--group:* | explain:--address:*) ;;
	explain:--path:* | explain:--assigned:* | explain:--clearance:*) ;;
	explain:*:-*) mapfile -t COMPREPLY < <(compgen -W "--host --user --group --address --path --method --assigned --clearance --json --help" -- "$current") ;;
	explain:*) mapfile -t COMPREPLY < <(compgen -f -X "!*.yaml" -o plusdirs -- "$current") ;;
	doctor:*) mapfile -t COMPREPLY < <(compgen -W "--json --verbose --help" -- "$current") ;;
	verify:--html:* | verify:--policy:*) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
	verify:*:-*) mapfile -t COMPREPLY < <(compgen -W "--policy --no-probe --html --json --help" -- "$current") ;;
	verify:*) mapfile -t COMPREPLY < <(compgen -f -X "!*.yaml" -o plusdirs -- "$current") ;;
	list:*) mapfile -t COMPREPLY < <(compgen -W "--json --help" -- "$current") ;;
	esac
}
complete -o filenames -F _selsockctl selsockctl
