# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# fuzz.sh: fuzz the modules' pure code in user space (modules/test/fuzz), under
# sanitizers, from the committed corpus (modules/test/corpus).

FUZZ_TARGETS=(parse ring check wait)
# Longer inputs only repeat what shorter ones do.
FUZZ_MAX_LEN=400

# fuzz_build MODULES OUT TARGET...: build the fuzz targets of a modules/ tree.
fuzz_build() {
	local modules=$1 out=$2 kdir
	shift 2
	need clang-14 clang-14
	kdir=$(build_kdir)
	mkdir -p -- "$out"
	make -s -C "$modules/test" KINCLUDE="${kdir%-amd64}-common/include" OUT="$out" "${@/#/$out/fuzz_}" >&2 ||
		die "the fuzz targets do not build; the compiler's messages are above"
}

# fuzz_stat LOG NAME: one of the figures that a run closes with; nothing if it broke off.
fuzz_stat() {
	awk -v name="stat::$2:" '$1 == name { v = $2 } END { print v }' "$1"
}

# fuzz_target OUT CORPUS TARGET OPTION...: become the run of one target, whose log is OUT/TARGET.log. Status: 0
# if it found nothing.
fuzz_target() {
	local out=$1 corpus=$2 target=$3
	shift 3
	mkdir -p -- "$out/corpus/$target" "$out/findings/$target"
	exec "$out/fuzz_$target" "$@" -max_len="$FUZZ_MAX_LEN" -timeout=60 -print_final_stats=1 \
		-artifact_prefix="$out/findings/$target/" \
		"$out/corpus/$target" "$corpus/$target" >"$out/$target.log" 2>&1
}

# fuzz_all OUT CORPUS SECONDS TARGET...: run the targets, as many at once as there are processors. Prints, tab
# separated, target, iterations, findings, seconds, committed inputs.
fuzz_all() {
	local out=$1 corpus=$2 seconds=$3 jobs rounds i target iterations findings began
	local -a pids targets option
	shift 3
	targets=("$@")
	jobs=$(nproc)
	rounds=$(((${#targets[@]} + jobs - 1) / jobs))
	option=(-max_total_time=$((seconds / rounds > 0 ? seconds / rounds : 1)))
	# Nothing but what is there already: no iterations beyond it.
	((seconds)) || option=(-runs=0)
	# shellcheck disable=SC2016 # expanded when it runs
	defer 'kill $(jobs -p) 2>/dev/null'
	for ((i = 0; i < ${#targets[@]}; i += jobs)); do
		pids=()
		began=$SECONDS
		for target in "${targets[@]:i:jobs}"; do
			rm -f -- "$out/$target.log"
			fuzz_target "$out" "$corpus" "$target" "${option[@]}" &
			pids+=($!)
		done
		for target in "${targets[@]:i:jobs}"; do
			findings=0
			wait "${pids[0]}" || findings=1
			pids=("${pids[@]:1}")
			iterations=$(fuzz_stat "$out/$target.log" number_of_executed_units)
			[[ -n $iterations ]] ||
				die "fuzzing $target broke off; the log is $out/$target.log"
			printf '%s\t%s\t%s\t%s\t%s\n' "$target" "$iterations" "$findings" "$((SECONDS - began))" \
				"$(find "$corpus/$target" -type f | wc -l)"
		done
	done
}

# fuzz_report OUT: of fuzz_all's lines on standard input, what a user wants to know. Status 1: there is a finding.
fuzz_report() {
	local out=$1 target iterations findings seconds files repro total=0 found=0
	while IFS=$'\t' read -r target iterations findings seconds files; do
		printf '%-6s %12d iterations, %d/s, %d findings (%d inputs committed)\n' "$target" "$iterations" \
			"$((iterations / (seconds > 0 ? seconds : 1)))" "$findings" "$files"
		total=$((total + iterations)) found=$((found + findings))
		if ((findings)); then
			repro=$(awk '/Test unit written to/ { print $NF }' "$out/$target.log")
			grep -aE 'does not hold|ERROR: |runtime error' "$out/$target.log" | head -n 3 | sed 's/^/       /' || true
			printf '       replay it with: %s %s\n' "$out/fuzz_$target" "${repro:-(no input was kept; see $out/$target.log)}"
		fi
	done
	printf '%d iterations, %d findings\n' "$total" "$found"
	((found == 0))
}

# fuzz_commit: the commit that is fuzzed, marked if the modules differ from it.
fuzz_commit() {
	local commit
	commit=$(git -C "$IDDR_TOP" rev-parse --short=12 HEAD 2>/dev/null) || commit=unknown
	[[ $commit == unknown ]] || git -C "$IDDR_TOP" diff --quiet HEAD -- modules || commit+=-changed
	printf '%s\n' "$commit"
}

# fuzz_keep OUT CORPUS TARGET...: replace the committed corpus by the smallest part of it and of what was found
# since that reaches as much of the code.
fuzz_keep() {
	local out=$1 corpus=$2 target
	shift 2
	for target in "$@"; do
		rm -rf -- "$out/kept"
		mkdir -p -- "$out/kept"
		"$out/fuzz_$target" -set_cover_merge=1 -use_counters=0 -max_len="$FUZZ_MAX_LEN" "$out/kept" "$corpus/$target" "$out/corpus/$target" \
			>"$out/$target.merge.log" 2>&1 ||
			die "minimizing the corpus of $target failed; the log is $out/$target.merge.log"
		# Those that find planted errors reach no more code, but see more.
		find "$corpus/$target" -name 'planted-*' -exec cp -- {} "$out/kept" \;
		rm -rf -- "${corpus:?}/$target"
		mv -- "$out/kept" "$corpus/$target"
	done
}

# help: fuzz [--seconds N] [--out DIR] [--keep] -- fuzz the pure code; --out writes DIR/summary.tsv
cmd_fuzz() {
	local target seconds=600 summary='' keep='' modules=$IDDR_TOP/modules out=$IDDR_BUILD/fuzz
	local -a targets=("${FUZZ_TARGETS[@]}")
	while (($#)); do
		case $1 in
		--seconds | --out | --modules | --target) (($# > 1)) || usage_error "$1 needs a value" ;;&
		--seconds) seconds=$2; shift ;;
		--out) summary=$2; shift ;;
		--keep) keep=1 ;;
		# For the tests: another copy of modules/, one target.
		--modules) modules=$2; shift ;;
		--target) targets=("$2"); shift ;;
		*) usage_error "fuzz takes --seconds N (0: replay the corpus only), --out DIR and --keep" ;;
		esac
		shift
	done
	for target in "${targets[@]}"; do
		[[ " ${FUZZ_TARGETS[*]} " == *" $target "* ]] || usage_error "fuzz: there is no target '$target'; there are: ${FUZZ_TARGETS[*]}"
	done
	[[ $seconds =~ ^(0|[1-9][0-9]{0,6})$ ]] || usage_error "--seconds takes a whole number of seconds"
	sysroot_make
	# Two runs at a time would mix up their corpora.
	with_lock "$out/.lock" fuzz_run
}

# fuzz_run: what cmd_fuzz was asked for; its variables.
fuzz_run() {
	local commit
	fuzz_build "$modules" "$out" "${targets[@]}"
	commit=$(fuzz_commit)
	((seconds == 0)) || note "fuzzing ${targets[*]} for $seconds s in all"
	fuzz_all "$out" "$modules/test/corpus" "$seconds" "${targets[@]}" >"$out/summary"
	if [[ -n $summary ]]; then
		mkdir -p -- "$summary"
		{
			printf 'target\titerations\tfindings\tseconds\tcorpus_files\tcommit\n'
			sed "s/\$/\t$commit/" "$out/summary"
		} >"$summary/summary.tsv"
	fi
	fuzz_report "$out" <"$out/summary"
	[[ -z $keep ]] || fuzz_keep "$out" "$modules/test/corpus" "${targets[@]}"
}
