# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# workload.sh: run a user's own program on the isolated disk, once per mode, and tabulate what it cost.

WORKLOAD_MODES='stock event event/spin spin/event spin hybrid adaptive'

# workload_usage WHAT: leave with the usage of the verb.
workload_usage() {
	usage_error "run-workload: $1; usage: run-workload SCRIPT [--reps N] [--modes 'event/event stock'] [--limit SECONDS]"
}

# workload_table DIR...: print the table of these cells.
workload_table() {
	local tmp d f texts=() metas=()
	tmp=$(mktemp -d)
	for d in "$@"; do
		metas+=("$d/cell.json")
		for f in run storage cpu; do
			[[ ! -s $d/$f.txt ]] || texts+=("$d/$f.txt")
		done
	done
	jq -r -f "$JQ/cell.jq" -- "${metas[@]}" >"$tmp/meta.tsv"
	awk -f "$AWK/stats.awk" -f "$AWK/table.awk" -f "$AWK/raw.awk" -f "$AWK/workload.awk" "$tmp/meta.tsv" "${texts[@]}"
	rm -rf -- "$tmp"
}

# help: run-workload SCRIPT [--reps N] [--modes LIST] [--limit SECONDS] -- run SCRIPT in the application domain once per mode (its disk is $IDDR_DISK; BACKING=nvme: on NVMe) and tabulate time and counters
cmd_run_workload() {
	local stamp script='' reps=1 limit=600 modes=$WORKLOAD_MODES work dir data queues backing front back order rep cell disk status failures=0 dirs=()
	while (($#)); do
		case $1 in
		--reps | --modes | --limit)
			(($# > 1)) || workload_usage "$1 wants a value"
			case $1 in
			--reps) reps=$2 ;;
			--modes) modes=$2 ;;
			--limit) limit=$2 ;;
			esac
			shift 2
			;;
		-*) workload_usage "unknown option '$1'" ;;
		*)
			[[ -z $script ]] || workload_usage "one script at a time"
			script=$1
			shift
			;;
		esac
	done
	[[ -n $script ]] || workload_usage "which script?"
	[[ -f $script && -r $script ]] || workload_usage "cannot read '$script'"
	[[ $reps =~ ^[1-9][0-9]{0,2}$ ]] || workload_usage "--reps '$reps' is not a number from 1 to 999"
	[[ $limit =~ ^[1-9][0-9]{0,4}$ ]] || workload_usage "--limit '$limit' is not a number of seconds"
	# The script is in the application domain.
	[[ " $modes " != *" native "* ]] || workload_usage "mode native has no isolated disk"
	work=$(mktemp -d)
	# shellcheck disable=SC2064 # the directory of now
	defer "rm -rf -- '$work'"
	printf 'modes = %s\nbacking = %s\npoint = read 4k 1\nreps = %s\n' "$modes" "${BACKING:-ram}" "$reps" >"$work/experiment"
	experiment_normal "$work/experiment" quick >"$work/normal"
	experiment_plan <"$work/normal" >"$work/plan"
	script=$(cd -- "$(dirname -- "$script")" && pwd -P)/$(basename -- "$script")
	stamp=$RESULTS/workload/$(basename -- "$script")-$(date -u +%Y%m%dT%H%M%SZ)
	dir=$stamp
	# Two runs may begin in the same second.
	for ((order = 2;; order++)); do
		[[ -e $dir ]] || break
		dir=$stamp-$order
	done
	results_writable "$dir"

	measure_lock
	measure_up
	measure_prepare "$work" "$work/plan"
	testbed_put "$script" app:/run/iddr/workload 8>&- || testbed_lost "while the script was copied to the application domain"
	in_dom app chmod 755 /run/iddr/workload || testbed_lost "while the script was copied to the application domain"
	cp -- "$script" "$dir/script"
	while IFS=$'\t' read -r order rep _ data queues backing _ _ _ _ front back _ <&7; do
		cell=$dir/$front-$back
		[[ $data != map && $data != copy ]] || cell+=-$data
		cell+=-$rep
		mkdir -p -- "$work/cell"
		rm -f -- "$work"/cell/*
		cd -- "$work/cell" || die "cannot enter $work/cell"
		disk=$(cell_disk "$front" "$data" "$queues" "$backing")
		cell_json "" r"$rep" "$rep" "$order" "$front" "$back" "$data" "$queues" "$backing" - - 1 1 "$limit" 0 - 1 >cell.json
		note "run $order of $(wc -l <"$work/plan"): $front/$back"
		cell_measure "$(text_key <<<"$cell")" "$front" "$back" "$disk" "$limit" \
			cell-workload "$disk" /run/iddr/workload </dev/null || {
			[[ ! -s raw.err ]] || tail -n 5 raw.err >&2
			testbed_lost "while $script ran with $front/$back"
		}
		{ mkdir -- "$cell" && cp -- ./* "$cell/"; } || {
			results_writable "$dir"
			die "cannot keep the raw data in $cell"
		}
		dirs+=("$cell")
		status=$(awk '$1 == "@" && $2 == "exit" { print $3 }' run.txt)
		if [[ $status != 0 ]]; then
			failures=$((failures + 1))
			warn "the script failed with status $status with $front/$back; its output:"
			cat -- out.txt >&2 2>/dev/null || true
		fi
	done 7<"$work/plan"
	cd -- "$IDDR_TOP" || die "cannot enter $IDDR_TOP"
	printf '%s, testbed %s; medians; CPU in seconds\n\n' "$(basename -- "$script")" "$(testbed_label)"
	workload_table "${dirs[@]}"
	note "output and raw data of each run: $dir"
	((failures == 0)) || die "the script failed in $failures of $(wc -l <"$work/plan") runs"
}
