# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# cell-lib.sh: what the cell scripts share in the domains. A fork costs tens of
# milliseconds under emulation, so snapshots are bash and nothing else.

export CELL_DIR=/run/iddr/cell
CELL_KMSG=/run/iddr/kmsg

# cell_fail MSG: report and leave.
cell_fail() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# snap_counters PREFIX DIR: print every counter of a disk's iddr directory.
snap_counters() {
	local f v
	for f in "$2"/queue*/*; do
		[[ -f $f ]] || continue
		read -r v 2>/dev/null <"$f" || continue
		printf '%s/%s\t%s\n' "$1" "${f#"$2"/}" "$v"
	done
}

# snapshot: print this domain's context switches, interrupts and the counters of
# every disk it is an end of, as lines of NAME<TAB>VALUE.
snapshot() {
	local l v n d f irq
	printf 'time\t%s\n' "$EPOCHREALTIME"
	mapfile -t irq </proc/stat
	for l in "${irq[@]}"; do
		[[ $l != ctxt* ]] || printf 'ctxt\t%s\n' "${l#ctxt }"
	done
	# Event channel lines read: "  42:   1234   xen-dyn    -event   vbd-51712", a number a vCPU.
	mapfile -t irq </proc/interrupts
	for l in "${irq[@]}"; do
		[[ $l == *xen-* && $l != *timer* ]] || continue
		read -ra f <<<"$l"
		v=0
		for ((n = 1; n < ${#f[@]}; n++)); do
			[[ ${f[n]} != *[!0-9]* ]] || break
			v=$((v + f[n]))
		done
		printf 'irq/%s/%s\t%s\n' "${f[0]%:}" "${f[-1]}" "$v"
	done
	for d in /sys/block/xvd*; do
		[[ -d $d ]] || continue
		read -r l <"$d/stat"
		printf 'disk/%s/stat\t%s\n' "${d##*/}" "$l"
		snap_counters "front/${d##*/}" "$d/iddr"
	done
	for d in /sys/bus/xen-backend/devices/vbd-*; do
		[[ -d $d ]] || continue
		for l in "$d"/statistics/*_req; do
			[[ -f $l ]] || continue
			read -r v <"$l"
			printf 'back/%s/%s\t%s\n' "${d##*-}" "${l##*/}" "$v"
		done
		snap_counters "back/${d##*-}" "$d/iddr"
	done
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
		cat "$CELL_KMSG"
		: >"$CELL_KMSG"
	fi
}

# phase WHAT ID: tell dom0 and the storage domain where this cell is. They take
# their own snapshots when it changes.
phase() {
	xenstore-write data/iddr/phase "$1.$2" || cell_fail "cannot write data/iddr/phase to xenstore"
}
