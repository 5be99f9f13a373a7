# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# figures.sh: draw plots/*.gp from the tables of a run. A figure reads summary.tsv and nothing else.

# figure_title TESTBED: what the title says about where the numbers come from.
figure_title() {
	case $1 in
	tcg) printf 'TCG-emulated: ratios only' ;;
	kvm) printf 'Xen nested in KVM' ;;
	xen) printf 'Xen on hardware' ;;
	process) printf 'two processes, native speed' ;;
	*) printf 'testbed: %s' "$1" ;;
	esac
}

# figure_draw NAME OUT ASSIGNMENTS: draw plots/NAME.gp as PDF, SVG and PNG, or what FIGURE_KINDS says, into OUT; ASSIGNMENTS is gnuplot's,
# what the figure wants to know. An SVG names its font: where that is not installed, one of the same widths takes its place.
figure_draw() {
	local name=$1 out=$2 assignments=$3 gp=$IDDR_TOP/plots/$1.gp kind
	for kind in ${FIGURE_KINDS:-pdf svg png}; do
		LC_ALL=C.UTF-8 gnuplot -e "$assignments; KIND = '$kind'; OUT = '$out/$name.$kind.tmp'" "$gp" 2>"$out/$name.err" || {
			cat -- "$out/$name.err" >&2
			die "gnuplot cannot draw $gp"
		}
		rm -f -- "$out/$name.err"
		[[ -s $out/$name.$kind.tmp ]] || die "gnuplot left $out/$name.$kind.tmp empty"
		[[ $kind != svg ]] || sed -i 's/font-family="Liberation Sans"/font-family="Liberation Sans, Arial, Helvetica, sans-serif"/g' "$out/$name.$kind.tmp"
		mv -- "$out/$name.$kind.tmp" "$out/$name.$kind"
	done
}

# figures_draw DIR EXPERIMENT: draw the figures that a run has rows for into plots/out/EXPERIMENT.
figures_draw() {
	local dir=$1 exp=$2 out=${PLOTS_OUT:-$IDDR_TOP/plots/out} name testbed panels names
	need gnuplot gnuplot-nox
	[[ -s $dir/summary.tsv ]] || die "$dir has no summary.tsv; run 'harness/iddr derive'"
	out=$out/$exp
	if native_run "$dir"; then
		native_figures "$dir" "$out"
		return
	fi
	mkdir -p -- "$out"
	testbed=$(awk -F '\t' 'NR == 2 { print $1 }' "$dir/summary.tsv")
	[[ -n $testbed ]] || die "$dir/summary.tsv is empty: no cell of this run can be used"
	panels=$(awk -f "$AWK/table.awk" -f "$AWK/panels.awk" "$dir/summary.tsv")
	read -ra names <<<"$(sed -n "s/^FIGURES = '\([^']*\)'.*/\1/p" <<<"$panels")"
	for name in "${names[@]}"; do
		figure_draw "$name" "$out" "TABLE = '$dir/summary.tsv'; $panels; TESTBED = '$(figure_title "$testbed")'; EXPERIMENT = '$exp'; STYLE = '$IDDR_TOP/plots/style.gp'"
	done
	[[ ! -s $dir/hypercalls.tsv ]] || figure_draw hypercalls "$out" \
		"CALLS = '$dir/hypercalls.tsv'; TABLE = '$dir/summary.tsv'; $panels; TESTBED = '$(figure_title "$testbed")'; EXPERIMENT = '$exp'; STYLE = '$IDDR_TOP/plots/style.gp'"
	[[ ! -s $dir/stages.tsv ]] || figure_draw breakdown "$out" \
		"STAGES = '$dir/stages.tsv'; TABLE = '$dir/summary.tsv'; $panels; TESTBED = '$(figure_title "$testbed")'; EXPERIMENT = '$exp'; STYLE = '$IDDR_TOP/plots/style.gp'"
}

# help: figures [--exp NAME] [RUN] -- draw the figures of a run again from its tables, without measuring
cmd_figures() {
	local exp=${EXP:-quick} run=${RUN:-} given='' dir
	while (($#)); do
		case $1 in
		--exp)
			(($# > 1)) || usage_error "figures: --exp wants a name"
			exp=$2
			shift 2
			;;
		-*) usage_error "figures: unknown option '$1'; usage: figures [--exp NAME] [RUN]" ;;
		*)
			[[ -z $given ]] || usage_error "figures: one run at a time, not '$given' and '$1'"
			run=$1 given=$1
			shift
			;;
		esac
	done
	dir=$(run_dir "$exp" "$run")
	figures_draw "$dir" "$exp"
	note "the figures of $dir are in ${PLOTS_OUT:-$IDDR_TOP/plots/out}/$exp"
}
