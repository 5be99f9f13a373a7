# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# experiment.sh: run the experiments in configs/experiments and make tables of them.
#
#	results/EXPERIMENT/RUN/manifest.json    what was measured, with what, where
#	results/EXPERIMENT/RUN/experiment       the experiment file
#	results/EXPERIMENT/RUN/keys             of the cells that its tables are made from
#	results/EXPERIMENT/RUN/cells/HASH/      raw data of a cell, never written to again
#	results/EXPERIMENT/RUN/*.tsv            tables, a pure function of the raw data

RESULTS=${RESULTS:-$IDDR_TOP/results}
AWK=$IDDR_TOP/harness/awk
JQ=$IDDR_TOP/harness/jq

# The run that is being measured, empty when it is whole.
EXPERIMENT_DIR=
# Hosts to share an experiment between, as ssh knows them.
HOSTS=${HOSTS:-}
# Whether its cells are traced (key trace).
EXPERIMENT_TRACE=none

# experiment_file NAME: the path of an experiment's file.
experiment_file() {
	local f=$IDDR_CONFIGS/experiments/$1
	if [[ -f $f ]]; then
		printf '%s\n' "$f"
	elif [[ $1 == */* && -f $1 ]]; then
		printf '%s\n' "$1"
	else
		usage_error "there is no experiment '$1'; there are: $(cd -- "$IDDR_CONFIGS/experiments" && echo *)"
	fi
}

# experiment_normal FILE SIZE [READER]: print one size of an experiment in normal form, as the awk program READER
# (experiment) reads it; status 2 and FILE:LINE messages if there are mistakes in it.
experiment_normal() {
	local rc=0
	awk -v size="$2" -f "$AWK/size.awk" "$1" "$1" | awk -v file="$1" -f "$AWK/${3:-experiment}.awk" || rc=$?
	((rc == 0)) || usage_error "the experiment has mistakes; nothing was started ('harness/iddr experiment --keys' explains the keys)"
}

# experiment_value KEY NORMAL: print the value of a key.
experiment_value() {
	awk -F '\t' -v key="$1" '$1 == key { print $2 }' "$2"
}

# experiment_plan: turn the normal form on standard input into cells, in running order.
experiment_plan() {
	awk -f "$AWK/stats.awk" -f "$AWK/plan.awk"
}

# results_writable DIR: die with a clear message if DIR takes no more data.
results_writable() {
	local probe=$1/.probe
	if ! { mkdir -p -- "$1" && head -c 262144 /dev/zero >"$probe"; } 2>/dev/null; then
		rm -f -- "$probe" 2>/dev/null || true
		die "cannot write to $1 (free: $(free_mib "$1") MiB); make room and run the same command again, finished cells are kept"
	fi
	rm -f -- "$probe"
}

# plan_keys ENVKEY OTHER: put the key of each cell of the plan on standard input in front of it.
# The key stands for all that determines the cell, save the boot; OTHER is what all cells have in common.
plan_keys() {
	local tmp template
	template=$(text_key <"$IDDR_CONFIGS/fio/cell.fio")
	tmp=$(mktemp -d)
	cat >"$tmp/plan"
	mkdir -- "$tmp/cell"
	awk -v rest="$2 $template $1" -v dir="$tmp/cell" -f "$AWK/cellkeys.awk" "$tmp/plan"
	find "$tmp/cell" -type f | sort | xargs -r sha256sum -- | cut -c 1-16 | paste - "$tmp/plan"
	rm -rf -- "$tmp"
}

# cells_finished DIR: print KEY<TAB>BOOT of each finished cell of a run.
cells_finished() {
	local list=()
	mapfile -t list < <(find "$1/cells" -mindepth 2 -maxdepth 2 -name cell.json 2>/dev/null | grep -Ev '\.(partial|failed-[0-9]+)/' | sort)
	((${#list[@]})) || return 0
	jq -r '[.key, .boot] | @tsv' -- "${list[@]}"
}

# cell_rows DIR...: print the rows of cells.tsv for cell directories, with the header.
cell_rows() {
	local tmp d texts=() metas=() fios=()
	tmp=$(mktemp -d)
	for d in "$@"; do
		metas+=("$d/cell.json")
		[[ ! -s $d/fio.json ]] || fios+=("$d/fio.json")
		for f in run storage cpu rival2 rival3 rival4; do
			[[ ! -s $d/$f.txt ]] || texts+=("$d/$f.txt")
		done
	done
	jq -r -f "$JQ/cell.jq" -- "${metas[@]}" >"$tmp/meta.tsv"
	: >"$tmp/fio.tsv"
	((${#fios[@]} == 0)) || jq -r -f "$JQ/fio.jq" -- "${fios[@]}" >"$tmp/fio.tsv"
	awk -f "$AWK/raw.awk" -f "$AWK/cells.awk" "$tmp/meta.tsv" "$tmp/fio.tsv" ${texts[@]+"${texts[@]}"}
	rm -rf -- "$tmp"
}

# derive_run DIR: make the tables of a run from its raw data.
derive_run() {
	local dir=$1 list=() stages traces n tab=$'\t'
	mapfile -t list < <(find "$dir/cells" -mindepth 1 -maxdepth 1 -type d ! -name '*.partial' 2>/dev/null | sort)
	((${#list[@]})) || die "there are no cells in $dir; run the experiment first"
	# Those of another environment, which a named run may have, do not mix with these.
	if [[ -s $dir/keys ]]; then
		mapfile -t list < <(jq -r '[.key, (input_filename | rtrimstr("/cell.json"))] | @tsv' -- "${list[@]/%//cell.json}" |
			awk -F '\t' 'NR == FNR { wanted[$1]; next } $1 in wanted { print $2 }' "$dir/keys" - | sort)
		n=$(($(find "$dir/cells" -mindepth 1 -maxdepth 1 -type d ! -name '*.partial' | wc -l) - ${#list[@]}))
		((n == 0)) || note "$n cells of $dir were measured in another environment, or by another plan, and are not used"
		((${#list[@]})) || die "no cell of $dir belongs to its present plan; run the experiment again"
	fi
	cell_rows "${list[@]}" >"$dir/cells.tsv.tmp"
	{
		sed -n 1p "$dir/cells.tsv.tmp"
		sed 1d "$dir/cells.tsv.tmp" | sort -t "$tab" -k 4,4n -k 16,16
	} >"$dir/cells.tsv.sorted"
	awk -f "$AWK/table.awk" -f "$AWK/blocks.awk" "$dir/cells.tsv.sorted" "$dir/cells.tsv.sorted" >"$dir/cells.tsv.tmp"
	rm -f -- "$dir/cells.tsv.sorted"
	mv -- "$dir/cells.tsv.tmp" "$dir/cells.tsv"
	awk -f "$AWK/stats.awk" -f "$AWK/table.awk" -f "$AWK/summary.awk" "$dir/cells.tsv" >"$dir/summary.tsv.tmp"
	mv -- "$dir/summary.tsv.tmp" "$dir/summary.tsv"
	awk -f "$AWK/stats.awk" -f "$AWK/table.awk" -f "$AWK/ratios.awk" "$dir/cells.tsv" >"$dir/ratios.tsv.tmp"
	mv -- "$dir/ratios.tsv.tmp" "$dir/ratios.tsv"
	stages=() traces=()
	for n in "${list[@]}"; do
		[[ $n == *.failed-* || ! -s $n/stages.tsv ]] || stages+=("$n/stages.tsv")
		[[ $n == *.failed-* || ! -s $n/xen.tsv ]] || traces+=("$n/xen.tsv")
	done
	if ((${#stages[@]})); then
		awk -f "$AWK/stats.awk" -f "$AWK/breakdown.awk" "${stages[@]}" >"$dir/stages.tsv.tmp"
		mv -- "$dir/stages.tsv.tmp" "$dir/stages.tsv"
	fi
	if ((${#traces[@]})); then
		awk -f "$AWK/stats.awk" -f "$AWK/table.awk" -f "$AWK/hypercalls.awk" "$dir/cells.tsv" "${traces[@]}" >"$dir/hypercalls.tsv.tmp"
		mv -- "$dir/hypercalls.tsv.tmp" "$dir/hypercalls.tsv"
	fi
}

# newest_run EXPERIMENT: the run directory whose tables are newest, else the committed reference.
newest_run() {
	local f best=
	for f in "$RESULTS/$1"/*/cells.tsv; do
		[[ -s $f ]] || continue
		[[ -n $best && ! $f -nt $best ]] || best=$f
	done
	[[ -n $best || ! -s $RESULTS/reference/$1/cells.tsv ]] || best=$RESULTS/reference/$1/cells.tsv
	[[ -n $best ]] || die "there is no result of '$1' yet; run 'make experiment EXP=$1'"
	dirname -- "$best"
}

# run_dir EXPERIMENT RUN: the directory of a run: RUN is its name or path, or empty for the newest.
run_dir() {
	if [[ -z $2 ]]; then
		newest_run "$1"
	elif [[ -d $RESULTS/$1/$2 ]]; then
		printf '%s\n' "$RESULTS/$1/$2"
	elif [[ -d $2 ]]; then
		[[ -s $2/summary.tsv || -s $2/ratios.tsv || -d $2/cells ]] || usage_error "the directory $2 is no run: it has neither tables nor cells"
		(cd -- "$2" && pwd -P)
	else
		usage_error "there is no run '$2' of '$1' in $RESULTS/$1"
	fi
}

# help: derive [--exp NAME] [RUN] -- make the tables of a run anew from its raw data
cmd_derive() {
	local exp=${EXP:-quick} run=${RUN:-} given='' dir
	while (($#)); do
		case $1 in
		--exp)
			(($# > 1)) || usage_error "derive: --exp wants a name"
			exp=$2
			shift 2
			;;
		-*) usage_error "derive: unknown option '$1'; usage: derive [--exp NAME] [RUN]" ;;
		*)
			[[ -z $given ]] || usage_error "derive: one run at a time, not '$given' and '$1'"
			run=$1 given=$1
			shift
			;;
		esac
	done
	dir=$(run_dir "$exp" "$run")
	[[ -d $dir/cells ]] || die "$dir has no raw data (the reference keeps only tables)"
	if native_run "$dir"; then native_derive "$dir"; else derive_run "$dir"; fi
	note "the tables are in $dir"
}

# environment_key FACTS: a key of that part of the testbed's facts which determines what is measured,
# and of the scripts that measure.
environment_key() {
	{
		jq -S -f "$JQ/determinants.jq" "$1"
		cat -- "$IDDR_TOP"/harness/guest/{cell-*,rc,rc.app,rc.storage} "$IDDR_TOP"/harness/tools/iddr-{snap,cputime}.c
	} | text_key
}

# write_manifest DIR FILE SIZE NORMAL FACTS SCRIPTS: record what a run is, and each time it was gone on with; SCRIPTS is a key of
# what measures.
write_manifest() {
	local dir=$1 file=$2 size=$3 normal=$4 facts=$5 old=null
	[[ ! -s $dir/manifest.json ]] || old=$(<"$dir/manifest.json")
	jq -n --argjson old "$old" --slurpfile facts "$facts" --rawfile text "$file" --rawfile normal "$normal" \
		--rawfile app "$MEASURE_WORK/app.facts" --rawfile storage "$MEASURE_WORK/storage.facts" \
		--rawfile job "$IDDR_CONFIGS/fio/cell.fio" \
		--arg experiment "$(basename -- "$file")" --arg size "$size" --arg run "$(basename -- "$dir")" \
		--arg kind "$(testbed_label)" --arg scripts "$6" --arg boot "$MEASURE_BOOT" --arg now "$(date -u +%FT%TZ)" \
		-f "$JQ/manifest.jq" >"$dir/manifest.json.tmp" || return
	mv -- "$dir/manifest.json.tmp" "$dir/manifest.json"
}

# cell_keep DIR ID: file the raw data in the present directory as cell ID of a run; say in KEPT_STATUS
# KEPT_REASON and KEPT_IOPS what came of it.
cell_keep() {
	local dir=$1 id=$2 n=1 target row
	row=$(cell_rows "$PWD") || return
	IFS=$'\t' read -ra row <<<"${row#*$'\n'}"
	[[ -n ${row[19]:-} ]] || return
	KEPT_STATUS=${row[13]} KEPT_REASON=${row[14]} KEPT_IOPS=${row[19]}
	target=$dir/cells/$id
	if [[ $KEPT_STATUS != ok ]]; then
		while [[ -e $target.failed-$n ]]; do
			((n++))
		done
		target=$target.failed-$n
	fi
	rm -rf -- "$dir/cells/$id.partial"
	mkdir -p -- "$dir/cells/$id.partial" && cp -- ./* "$dir/cells/$id.partial/" &&
		mv -T -- "$dir/cells/$id.partial" "$target"
}

# trace_clock: print the clock for traces: microseconds do where time is emulated.
trace_clock() {
	if [[ $MEASURE_LABEL == tcg ]]; then printf 'local\n'; else printf 'x86-tsc\n'; fi
}

# trace_start FRONT ID: if the experiment traces, begin with it: in both domains, or in the hypervisor when the load has begun.
trace_start() {
	local dom=app
	if [[ $EXPERIMENT_TRACE == xen ]]; then
		[[ $1 != native ]] || dom=storage
		dom=$(awk '$1 == "domid" { print $2 }' "$MEASURE_WORK/$dom.facts")
		stream_start xentrace in_dom dom0 "$(dom0_program cell-xentrace)" "/local/domain/$dom/data/iddr/phase" "$2" 2
		return
	fi
	[[ $EXPERIMENT_TRACE == stages && $1 != stock && $1 != native ]] || return 0
	for dom in app storage; do
		limited 60 in_dom "$dom" cell-trace start "$(trace_clock)" </dev/null || testbed_lost "while tracing was begun"
	done
}

# trace_end: end what an experiment that was stopped has left.
trace_end() {
	local dom
	for dom in app storage; do
		LIMITED_GRACE=1 limited 20 in_dom "$dom" cell-trace read </dev/null >/dev/null 2>&1 || true
	done
}

# xentrace_stop: wait for the trace of the hypervisor, and leave its sums, by the domains' names, in xen.tsv of the present directory.
xentrace_stop() {
	local pid=${MEASURE_PIDS[-1]} end=$((SECONDS + 120)) rc=0
	# A cell whose I/O has not begun and ended has failed.
	grep -q "^@ end " run.txt || end=0
	while [[ -d /proc/$pid ]] && ((SECONDS < end)); do
		sleep 0.1
	done
	kill -- "-$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || rc=$?
	unset 'MEASURE_PIDS[-1]'
	((end)) || return 0
	if ((rc != 0)); then
		tail -n 3 -- "$MEASURE_WORK/xentrace.stream.err" >&2
		die "the trace of the hypervisor failed, or took longer than 120 s; dom0 needs xentrace and xenalyze (xen-utils), and room in /run. Finished cells are kept"
	fi
	awk -v app="$(awk '$1 == "domid" { print $2 }' "$MEASURE_WORK/app.facts")" -v storage="$(awk '$1 == "domid" { print $2 }' "$MEASURE_WORK/storage.facts")" '
		BEGIN { FS = OFS = "\t"; name[0] = "dom0"; name[app] = "app"; name[storage] = "storage"; name[32767] = "idle" }
		NF == 3 { $1 = $1 in name ? name[$1] : "unknown" }
		{ print }' "$MEASURE_WORK/xentrace.stream" | sort >xen.tsv
}

# trace_stop FRONT MODE: end it, and leave the stages of the cell's requests in stages.tsv of the present directory.
trace_stop() {
	local dom unit=1e9
	if [[ $EXPERIMENT_TRACE == xen ]]; then
		xentrace_stop
		return
	fi
	[[ $EXPERIMENT_TRACE == stages && $1 != stock && $1 != native ]] || return 0
	for dom in app storage; do
		limited 60 in_dom "$dom" cell-trace read </dev/null >"$dom.trace" || testbed_lost "while a trace was read"
	done
	# shellcheck disable=SC2016 # awk's
	[[ $(trace_clock) == local ]] ||
		unit=$(in_dom app awk -F ': *' '/^cpu MHz/ { printf "%.9f\n", 1000 / $2; exit }' /proc/cpuinfo </dev/null)
	{
		printf '%s\t%s\n' mode "$2" boot "$MEASURE_BOOT" time "$EPOCHSECONDS"
		awk -v unit="$unit" -f "$AWK/stages.awk" app.trace storage.trace
	} >stages.tsv
	rm -f -- app.trace storage.trace
}

# run_cells DIR PLAN RUNTIME ENGINE BATCH TOTAL: measure the cells of PLAN (lines with keys); adds to FAILED_CELLS.
run_cells() {
	local dir=$1 runtime=$3 engine=$4 batch=$5 total=$6 todo started key order rep block data queues backing rw bs qd jobs front back randseed domains
	local id disk count=0 n in_a_row=0 left name what command rate
	todo=$(wc -l <"$2")
	n=$((total - todo))
	started=$(now_ms)
	mkdir -p -- "$MEASURE_WORK/cell"
	while IFS=$'\t' read -r key order rep block data queues backing rw bs qd jobs front back randseed domains <&7; do
		id=$(printf '%s %s' "$key" "$MEASURE_BOOT" | text_key)
		disk=$(cell_disk "$front" "$data" "$queues" "$backing")
		name=$(mode_name "$front/$back@$data@${queues}q")
		what="rep $rep $rw $bs qd$qd"
		[[ $rw != idle ]] || what="rep $rep"
		((jobs == 1)) || what+=" x$jobs"
		# shellcheck disable=SC2034 # cells.sh's
		CELL_DOMAINS=$domains
		((domains == 1)) || what+=", $domains domains"
		rm -rf -- "$MEASURE_WORK/cell"
		mkdir -- "$MEASURE_WORK/cell"
		cd -- "$MEASURE_WORK/cell" || die "cannot enter $MEASURE_WORK/cell"
		command=(fio --output-format=json -)
		if [[ $rw == idle ]]; then
			command=(cell-idle "$disk" "$runtime")
			: >job.fio
		elif [[ $rw == app-* ]]; then
			what="rep $rep ${rw#app-}"
			command=(cell-app "${rw#app-}" "$disk")
			: >job.fio
		else
			cell_job "/dev/$disk" "$rw" "$bs" "$qd" "$jobs" "$runtime" "$randseed" "$engine" "$batch" "$front" "$(backing_mib "$backing")" >job.fio
		fi
		cell_json "$key" "$block" "$rep" "$order" "$front" "$back" "$data" "$queues" "$backing" "$rw" "$bs" \
			"$qd" "$jobs" "$runtime" "$randseed" "$engine" "$batch" >cell.json
		((domains == 1)) || rivals_start "$front" "$rw" "$bs" "$qd" "$jobs" "$((runtime + 600))" "$((randseed / 2))" "$engine" "$batch" "$front" \
			"$(backing_mib "$backing")" || testbed_lost "while the other domains' loads were begun, in cell $((n + 1)) of $total ($what $name)"
		trace_start "$front" "$id"
		cell_measure "$id" "$front" "$back" "$disk" "$((runtime + 60))" "${command[@]}" <job.fio || {
			[[ ! -s raw.err ]] || tail -n 5 raw.err >&2
			results_writable "$dir"
			testbed_lost "in cell $((n + 1)) of $total ($what $name)"
		}
		((domains == 1)) || rivals_stop || testbed_lost "while the other domains' loads were ended, in cell $((n + 1)) of $total ($what $name)"
		trace_stop "$front" "$name"
		cell_keep "$dir" "$id" || {
			results_writable "$dir"
			die "cannot keep a cell in $dir; finished cells are kept, the same command goes on from there"
		}
		count=$((count + 1))
		n=$((n + 1))
		left=$((($(now_ms) - started) * (todo - count) / count / 60000))
		if [[ $KEPT_STATUS == ok ]]; then
			in_a_row=0
			rate=idle
			[[ $KEPT_IOPS == - ]] || printf -v rate '%.0f IOPS' "$KEPT_IOPS"
			[[ $rw != app-* ]] || printf -v rate '%.2f/s' "$KEPT_IOPS"
			printf '[%*d/%d] %s %s %s  ~%d min left\n' "${#total}" "$n" "$total" "$what" "$name" "$rate" "$left" >&2
		else
			in_a_row=$((in_a_row + 1))
			FAILED_CELLS+=("$what $name: $KEPT_REASON")
			printf '[%*d/%d] %s %s FAILED: %s\n' "${#total}" "$n" "$total" "$what" "$name" "$KEPT_REASON" >&2
			((in_a_row < 6)) ||
				die "six cells in a row failed, the last one because $KEPT_REASON; see $dir/cells/*.failed-*"
		fi
	done 7<"$2"
	((count == 0)) || note "measured $count cells, $((($(now_ms) - started) / count)) ms each, $((runtime * 1000)) of them I/O"
	cd -- "$IDDR_TOP" || die "cannot enter $IDDR_TOP"
}

# run_plan DIR PLAN ENVKEY COMMON: measure what is missing of PLAN; COMMON is what all of its cells have in common: RUNTIME
# ENGINE BATCH HOG.
run_plan() {
	local dir=$1 runtime engine batch total work=$MEASURE_WORK
	read -r runtime engine batch _ <<<"$4"
	plan_keys "$3" "$4" <"$2" >"$work/keyed"
	cut -f 1 "$work/keyed" >>"$dir/keys"
	cells_finished "$dir" >"$work/done"
	awk -v boot="$MEASURE_BOOT" -f "$AWK/resume.awk" "$work/done" "$work/keyed" >"$work/todo"
	total=$(wc -l <"$2")
	note "$(wc -l <"$work/todo") of $total cells to measure"
	run_cells "$dir" "$work/todo" "$runtime" "$engine" "$batch" "$total"
}

# experiment_unfinished: say what is kept when an experiment ends early, for whatever reason.
experiment_unfinished() {
	[[ -n $EXPERIMENT_DIR ]] || return 0
	note "stopped early; $(cells_finished "$EXPERIMENT_DIR" | wc -l) finished cells are kept in $EXPERIMENT_DIR, the same command goes on from there"
}

# experiment_usage: leave with the usage of the verb.
experiment_usage() {
	usage_error "$1; usage: experiment NAME [--size smoke|quick|full] [--run RUN] [--shard I/N] [--plan] | experiment --keys"
}

# help: experiment NAME [--size SIZE] [--run RUN] [--shard I/N] [--plan] -- measure configs/experiments/NAME (smoke, quick or full), make its tables and figures; --plan: list its cells, no more; HOSTS="A B": on these hosts, a part on each
# help: experiment --keys -- what an experiment's file may hold
cmd_experiment() {
	local name=${EXP:-} run=${RUN:-} size=${SIZE:-quick} given="" plan_only="" shard="" file work envkey dir runtime engine batch hog common reps last
	while (($#)); do
		case $1 in
		--keys)
			printf 'An experiment is a file of lines KEY = VALUE (lists with blanks, # begins a comment). Lines KEY.SIZE = VALUE,\nSIZE being smoke, quick or full, stand in for the lines of KEY in that size.\n\n'
			awk -v keys=1 -f "$AWK/experiment.awk" /dev/null
			return
			;;
		--plan) plan_only=1 && shift ;;
		--size)
			(($# > 1)) || experiment_usage "--size wants smoke, quick or full"
			size=$2 && shift 2
			;;
		--run)
			(($# > 1)) || experiment_usage "--run wants a name"
			run=$2 && shift 2
			;;
		--shard)
			(($# > 1)) || experiment_usage "--shard wants a part of a whole, such as 2/3"
			shard=$2 && shift 2
			;;
		-*) experiment_usage "unknown option '$1'" ;;
		*)
			[[ -z $given ]] || experiment_usage "one experiment at a time, not '$given' and '$1'"
			name=$1 given=$1
			shift
			;;
		esac
	done
	[[ -n $name ]] || experiment_usage "which experiment?"
	[[ $size =~ ^(smoke|quick|full)$ ]] || experiment_usage "'$size' is not a size; use smoke, quick or full"
	[[ -z $run || $run =~ ^[A-Za-z0-9._-]+$ ]] || experiment_usage "RUN '$run' must be a plain name of letters, digits and . _ -"
	file=$(experiment_file "$name")
	[[ -z $shard ]] || shard_check "$shard"
	need jq jq
	if native_experiment_file "$file"; then
		[[ -z $shard ]] || usage_error "$name runs without a testbed, in minutes: it is not shared between machines"
		native_experiment "$file" "$size" "$run" "$plan_only"
		return
	fi
	work=$(mktemp -d)
	# shellcheck disable=SC2064 # the directory of now
	defer "rm -rf -- '$work'"
	experiment_normal "$file" "$size" >"$work/normal"
	experiment_plan <"$work/normal" >"$work/whole"
	shard_plan "${shard:-1/1}" <"$work/whole" >"$work/plan"
	[[ -s $work/plan ]] || usage_error "--shard $shard has no part of $name: it has fewer blocks than that"
	if [[ -n $plan_only ]]; then
		cat -- "$work/plan"
		return
	fi
	if [[ -n $HOSTS ]]; then
		[[ -z $shard ]] || experiment_usage "either HOSTS or --shard"
		experiment_on_hosts "$name" "$file" "$size" "$run"
		return
	fi
	results_writable "$RESULTS"

	# The testbed is booted anew if it has others, or lacks a device.
	IDDR_APP_VCPUS=$(experiment_value app_vcpus "$work/normal")
	IDDR_APP_DOMAINS=$(experiment_value app_domains "$work/normal" | tr ' ' '\n' | sort -n | tail -n 1)
	IDDR_CPU_APP=$(experiment_value app_cpu "$work/normal")
	IDDR_CPU_STORAGE=$(experiment_value storage_cpu "$work/normal")
	# The parts of a whole have the same testbed.
	[[ $(plan_backings "$work/whole") != *nvme* ]] || BACKING=nvme
	# All are attached at once, and for each of its disks xen-blkfront keeps some 66 MiB of pages (512 slots of 33).
	IDDR_APP_MIB=$((${IDDR_APP_MIB:-448} + 96 * ($(plan_backings "$work/whole" | wc -w) - 1)))
	export IDDR_APP_MIB IDDR_APP_VCPUS IDDR_APP_DOMAINS IDDR_CPU_APP IDDR_CPU_STORAGE BACKING
	measure_lock
	measure_up
	testbed_facts 8>&- >"$work/facts.json" || testbed_lost "while it was asked for its versions"
	measure_prepare "$work" "$work/plan"
	envkey=$(environment_key "$work/facts.json")
	[[ -n $run ]] || run=$({ cat -- "$work/normal"; printf '%s\n' "$envkey"; } | text_key)
	dir=$RESULTS/$(basename -- "$file")/$run
	results_writable "$dir"
	EXPERIMENT_DIR=$dir
	mkdir -p -- "$dir/cells"
	rm -rf -- "$dir"/cells/*.partial
	cp -- "$file" "$dir/experiment"
	runtime=$(experiment_value runtime_s "$work/normal")
	engine=$(experiment_value engine "$work/normal")
	batch=$(experiment_value batch "$work/normal")
	hog=$(experiment_value hog "$work/normal")
	common="$runtime $engine $batch $hog"
	EXPERIMENT_TRACE=$(experiment_value trace "$work/normal")
	# A testbed that is kept must not go on tracing.
	[[ $EXPERIMENT_TRACE != stages ]] || defer trace_end
	# How a trace is made and read is part of its cells.
	[[ $EXPERIMENT_TRACE == none ]] ||
		common+=" $EXPERIMENT_TRACE $(cat -- "$IDDR_TOP"/harness/guest/cell-{trace,xentrace} "$AWK/stages.awk" | text_key)"
	# What an application does is no less a part of its cells.
	! cut -f 7 "$work/plan" | grep -q '^app-' || common+=" $(text_key <"$IDDR_TOP/harness/guest/cell-app")"
	write_manifest "$dir" "$file" "$size" "$work/normal" "$work/facts.json" "$(text_key <<<"$envkey $common")" || {
		results_writable "$dir"
		die "cannot write $dir/manifest.json"
	}
	defer experiment_unfinished
	# shellcheck disable=SC2016 # dom0's shell
	[[ $hog == none ]] || stream_start hog in_dom "$hog" sh -c 'while :; do :; done'
	: >"$dir/keys"
	FAILED_CELLS=()
	note "experiment $name, run $run"
	run_plan "$dir" "$work/plan" "$envkey" "$common"
	reps=$(experiment_value reps "$work/normal")
	last=$((reps + $(experiment_value extra_reps "$work/normal")))
	# What lies wide apart is known when all parts are there.
	[[ -z $shard ]] || last=$reps
	while ((reps < last)); do
		derive_run "$dir"
		awk -v upto="$reps" -f "$AWK/stats.awk" -f "$AWK/table.awk" -f "$AWK/wide.awk" "$dir/cells.tsv" >"$work/wide"
		[[ -s $work/wide ]] || break
		reps=$((reps + 1))
		# A plan of more repetitions begins as one of fewer.
		sed "s/^reps\t.*/reps\t$reps/" "$work/normal" | experiment_plan |
			awk -F '\t' -v rep="$reps" 'NR == FNR { wide[$1]; next } $2 == rep { p = $3; sub(/^r[0-9]+/, "", p); if (p in wide) print }' \
				"$work/wide" - >"$work/more"
		if [[ $size != full ]] && (($(wc -l <"$dir/keys") + $(wc -l <"$work/more") > ${IDDR_EXTRA_CELLS:-220})); then
			note "$(wc -l <"$work/wide") points lie wide apart; once more would be beyond ${IDDR_EXTRA_CELLS:-220} cells (IDDR_EXTRA_CELLS), so they are left so"
			break
		fi
		note "$(wc -l <"$work/wide") points lie wide apart and are measured once more (repetition $reps, at most $last)"
		run_plan "$dir" "$work/more" "$envkey" "$common"
	done
	EXPERIMENT_DIR=
	derive_run "$dir"
	figures_draw "$dir" "$(basename -- "$file")"
	note "tables: $dir/{summary,ratios,cells}.tsv"
	note "figures: ${PLOTS_OUT:-$IDDR_TOP/plots/out}/$(basename -- "$file")/"
	if ((${#FAILED_CELLS[@]})); then
		printf "iddr: failed: %s\n" "${FAILED_CELLS[@]}" >&2
		die "${#FAILED_CELLS[@]} cells failed and are not used; the same command measures them again"
	fi
}

# help: experiments [--size SIZE] -- measure all of configs/experiments, one after the other, whatever becomes of one
cmd_experiments() {
	local size=${SIZE:-quick} name all=("$IDDR_CONFIGS"/experiments/*) n=0 failed=()
	if (($#)); then
		[[ $1 == --size && $# == 2 ]] || usage_error "experiments takes only --size smoke, quick or full"
		size=$2
	fi
	[[ $size =~ ^(smoke|quick|full)$ ]] || usage_error "'$size' is not a size; use smoke, quick or full"
	for name in "${all[@]##*/}"; do
		n=$((n + 1))
		note "$name, size $size ($n of ${#all[@]})"
		"$0" experiment "$name" --size "$size" || failed+=("$name")
	done
	[[ -z ${failed[*]} ]] || die "failed: ${failed[*]}; the same command measures what is missing"
}
