# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# native.sh: the testbed `process`: the modules' ring and waiting code between two processes of this machine
# (harness/native), at native speed. Its experiments are files with the line `testbed = process`; their runs look like
# the others':
#
#	results/EXPERIMENT/RUN/manifest.json    what was measured, with what, where, and how quiet it was there
#	results/EXPERIMENT/RUN/cells/HASH/      cell.tsv: what the cell is; raw.tsv: what was measured
#	results/EXPERIMENT/RUN/counts/          instructions by callgrind, hand-overs of cache lines by a model
#	results/EXPERIMENT/RUN/*.tsv            tables, a pure function of the raw data

# native_experiment_file FILE: is it an experiment of this testbed?
native_experiment_file() {
	grep -qE '^[[:space:]]*testbed[[:space:]]*=[[:space:]]*process' -- "$1"
}

# native_run DIR: is it a run of this testbed?
native_run() {
	[[ -f $1/experiment ]] && native_experiment_file "$1/experiment"
}

# native_build: build the programs; NATIVE is where they are.
native_build() {
	local package
	NATIVE=$IDDR_BUILD/native
	need gcc gcc
	need pkg-config pkgconf
	for package in libdpdk-dev:libdpdk liburing-dev:liburing; do
		pkg-config --exists "${package#*:}" ||
			die "${package%:*} is not installed; run 'harness/iddr setup' as root"
	done
	mkdir -p -- "$NATIVE"
	make -s -C "$IDDR_TOP/harness/native" OUT="$NATIVE" all >&2 ||
		die "harness/native does not build; the compiler's messages are above"
}

# native_cpus: the two CPUs to use, of those that this process may use; the first two whose lines are not those of one core.
native_cpus() {
	local list cpu sibling first=
	list=$(awk -F '\t' '$1 == "Cpus_allowed_list:" { print $2 }' /proc/self/status)
	while read -r cpu; do
		if [[ -z $first ]]; then
			first=$cpu
			sibling=$(cat "/sys/devices/system/cpu/cpu$cpu/topology/thread_siblings_list" 2>/dev/null || echo "$cpu")
		elif [[ ",${sibling/-/,}," != *",$cpu,"* ]]; then
			printf '%s %s\n' "$first" "$cpu"
			return
		fi
	done < <(awk -v list="$list" 'BEGIN {
		n = split(list, part, ",")
		for (i = 1; i <= n; i++) {
			m = split(part[i], end, "-")
			for (c = end[1]; c <= end[m]; c++)
				print c
		}
	}')
	die "this needs two cores of which this process may use both; there are: $list"
}

# native_facts CPU CPU: what determines a measurement, a line a fact: NAME<TAB>VALUE.
native_facts() {
	local cpu
	printf 'cpu\t%s\n' "$(awk -F ': ' '/^model name/ { print $2; exit }' /proc/cpuinfo)"
	printf 'cores\t%s\n' "$(nproc)"
	printf 'front_cpu\t%s\nback_cpu\t%s\n' "$1" "$2"
	printf 'hypervisor\t%s\n' "$(awk '/^flags/ { v = / hypervisor( |$)/; exit } END { print v ? "yes" : "no" }' /proc/cpuinfo)"
	printf 'kernel\t%s\n' "$(uname -r)"
	printf 'clocksource\t%s\n' "$(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)"
	for cpu in "$1" "$2"; do
		printf 'governor_cpu%s\t%s\n' "$cpu" "$(cat "/sys/devices/system/cpu/cpu$cpu/cpufreq/scaling_governor" 2>/dev/null || echo none)"
	done
	printf 'compiler\t%s\n' "$(gcc -dumpfullversion)"
	printf 'dpdk\t%s\nliburing\t%s\n' "$(pkg-config --modversion libdpdk)" "$(pkg-config --modversion liburing)"
	printf 'sources\t%s\n' "$(cd -- "$IDDR_TOP" && cat harness/native/{Makefile,*.[ch]} modules/comm/iddr_{ring,wait,shim}.h | text_key)"
}

# native_noise CPU CPU: how quiet the machine is, and how near the two CPUs are to each other: NAME<TAB>NUMBER lines.
native_noise() {
	"$NATIVE/iddr-native" noise "front_cpu=$1" "back_cpu=$2" ms=1000 || die "the noise cannot be measured"
	"$NATIVE/iddr-native" run subject=line "front_cpu=$1" "back_cpu=$2" ms=100 >"$work/line" || die "a cache line cannot be handed over"
	awk -F '\t' '$1 == "bucket" { from[++n] = $2; count[n] = $4; total += $4 }
		END { for (i = 1; i <= n && 2 * sum < total; i++) sum += count[i]; print "line_round_trip_ns\t" from[i - 1] }' "$work/line"
}

# native_manifest DIR FILE NOISE: record what a run is, and each time it was gone on with.
native_manifest() {
	local dir=$1 file=$2 size=$3 old=null commit dirty=false
	[[ ! -s $dir/manifest.json ]] || old=$(<"$dir/manifest.json")
	commit=$(git -C "$IDDR_TOP" rev-parse HEAD 2>/dev/null) || commit=unknown
	[[ -z $(git -C "$IDDR_TOP" status --porcelain -- harness modules 2>/dev/null) ]] || dirty=true
	jq -n --argjson old "$old" --rawfile text "$file" --rawfile facts "$dir/facts.tmp" --rawfile noise "$4" \
		--arg experiment "$(basename -- "$file")" --arg size "$size" --arg run "$(basename -- "$dir")" --arg now "$(date -u +%FT%TZ)" \
		--arg commit "$commit" --argjson dirty "$dirty" --arg load "$(cut -d ' ' -f 1 /proc/loadavg)" \
		-f "$JQ/native-manifest.jq" >"$dir/manifest.json.tmp"
	mv -- "$dir/manifest.json.tmp" "$dir/manifest.json"
	rm -f -- "$dir/facts.tmp"
}

# native_file: the file that the file backings serve: 8 MiB, in the page cache when it is measured.
native_file() {
	NATIVE_FILE=$IDDR_BUILD/native/backing
	"$NATIVE/iddr-native" store >"$NATIVE_FILE" || die "cannot write $NATIVE_FILE"
	cat -- "$NATIVE_FILE" >/dev/null
}

# native_disturbed CELL: true if a side that never rests, on a core of its own, had less than 90 % of it: something else ran there.
native_disturbed() {
	awk -F '\t' '{ v[$1] = $2 } END {
		busy = v["front_cpu_ns"] < v["back_cpu_ns"] ? v["front_cpu_ns"] : v["back_cpu_ns"]
		exit !(v["place"] == "two" && v["load"] == "quiet" && v["backing"] !~ /^file/ && v["depth"] > 0 && v["requests"] > 0 &&
			v["front_sleeps"] + v["back_sleeps"] < 10 && v["front_switches"] + v["back_switches"] < v["requests"] / 2 && busy < 0.9 * v["elapsed_ns"]) }' "$1"/{cell,raw}.tsv
}

# native_cell DIR MS CPU CPU KEY ORDER REP BLOCK SUBJECT PLACE LOAD BACKING BYTES DEPTH BATCH: measure a cell into DIR/cells/KEY.
# Status 1 if it failed; its data are beside, then.
native_cell() {
	local dir=$1 ms=$2 front=$3 back=$4 key=$5 order=$6 rep=$7 block=$8 subject=$9 place=${10} load=${11} backing=${12} bytes=${13}
	local depth=${14} batch=${15} cell=$1/cells/$5.partial n=1 tries=0
	local -a word
	# An idle ring wants longer, to be seen at all.
	((depth > 0)) || ms=$((5 * ms))
	word=("subject=$subject" "front_cpu=$front" "back_cpu=$back" "backing=$backing" "bytes=$bytes" "depth=$depth" "batch=$batch" "ms=$ms")
	[[ $place != one ]] || word[2]=back_cpu=$front
	[[ $load != hog ]] || word+=("hog_cpu=$back")
	[[ $backing != file* ]] || word+=("file=$NATIVE_FILE")
	rm -rf -- "$cell"
	mkdir -p -- "$cell"
	printf '%s\t%s\n' key "$key" order "$order" rep "$rep" block "$block" subject "$subject" place "$place" load "$load" \
		backing "$backing" bytes "$bytes" depth "$depth" batch "$batch" command "${word[*]/$NATIVE_FILE/FILE}" >"$cell/cell.tsv"
	while "$NATIVE/iddr-native" run "${word[@]}" >"$cell/raw.tsv" 2>"$cell/error.txt"; do
		if native_disturbed "$cell"; then
			# It takes less than a second. If there is always something, that is this machine.
			((++tries >= 10)) || continue
			NATIVE_DISTURBED=$((NATIVE_DISTURBED + 1))
		fi
		rm -f -- "$cell/error.txt"
		mv -T -- "$cell" "$dir/cells/$key"
		return 0
	done
	while [[ -e $dir/cells/$key.failed-$n ]]; do
		((n++))
	done
	NATIVE_REASON=$(tail -n 1 "$cell/error.txt")
	mv -T -- "$cell" "$dir/cells/$key.failed-$n"
	return 1
}

# native_cells DIR KEYED MS CPU CPU: measure the cells of KEYED (KEY and the plan's line) that are not there yet.
native_cells() {
	local dir=$1 ms=$3 front=$4 back=$5 total todo n=0 count=0 started now left failed=0 key rest
	local -a cell
	total=$(wc -l <"$2")
	todo=$(while IFS=$'\t' read -r key rest; do [[ -d $dir/cells/$key ]] || echo; done <"$2" | wc -l)
	note "$todo of $total cells to measure"
	started=$(now_ms)
	NATIVE_DISTURBED=0
	while IFS=$'\t' read -r -a cell <&7; do
		n=$((n + 1))
		[[ ! -d $dir/cells/${cell[0]} ]] || continue
		if ! native_cell "$dir" "$ms" "$front" "$back" "${cell[@]}"; then
			failed=$((failed + 1))
			warn "cell $n of $total (${cell[4]} ${cell[5]} ${cell[6]}, depth ${cell[9]}) failed: $NATIVE_REASON"
			((failed < 6)) || die "six cells failed; see $dir/cells/*.failed-*"
		fi
		count=$((count + 1))
		((count % 25 == 0 || count == todo)) || continue
		now=$(now_ms)
		left=$(((now - started) * (todo - count) / count / 1000))
		printf '[%*d/%d] %s %s %s depth %s  ~%d s left\n' "${#total}" "$n" "$total" "${cell[4]}" "${cell[5]}" "${cell[6]}" "${cell[9]}" "$left" >&2
	done 7<"$2"
	((NATIVE_DISTURBED == 0)) ||
		warn "in $NATIVE_DISTURBED cells something else ran on a core, ten times in a row: their times are not the ring's; see what else runs on CPUs $front and $back"
	((failed == 0)) || die "$failed cells failed and are not used; the same command measures them again"
}

# native_instructions SUBJECT BATCH: instructions of one request, there and back, by callgrind: both sides in one thread, in
# lockstep; the difference of two lengths leaves out everything else.
native_instructions() {
	local n words=()
	for n in 4096 8192; do
		words+=("$(valgrind --tool=callgrind --callgrind-out-file=/dev/null "$NATIVE/iddr-native" count "subject=$1" \
			depth=32 "batch=$2" "requests=$n" 2>&1 | awk '/Collected/ { print $NF }')")
	done
	[[ ${#words[@]} == 2 && ${words[0]} =~ ^[0-9]+$ && ${words[1]} =~ ^[0-9]+$ ]] || die "valgrind could not count $1"
	awk -v a="${words[0]}" -v b="${words[1]}" 'BEGIN { printf "%.2f\n", (b - a) / 4096 }'
}

# native_lines SUBJECT BATCH: hand-overs of cache lines between two cores for one request, there and back, and of those that a write
# only takes from the other: by a model of two caches over every access that valgrind's lackey sees.
native_lines() {
	local n tmp counts=()
	tmp=$(mktemp -d)
	# shellcheck disable=SC2064 # the directory of now
	trap "rm -rf -- '$tmp'" EXIT
	for n in 256 512; do
		valgrind --tool=lackey --trace-mem=yes --log-file="$tmp/trace" "$NATIVE/iddr-native" count "subject=$1" \
			depth=32 "batch=$2" "requests=$n" >"$tmp/regions" || die "valgrind could not trace $1"
		counts+=("$(grep -E '^ [LSM] ' "$tmp/trace" | awk -f "$AWK/native-lines.awk" "$tmp/regions" -)")
	done
	printf '%s\t%s\n' "${counts[0]}" "${counts[1]}" | awk -F '\t' '{ printf "%.4g\t%.4g\n", ($3 - $1) / 256, ($4 - $2) / 256 }'
}

# native_counts DIR SUBJECT...: count instructions and hand-overs of cache lines.
native_counts() {
	local out=$1/counts subject batch instructions lines
	shift
	if (($# == 0)) || [[ -s $out/counts.tsv ]]; then
		return 0
	fi
	need valgrind valgrind
	note "counting instructions and cache lines of $*"
	mkdir -p -- "$out"
	for subject in "$@"; do
		for batch in 1 32; do
			# What cannot be counted is the end, and no empty cell.
			instructions=$(native_instructions "$subject" "$batch")
			lines=$(native_lines "$subject" "$batch")
			printf '%s\t%s\t%s\t%s\n' "$subject" "$batch" "$instructions" "$lines"
		done
	done >"$out/counts.partial"
	mv -- "$out/counts.partial" "$out/counts.tsv"
}

# native_derive DIR: make the tables of a run from its raw data.
native_derive() {
	local dir=$1 tab=$'\t' d
	local -a list=() files=()
	[[ -s $dir/keys ]] || die "$dir does not say which cells its plan has (keys); run the experiment again"
	# Those of another environment, which a named run may have, do not mix with these.
	mapfile -t list < <(find "$dir/cells" -mindepth 1 -maxdepth 1 -type d ! -name '*.partial' 2>/dev/null | sort |
		awk 'NR == FNR { wanted[$1]; next } { key = $0; sub(/.*\//, "", key); sub(/\.failed-[0-9]+$/, "", key) } key in wanted' "$dir/keys" -)
	((${#list[@]})) || die "there are no cells of this plan in $dir; run the experiment first"
	for d in "${list[@]}"; do
		files+=("$d/cell.tsv" "$d/raw.tsv")
	done
	printf '%s\0' "${files[@]}" >"$dir/files.tmp"
	# In pairs, a hundred cells an awk: a command line has its limits.
	xargs -0 -n 200 awk -f "$AWK/stats.awk" -f "$AWK/native-cells.awk" <"$dir/files.tmp" |
		awk -F '\t' 'NR == 1 || $1 != "testbed"' >"$dir/cells.tsv.tmp"
	rm -f -- "$dir/files.tmp"
	{
		sed -n 1p "$dir/cells.tsv.tmp"
		sed 1d "$dir/cells.tsv.tmp" | sort -t "$tab" -k 4,4n
	} >"$dir/cells.tsv"
	rm -f -- "$dir/cells.tsv.tmp"
	awk -f "$AWK/stats.awk" -f "$AWK/table.awk" -f "$AWK/native-table.awk" -f "$AWK/native-summary.awk" "$dir/cells.tsv" >"$dir/summary.tsv.tmp"
	mv -- "$dir/summary.tsv.tmp" "$dir/summary.tsv"
	awk -f "$AWK/stats.awk" -f "$AWK/table.awk" -f "$AWK/native-table.awk" -f "$AWK/native-ratios.awk" "$dir/cells.tsv" >"$dir/ratios.tsv.tmp"
	mv -- "$dir/ratios.tsv.tmp" "$dir/ratios.tsv"
	[[ -s $dir/counts/counts.tsv ]] || return 0
	{
		printf 'testbed\tsubject\tbatch\tinstructions_per_req\ttransfers_per_req\tupgrades_per_req\n'
		sed 's/^/process\t/' "$dir/counts/counts.tsv"
	} >"$dir/counts.tsv"
}

# native_figure_has FIGURE DIR: has the run rows for it?
native_figure_has() {
	local program
	# shellcheck disable=SC2016 # the dollars are awk's
	case $1 in
	native-latency) program='$c["depth"] == 1 && $c["backing"] == "null" { n++ } END { exit n < 2 }' ;;
	native-depth) program='$c["subject"] == "event" && $c["depth"] > 1 { n++ } END { exit !n }' ;;
	native-load) program='$c["load"] == "hog" { n++ } END { exit !n }' ;;
	native-rings)
		[[ -s $2/counts.tsv ]] || return 1
		program='$c["batch"] > 1 { n++ } END { exit !n }'
		;;
	*) return 1 ;;
	esac
	awk -F '\t' "NR == 1 { for (i = 1; i <= NF; i++) c[\$i] = i; next } $program" "$2/summary.tsv"
}

# native_figures DIR OUT: draw the figures of a run.
native_figures() {
	local dir=$1 out=$2 gp name
	mkdir -p -- "$out"
	for gp in "$IDDR_TOP"/plots/native-*.gp; do
		name=$(basename -- "$gp" .gp)
		native_figure_has "$name" "$dir" || continue
		figure_draw "$name" "$out" "TABLE = '$dir/summary.tsv'; COUNTS = '$dir/counts.tsv'; TESTBED = '$(figure_title process)'; STYLE = '$IDDR_TOP/plots/native-style.gp'; STYLE_BASE = '$IDDR_TOP/plots/style.gp'; EXPERIMENT = '$(basename -- "$out")'"
	done
}

# native_experiment FILE SIZE RUN PLAN-ONLY: what cmd_experiment does, here.
native_experiment() {
	local file=$1 run=$3 work dir ms
	local -a cpus counts
	work=$(mktemp -d)
	# shellcheck disable=SC2064 # the directory of now
	defer "rm -rf -- '$work'"
	experiment_normal "$file" "$2" native-experiment >"$work/normal"
	awk -f "$AWK/stats.awk" -f "$AWK/native-plan.awk" "$work/normal" >"$work/plan"
	if [[ -n $4 ]]; then
		cat -- "$work/plan"
		return
	fi
	results_writable "$RESULTS"
	native_build
	native_file
	read -ra cpus <<<"$(native_cpus)"
	native_facts "${cpus[@]}" >"$work/facts"
	[[ -n $run ]] || run=$(cat -- "$work/normal" "$work/facts" | text_key)
	ms=$(awk -F '\t' '$1 == "runtime_ms" { print $2 }' "$work/normal")
	dir=$RESULTS/$(basename -- "$file")/$run
	results_writable "$dir"
	mkdir -p -- "$dir/cells" "$work/key"
	rm -rf -- "$dir"/cells/*.partial
	cp -- "$file" "$dir/experiment"
	awk -v rest="$ms $(text_key <"$work/facts")" -v dir="$work/key" -f "$AWK/cellkeys.awk" "$work/plan"
	find "$work/key" -type f | sort | xargs -r sha256sum -- | cut -c 1-16 | paste - "$work/plan" >"$work/keyed"
	cut -f 1 "$work/keyed" >"$dir/keys"
	note "experiment $(basename -- "$file"), run $run, on CPUs ${cpus[*]}"
	native_noise "${cpus[@]}" >"$work/noise"
	cp -- "$work/facts" "$dir/facts.tmp"
	native_manifest "$dir" "$file" "$2" "$work/noise"
	native_cells "$dir" "$work/keyed" "$ms" "${cpus[@]}"
	read -ra counts < <(awk -F '\t' '$1 == "counts" { print $2 }' "$work/normal")
	native_counts "$dir" ${counts[@]+"${counts[@]}"}
	native_derive "$dir"
	figures_draw "$dir" "$(basename -- "$file")"
	note "tables: $dir/{summary,ratios,counts,cells}.tsv"
	note "figures: ${PLOTS_OUT:-$IDDR_TOP/plots/out}/$(basename -- "$file")/"
}

# help: soak [--seconds N] -- two processes on the ring that change how they wait, every byte checked
cmd_soak() {
	local seconds=3600 end slice n=0 layout cpus one places args left
	while (($#)); do
		case $1 in
		--seconds)
			(($# > 1)) || usage_error "soak: --seconds wants a number"
			seconds=$2 && shift 2
			;;
		*) usage_error "soak takes only --seconds N" ;;
		esac
	done
	[[ $seconds =~ ^[1-9][0-9]{0,6}$ ]] || usage_error "--seconds takes a whole number of seconds from 1"
	native_build
	read -ra cpus <<<"$(native_cpus)"
	one=${cpus[0]},${cpus[0]}
	places=("${cpus[0]},${cpus[1]}" "$one" -)
	end=$((SECONDS + seconds))
	slice=$((seconds < 360 ? (seconds + 5) / 6 : 60))
	: >"$NATIVE/soak.tsv"
	# Either layout, on two cores, on one, and wherever the kernel puts them.
	while ((SECONDS < end)); do
		layout=blkif
		((n % 2 == 0)) || layout="split"
		left=$((end - SECONDS))
		args=("layout=$layout" "ms=$(((slice < left ? slice : left) * 1000))" "seed=$((n + 1))")
		[[ ${places[n / 2 % 3]} == - ]] || args+=("cpus=${places[n / 2 % 3]}")
		"$NATIVE/iddr-native" soak "${args[@]}" >"$NATIVE/soak.one" ||
			die "the soak failed; repeat it with: $NATIVE/iddr-native soak ${args[*]}"
		cat -- "$NATIVE/soak.one" >>"$NATIVE/soak.tsv"
		n=$((n + 1))
		left=$((end - SECONDS))
		printf '[%d s of %d] %s, %s: %s requests, all right  ~%d s left\n' "$((seconds - (left > 0 ? left : 0)))" "$seconds" "$layout" \
			"${places[(n - 1) / 2 % 3]/-/anywhere}" "$(awk -F '\t' '$1 == "requests" { print $2 }' "$NATIVE/soak.one")" "$((left > 0 ? left : 0))" >&2
	done
	awk -F '\t' '{ sum[$1] += $2 }
		END { printf "%.0f requests, %.0f bytes checked, %.0f changes of mode, %.0f sleeps, no error\n", sum["requests"], sum["bytes_checked"],
			sum["mode_changes"], sum["front_sleeps"] + sum["back_sleeps"] }' "$NATIVE/soak.tsv"
}
