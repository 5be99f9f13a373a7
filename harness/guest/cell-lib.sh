# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# cell-lib.sh: what the cell scripts share in the domains. A fork costs tens of milliseconds under
# emulation, so they use few; snapshots are taken by iddr-snap.

export CELL_DIR=/run/iddr/cell
CELL_KMSG=/run/iddr/kmsg

# cell_fail MSG: report and leave.
cell_fail() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# set_mode FILE MODE: write a side's mode unless it has it already.
set_mode() {
	local now=
	read -r now <"$1" || cell_fail "cannot read $1"
	[[ $now == "$2" ]] || printf '%s\n' "$2" >"$1" || cell_fail "$1 refuses mode '$2'"
}

# kernel_news: print and forget what the kernel has logged since the last call.
kernel_news() {
	if [[ -s $CELL_KMSG ]]; then
		printf '%s\n' "$(<"$CELL_KMSG")"
		: >"$CELL_KMSG"
	fi
}
