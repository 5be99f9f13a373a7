# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# claims.sh: check what CLAIMS.md says against the tables in results/reference, or a run of yours against its rules.

# help: claims [--exp NAME --run RUN] -- check CLAIMS.md against the committed tables, or against a run of NAME
cmd_claims() {
	local file=${CLAIMS:-$IDDR_TOP/CLAIMS.md} exp=${EXP:-native} run=${RUN:-} rc=0
	local -a args=(-v "root=$RESULTS/reference")
	while (($#)); do
		case $1 in
		--exp | --run)
			(($# > 1)) || usage_error "claims: $1 wants a name"
			if [[ $1 == --exp ]]; then exp=$2; else run=$2; fi
			shift 2
			;;
		*) usage_error "claims: unknown argument '$1'; usage: claims [--exp NAME --run RUN]" ;;
		esac
	done
	[[ -s $file ]] || die "there is no $file"
	if [[ -n $run ]]; then
		run=$(run_dir "$exp" "$run")
		args=(-v "only=$exp" -v "run=$run")
		note "against $run"
	fi
	awk "${args[@]}" -f "$AWK/rows.awk" -f "$AWK/claims.awk" "$file" || rc=$?
	((rc != 2)) || die "$file has mistakes; see above"
	return "$rc"
}
