# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# compare.sh: one table that sets two modes against each other, for a terminal.

# mode_pair NAME: a mode as people call it, as FRONT/BACK: spin -> spin/spin.
mode_pair() {
	case $1 in
	*/*) printf '%s\n' "$1" ;;
	*) printf '%s/%s\n' "$1" "$1" ;;
	esac
}

# modes_in TABLE: the modes that a cells.tsv has, as people call them.
modes_in() {
	awk -F '\t' 'NR > 1 && $13 == "ok" && !seen[$5, $6]++ { printf "%s%s", sep, $5 == $6 ? $5 : $5 "/" $6; sep = " " }' "$1"
}

# help: compare A B [--exp NAME] [--run RUN] -- table of the ratios of mode B over mode A (event, spin, event/spin, stock, native)
cmd_compare() {
	local exp=${EXP:-quick} run=${RUN:-} names=() dir rc=0 m
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
	dir=$(run_dir "$exp" "$run")
	[[ -s $dir/cells.tsv ]] || die "$dir has no tables; run 'harness/iddr derive'"
	for m in "${names[@]}"; do
		[[ " $(modes_in "$dir/cells.tsv") " == *" $m "* ||
			" $(modes_in "$dir/cells.tsv") " == *" ${m%%/*} "* && ${m%%/*} == "${m##*/}" ]] ||
			usage_error "compare: no mode '$m' in $dir; there are: $(modes_in "$dir/cells.tsv")"
	done
	note "tables of $dir"
	awk -v seed=1 -v bases="$(mode_pair "${names[0]}")" -v modes="$(mode_pair "${names[1]}")" \
		-f "$AWK/stats.awk" -f "$AWK/table.awk" -f "$AWK/ratios.awk" "$dir/cells.tsv" |
		awk -v a="${names[0]}" -v b="${names[1]}" -f "$AWK/compare.awk" || rc=$?
	((rc != 3)) || die "no block of $dir has both ${names[0]} and ${names[1]}"
	return "$rc"
}
