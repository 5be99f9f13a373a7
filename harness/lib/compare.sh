# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# compare.sh: one table that sets two modes, runs or experiments against each other, for a terminal.

# mode_name NAME: a mode in its shortest form, as the tables name it: event/event@persistent@1q -> event.
mode_name() {
	local sides=${1%%@*} rest=
	[[ $1 != *@* ]] || rest=@${1#*@}
	rest=${rest/@persistent/} rest=${rest/@1q/}
	sides=${sides//hybrid:200/hybrid}
	[[ ${sides%%/*} != "${sides##*/}" ]] || sides=${sides%%/*}
	case $sides in
	stock | native) printf '%s\n' "$sides" ;;
	*) printf '%s\n' "$sides$rest" ;;
	esac
}

# modes_in DIR: the modes that the tables of a run have, or the subjects, if it is one of the testbed `process`.
modes_in() {
	awk -f "$AWK/table.awk" -f <(cat <<-'EOA'
		BEGIN { FS = "\t" }
		NR == 1 { header(); next }
		col("status") == "ok" && ("subject" in COLUMN || col("rw") != "idle") {
			m = "subject" in COLUMN ? col("subject") : mode_name(col("front"), col("back"), col("data"), col("queues"))
			if (!seen[m]++) {
				printf "%s%s", sep, m
				sep = " "
			}
		}
	EOA
	) "$1/cells.tsv"
}

# compare_run NAME: print the directory of a run that NAME may be: an experiment (its newest run), EXPERIMENT/RUN, or a path;
# nothing if it is none of these.
compare_run() {
	local dir
	for dir in "$RESULTS/$1" "$1"; do
		if [[ $1 == */* && -s $dir/cells.tsv ]]; then
			(cd -- "$dir" && pwd -P)
			return
		fi
	done
	[[ $1 == */* ]] || (newest_run "$1") 2>/dev/null || true
}

# compare_runs A B: one run against another, over the modes and points that both have.
compare_runs() {
	local a=$1 b=$2 dir testbeds differ how per="" rc=0
	[[ $a != "$b" ]] || usage_error "compare: both are the same run, $a"
	testbeds=$(for dir in "$a" "$b"; do awk -F '\t' 'NR == 2 { print $1 }' "$dir/cells.tsv"; done)
	[[ ${testbeds%$'\n'*} == "${testbeds#*$'\n'}" ]] ||
		die "times of different testbeds (${testbeds/$'\n'/, }) say nothing about each other; compare the ratios within each: $a/ratios.tsv and $b/ratios.tsv"
	if [[ -s $a/manifest.json && -s $b/manifest.json ]]; then
		differ=$(jq -rn -f "$JQ/differ.jq" --slurpfile a "$a/manifest.json" --slurpfile b "$b/manifest.json")
		note "in their manifests differ: ${differ:-nothing}"
	fi
	how="median of the ratios of all pairs, of at least n repetitions each [95 % interval; of four or fewer it holds less]"
	# Emulated, the machine's speed of the day is in all times; what Xen's own pair did in the same minutes takes it out.
	if [[ $testbeds == tcg* && " $(modes_in "$a") " == *" stock "* && " $(modes_in "$b") " == *" stock "* ]]; then
		per=stock
		how+=",\neach relative to stock in its repetition (points without it are left out)"
	else
		how+=";\nthe runs were not interleaved: what else the machine did is in it"
	fi
	awk -v per="$per" -f "$AWK/stats.awk" -f "$AWK/table.awk" -f "$AWK/native-table.awk" -f "$AWK/runs.awk" "$a/cells.tsv" "$b/cells.tsv" |
		awk -v a=A -v b=B -v named=1 -v how="$how\nA: $a\nB: $b" -f "$AWK/stats.awk" -f "$AWK/compare.awk" || rc=$?
	((rc != 3)) || die "there is no mode and point that both $a and $b have"
	return "$rc"
}

# compare_modes DIR A B: two modes of a run, paired within its blocks.
compare_modes() {
	local dir=$1 a=$2 b=$3 have m rc=0
	local -a pairs=(-f "$AWK/ratios.awk")
	! native_run "$dir" || pairs=(-f "$AWK/native-table.awk" -f "$AWK/native-ratios.awk")
	have=$(modes_in "$dir")
	for m in "$a" "$b"; do
		[[ " $have " == *" $(mode_name "$m") "* ]] ||
			usage_error "compare: '$m' is neither a mode in $dir (there are: $have) nor a run, nor an experiment that was measured"
	done
	[[ $(mode_name "$a") != "$(mode_name "$b")" ]] || usage_error "compare: '$a' and '$b' are the same mode twice"
	note "tables of $dir"
	awk -v bases="$(mode_name "$a")" -v modes="$(mode_name "$b")" \
		-f "$AWK/stats.awk" -f "$AWK/table.awk" "${pairs[@]}" "$dir/cells.tsv" |
		awk -v a="$a" -v b="$b" -v how="median of the n ratios within repetitions [95 % interval; of five that is their range]" \
			-f "$AWK/stats.awk" -f "$AWK/compare.awk" || rc=$?
	((rc != 3)) || die "no block of $dir has both $a and $b"
	return "$rc"
}

# help: compare A B [--exp NAME] [--run RUN] -- ratios of mode B over mode A of a run (event, event/spin, hybrid:50, event@map, stock, native), or of run or experiment B over A
cmd_compare() {
	local exp=${EXP:-quick} run=${RUN:-} names=() dir a b
	while (($#)); do
		case $1 in
		--exp | --run)
			(($# > 1)) || usage_error "compare: $1 wants a name"
			if [[ $1 == --exp ]]; then exp=$2; else run=$2; fi
			shift 2
			;;
		-*) usage_error "compare: unknown option '$1'; usage: compare A B [--exp NAME] [--run RUN]" ;;
		*) names+=("$1") && shift ;;
		esac
	done
	[[ ${#names[@]} == 2 && -n ${names[0]} && -n ${names[1]} ]] ||
		usage_error "compare: two modes, runs or experiments are needed, as in 'compare event spin'"
	# A word that both a mode and an experiment go by (native) is what the other one is.
	a=$(compare_run "${names[0]}")
	b=$(compare_run "${names[1]}")
	if [[ -n $a && -n $b ]]; then
		compare_runs "$a" "$b"
		return
	fi
	dir=$(run_dir "$exp" "$run")
	[[ -s $dir/cells.tsv ]] || die "$dir has no tables; run 'harness/iddr derive'"
	compare_modes "$dir" "${names[@]}"
}
