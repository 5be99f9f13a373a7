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

# figures_draw DIR EXPERIMENT: draw the figures that a run has rows for into plots/out/EXPERIMENT.
figures_draw() {
	local dir=$1 exp=$2 out=${PLOTS_OUT:-$IDDR_TOP/plots/out} gp name kind testbed panels names
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
		gp=$IDDR_TOP/plots/$name.gp
		for kind in pdf svg png; do
			gnuplot -e "TABLE = '$dir/summary.tsv'; $panels; TESTBED = '$(figure_title "$testbed")'; EXPERIMENT = '$exp'" \
				-e "KIND = '$kind'; OUT = '$out/$name.$kind.tmp'; STYLE = '$IDDR_TOP/plots/style.gp'" "$gp" 2>"$out/$name.err" || {
				cat -- "$out/$name.err" >&2
				die "gnuplot cannot draw $gp from $dir/summary.tsv"
			}
			rm -f -- "$out/$name.err"
			[[ -s $out/$name.$kind.tmp ]] || die "gnuplot left $out/$name.$kind.tmp empty"
			mv -- "$out/$name.$kind.tmp" "$out/$name.$kind"
		done
	done
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
