# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# cell-lib.sh: what the cell scripts share in the domains. A fork costs tens of milliseconds under
# emulation, so they use few; snapshots are taken by iddr-snap.

export CELL_DIR=/run/iddr/cell
CELL_KMSG=/run/iddr/kmsg
# The budget of a plain "hybrid": the modules' default.
HYBRID_BUDGET_US=200

# cell_fail MSG: report and leave.
cell_fail() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# set_value FILE VALUE: write a value unless it is there already.
set_value() {
	local now=
	read -r now <"$1" || cell_fail "cannot read $1"
	[[ $now == "$2" ]] || printf '%s\n' "$2" >"$1" || cell_fail "$1 refuses '$2'"
}

# set_mode DIR FILE MODE: set the mode in FILE below DIR, the disk's directory of ours. hybrid:US comes
# with its budget, which is the whole disk's.
set_mode() {
	case $3 in
	hybrid) set_value "$1/budget_us" "$HYBRID_BUDGET_US" ;;
	hybrid:*) set_value "$1/budget_us" "${3#*:}" ;;
	esac
	set_value "$1/$2" "${3%%:*}"
}

# set_modes front|back WORD...: set how sides of our disks wait. A WORD is DISK=MODE for front ends. For
# back ends, which do not know which of their queues the front end polls, it is DEVID=N/MODE/POLLMODE:
# the first N queues get MODE, the others POLLMODE.
set_modes() {
	local side=$1 word name modes dir n i
	shift
	for word in "$@"; do
		name=${word%%=*} modes=${word#*=}
		if [[ $side == front ]]; then
			dir=/sys/block/$name/iddr
			[[ -d $dir ]] || cell_fail "$name is no disk of our front end"
			set_mode "$dir" mode "$modes"
			continue
		fi
		for dir in /sys/bus/xen-backend/devices/vbd-*-"$name"/iddr; do
			[[ -d $dir ]] || cell_fail "$name is no disk of our back end"
			n=${modes%%/*} modes=${modes#*/}
			for ((i = 0;; i++)); do
				[[ -d $dir/queue$i ]] || break
				if ((i < n)); then
					set_mode "$dir" "queue$i/mode" "${modes%/*}"
				else
					set_mode "$dir" "queue$i/mode" "${modes#*/}"
				fi
			done
		done
	done
}

# kernel_news: print and forget what the kernel has logged since the last call.
kernel_news() {
	if [[ -s $CELL_KMSG ]]; then
		printf '%s\n' "$(<"$CELL_KMSG")"
		: >"$CELL_KMSG"
	fi
}
