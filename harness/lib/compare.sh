# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# compare.sh: one table that sets two modes against each other, for a terminal.

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

# modes_in TABLE: the modes that a cells.tsv has.
modes_in() {
	awk -f "$AWK/table.awk" -f <(cat <<-'EOA'
		BEGIN { FS = "\t" }
		NR == 1 { header(); next }
		col("status") == "ok" && col("rw") != "idle" {
			m = mode_name(col("front"), col("back"), col("data"), col("queues"))
			if (!seen[m]++) {
				printf "%s%s", sep, m
				sep = " "
			}
		}
	EOA
	) "$1"
}

# help: compare A B [--exp NAME] [--run RUN] -- table of the ratios of mode B over mode A (event, event/spin, hybrid:50, event@map, stock, native)
cmd_compare() {
	local exp=${EXP:-quick} run=${RUN:-} names=() dir rc=0 m have
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
		usage_error "compare: two modes are needed, as in 'compare event spin'"
	[[ $(mode_name "${names[0]}") != "$(mode_name "${names[1]}")" ]] ||
		usage_error "compare: '${names[0]}' and '${names[1]}' are the same mode twice"
	dir=$(run_dir "$exp" "$run")
	[[ -s $dir/cells.tsv ]] || die "$dir has no tables; run 'harness/iddr derive'"
	! native_run "$dir" || die "compare is for runs in domains; $dir/ratios.tsv has the ratios of this one"
	have=$(modes_in "$dir/cells.tsv")
	for m in "${names[@]}"; do
		[[ " $have " == *" $(mode_name "$m") "* ]] || usage_error "compare: no mode '$m' in $dir; there are: $have"
	done
	note "tables of $dir"
	awk -v seed=1 -v bases="$(mode_name "${names[0]}")" -v modes="$(mode_name "${names[1]}")" \
		-f "$AWK/stats.awk" -f "$AWK/table.awk" -f "$AWK/ratios.awk" "$dir/cells.tsv" |
		awk -v a="${names[0]}" -v b="${names[1]}" -f "$AWK/compare.awk" || rc=$?
	((rc != 3)) || die "no block of $dir has both ${names[0]} and ${names[1]}"
	return "$rc"
}
