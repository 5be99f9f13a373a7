# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# common.sh: what every other library stands on: strict mode, paths, messages,
# the trap stack, locks, waits with a limit and content keys.

set -euo pipefail
shopt -s inherit_errexit

IDDR_TOP=${IDDR_TOP:-$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)}
IDDR_CACHE=${IDDR_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/iddr}
IDDR_BUILD=${IDDR_BUILD:-$IDDR_TOP/build}
IDDR_RUN=${IDDR_RUN:-$IDDR_BUILD/run}
IDDR_CONFIGS=${IDDR_CONFIGS:-$IDDR_TOP/configs}
export IDDR_TOP IDDR_CACHE IDDR_BUILD IDDR_RUN IDDR_CONFIGS

# An outer locale must not change how numbers, sorting or messages look.
export LC_ALL=C

# note MSG: one line of progress on stderr; IDDR_QUIET=1 silences it.
note() {
	[[ -n ${IDDR_QUIET:-} ]] || printf 'iddr: %s\n' "$*" >&2
}

# warn MSG: a line on stderr that does not stop the work.
warn() {
	printf 'iddr: warning: %s\n' "$*" >&2
}

# die MSG: print the error and leave with status 1.
die() {
	printf 'iddr: error: %s\n' "$*" >&2
	exit 1
}

# usage_error MSG: the caller's command line is wrong; leave with status 2.
usage_error() {
	printf 'iddr: error: %s\n' "$*" >&2
	exit 2
}

IDDR_DEFERRED=()
IDDR_DEFER_PID=
IDDR_STDERR=

# run_deferred: run what defer() recorded, last in first out, once.
run_deferred() {
	local i
	# A subshell inherits the list but not the right to run it.
	[[ $IDDR_DEFER_PID == "$BASHPID" ]] || return 0
	# A signal may have come where standard error goes elsewhere for a moment.
	exec 2>&"$IDDR_STDERR"
	for ((i = ${#IDDR_DEFERRED[@]} - 1; i >= 0; i--)); do
		eval "${IDDR_DEFERRED[i]}" || true
	done
	IDDR_DEFERRED=()
}

# defer COMMAND: run COMMAND (a string) when this shell ends, however it ends.
defer() {
	if [[ $IDDR_DEFER_PID != "$BASHPID" ]]; then
		IDDR_DEFER_PID=$BASHPID
		exec {IDDR_STDERR}>&2
		IDDR_DEFERRED=()
		trap run_deferred EXIT
		trap 'exit 130' INT
		trap 'exit 143' TERM
		trap 'exit 129' HUP
	fi
	IDDR_DEFERRED+=("$1")
}

# have COMMAND: true if COMMAND can be run.
have() {
	command -v -- "$1" >/dev/null 2>&1
}

# need COMMAND PACKAGE: die with a cure if COMMAND is missing.
need() {
	have "$1" || die "$1 is not installed; run 'harness/iddr setup' as root (it is in the Debian package $2)"
}

# now_ms: milliseconds of wall time, without a fork.
now_ms() {
	local t=$EPOCHREALTIME
	t=${t/[.,]/}
	printf '%s\n' "$((t / 1000))"
}

# wait_for SECONDS WHAT LOG COMMAND...: poll COMMAND until it succeeds; on the
# limit die saying what was waited for and where its log is ('-' for none).
wait_for() {
	local limit=$1 what=$2 log=$3 end
	shift 3
	end=$((SECONDS + limit))
	until "$@"; do
		if ((SECONDS >= end)); then
			[[ $log == - ]] || tail -n 12 -- "$log" >&2 2>/dev/null || true
			die "waited ${limit} s for $what in vain$([[ $log == - ]] || printf '; the log is %s' "$log")"
		fi
		sleep 0.1
	done
}

# content_key FILE...: a short key of the contents of FILES (names do not count).
content_key() {
	cat -- "$@" | sha256sum | cut -c 1-16
}

# text_key: a short key of standard input.
text_key() {
	sha256sum | cut -c 1-16
}

# IDDR_LOCKS: the descriptors of lock files that are open, by file.
declare -gA IDDR_LOCKS=()

# with_lock FILE COMMAND...: run COMMAND holding an exclusive lock on FILE. What is deferred
# may ask for it again when COMMAND dies, or a signal comes at any point of this: it does so
# through the same descriptor, for which a lock that is held is no obstacle.
with_lock() {
	local file=$1 fd=${IDDR_LOCKS[$1]:-} rc
	shift
	if [[ -z $fd ]]; then
		mkdir -p -- "$(dirname -- "$file")"
		exec {fd}>"$file"
		IDDR_LOCKS[$file]=$fd
	fi
	if ! flock -n "$fd"; then
		note "waiting for another run that holds $file"
		flock -w 1800 "$fd" || die "another run has held $file for 30 minutes; end it and try again"
	fi
	# shellcheck disable=SC2034 # what must not inherit the lock (QEMU) closes it
	# Not "$@ ||": that would switch off errexit within.
	"$@"
	rc=$?
	flock -u "$fd"
	IDDR_LOCKS[$file]=
	exec {fd}>&-
	return "$rc"
}

# free_mib DIR: MiB free on the file system that holds DIR or its nearest parent.
free_mib() {
	local d=$1
	while [[ ! -d $d ]]; do
		d=$(dirname -- "$d")
	done
	df -Pm -- "$d" | awk 'NR == 2 { print $4 }'
}

# plain_paths: die if a name has what the kernel's build (blanks) or QEMU's options (commas, colons) take for an end of it.
plain_paths() {
	local path
	for path in "$IDDR_TOP" "$IDDR_BUILD" "$IDDR_CACHE" "$IDDR_RUN"; do
		[[ $path != *[[:space:],:]* ]] ||
			die "'$path' has a blank, a comma or a colon, which neither the kernel's build nor QEMU can do with; move it (set IDDR_BUILD, IDDR_CACHE, IDDR_RUN)"
	done
}

# need_space DIR MIB WHAT: die if DIR's file system has less than MIB free.
need_space() {
	local free
	free=$(free_mib "$1")
	((free >= $2)) ||
		die "$3 needs $2 MiB in $1 but only $free MiB are free; free some space or set IDDR_CACHE to another place"
}
