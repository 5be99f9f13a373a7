# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# xenstore.sh: xenstore for a bash script, through a process that is there already: to start one at each look takes
# longer than the look, under emulation by far. To be sourced.

# shellcheck disable=SC2034 # others read what is set here

# What the last command answered, the reason if it could not be done, and the changes that have come, of which some have been asked for.
xs_values=() xs_reason='' xs_changes=() xs_next=0

# The reason if the process that was asked has ended, of a command that must not be repeated without a look.
XS_ENDED='the process that talks to xenstore has ended'

# xs_open PROGRAM: start iddr-xenstore, or iddr-xl.
xs_open() {
	# It ends when it is no more needed, and not in the midst of something.
	coproc XS {
		trap '' TERM INT HUP
		exec "$1"
	}
	# Bash's own variables go with the process.
	# shellcheck disable=SC2153 # this is bash's, too
	xs_out=${XS[0]} xs_in=${XS[1]} xs_pid=$XS_PID
	# Said by xs_ended instead.
	trap '' PIPE
}

# xs_close: end it, when it has done what it is doing.
xs_close() {
	[[ -z ${xs_in:-} ]] || exec {xs_in}>&-
	xs_in=
}

# xs_ended: it should not have. Who goes on with another one, which watches nothing yet, has a function of this name: what was asked of the one
# before is asked again, or has failed then.
xs_ended() {
	printf '%s: error: %s\n' "${0##*/}" "$XS_ENDED" >&2
	exit 1
}

# xs_frame [SECONDS]: read a frame: set xs_kind and xs_fields, or return 1 when the time is over, 2 when nothing more will come.
xs_frame() {
	local - kind length body='' rc=0
	# The numbers are of bytes.
	local IFS=$'\x1f' LC_ALL=C
	set -f
	# One byte, as long as there is a limit: when the time is over in the midst of more, be it that the clock is set, bash gives what it
	# has read already to the next read, whatever that is of. That byte is there all the same.
	if (($#)); then
		read -r -N 1 -u "$xs_out" -t "$1" kind || rc=$?
	else
		read -r -N 1 -u "$xs_out" kind || rc=$?
	fi
	if [[ -z $kind ]]; then
		((rc > 128)) && return 1
		return 2
	fi
	read -r -N 7 -u "$xs_out" length || return 2
	if ((10#$length)); then
		read -r -N "$((10#$length))" -u "$xs_out" body || return 2
	fi
	xs_kind=$kind
	# shellcheck disable=SC2206 # it is to be split
	xs_fields=($body)
}

# xs COMMAND ARGUMENT...: a command of iddr-xenstore's; set xs_values, or return false and set xs_reason.
xs() {
	local IFS=$'\t' line tabs
	line=$*
	tabs=${line//[!$'\t']/}
	xs_values=() xs_reason=
	if [[ $line == *$'\n'* ]] || ((${#tabs} != $# - 1)); then
		xs_reason="an argument has a tab or a line's end in it"
		return 1
	fi
	if printf '%s\n' "$line" >&"$xs_in"; then
		while xs_frame; do
			case $xs_kind in
			w) xs_changes+=("${xs_fields[@]}") ;;
			=)
				xs_values=("${xs_fields[@]}")
				return 0
				;;
			*)
				xs_reason=${xs_fields[0]}
				return 1
				;;
			esac
		done
	fi
	IFS=$' \t\n'
	xs_ended
	# shellcheck disable=SC2317 # who has another xs_ended goes on
	case $1 in
	read | list | tree | write | rm | domid | state | fenced | unfence) xs "$@" ;;
	*)
		xs_values=() xs_reason=$XS_ENDED
		return 1
		;;
	esac
}

# xs_forget: what has come and was not asked for is of no interest any more.
xs_forget() {
	xs_changes=() xs_next=0
}

# xs_change [SECONDS]: wait for a change of what is watched; set xs_path, to nothing if there is another process now, or return false when the time is over.
xs_change() {
	if ((xs_next == ${#xs_changes[@]})); then
		# shellcheck disable=SC2119,SC2317 # its own arguments; who has another xs_ended goes on
		xs_frame "$@" || {
			(($? == 2)) || return 1
			xs_ended
			xs_path=
			return
		}
		xs_changes=("${xs_fields[@]}") xs_next=0
	fi
	xs_path=${xs_changes[xs_next++]}
}
