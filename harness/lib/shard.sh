# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# shard.sh: one experiment on several machines. Blocks are independent: all modes of a point are measured in one boot of
# one testbed, and compared there. So each machine takes every Nth block, and the cells are put together by their keys.

# Where a host of $HOSTS keeps the tree and its results, in a directory of its name (homes may be shared) below that of its user.
SHARD_DIR=.cache/iddr/hosts

# shard_plan I/N: of the plan on standard input, the lines of every Nth block from the Ith on.
shard_plan() {
	awk -F '\t' -v i="${1%/*}" -v n="${1#*/}" '!($3 in block) { block[$3] = blocks++ } block[$3] % n == i - 1'
}

# shard_check I/N: leave with an error if it is not a part of a whole.
shard_check() {
	if [[ ! $1 =~ ^([1-9][0-9]{0,3})/([1-9][0-9]{0,3})$ ]] || ((BASH_REMATCH[1] > BASH_REMATCH[2])); then
		usage_error "--shard '$1' is not a part of a whole; 2/3 is the second of three"
	fi
}

# run_identity DIR: what a run must have in common with those that its cells are mixed with.
run_identity() {
	jq -r "def determinants: $(<"$JQ/determinants.jq"); $(<"$JQ/identity.jq")" "$1/manifest.json"
}

# merge_check FIRST DIR: die if the cells of both must not be in one run.
merge_check() {
	local differ first other
	first=$(run_identity "$1") || die "cannot read $1/manifest.json"
	other=$(run_identity "$2") || die "cannot read $2/manifest.json"
	differ=$(diff <(printf '%s\n' "$first") <(printf '%s\n' "$other") | sed -n 's/^[<>] //p' | cut -f 1 | sort -u || true)
	[[ -z $differ ]] ||
		die "$1 and $2 were not measured alike, and are not mixed; they differ in: ${differ//$'\n'/, }"
}

# merge_cells FROM TO: copy the cells that TO lacks.
merge_cells() {
	local cell to
	for cell in "$1"/cells/*; do
		[[ -d $cell && $cell != *.partial ]] || continue
		to=$2/cells/${cell##*/}
		if [[ -d $to ]]; then
			diff -r -q -- "$cell" "$to" >&2 || die "$cell and $to ought to be the same cell, and are not; nobody should have written to either"
			continue
		fi
		rm -rf -- "$to.partial"
		if ! cp -r -- "$cell" "$to.partial" || ! mv -T -- "$to.partial" "$to"; then
			results_writable "$2"
			die "cannot copy $cell to $2"
		fi
	done
}

# merge_runs EXPERIMENT RUN DIR...: put the cells of the runs in DIR... into RUN (empty: the first one's name); sets MERGED.
merge_runs() {
	local name=$1 dir manifests=()
	MERGED=$RESULTS/$name/${2:-$(jq -r .run "$3/manifest.json")}
	for dir in "${@:4}"; do
		merge_check "$3" "$dir"
	done
	if [[ -s $MERGED/manifest.json ]]; then
		merge_check "$3" "$MERGED"
		manifests+=("$MERGED/manifest.json")
	fi
	results_writable "$MERGED"
	for dir in "${@:3}"; do
		[[ $dir -ef $MERGED ]] || manifests+=("$dir/manifest.json")
	done
	# First what says what they are, then the cells.
	[[ -s $MERGED/experiment ]] || cp -- "$3/experiment" "$MERGED/"
	jq -s --arg run "$(basename -- "$MERGED")" '.[0] + {run: $run, created: (map(.created) | min), sessions: (map(.sessions[]) | unique | sort_by(.started))}' \
		"${manifests[@]}" >"$MERGED/manifest.json.tmp"
	mv -- "$MERGED/manifest.json.tmp" "$MERGED/manifest.json"
	mkdir -p -- "$MERGED/cells"
	for dir in "${@:3}"; do
		[[ ! $dir -ef $MERGED ]] || continue
		merge_cells "$dir" "$MERGED"
		cat -- "$dir/keys" >>"$MERGED/keys"
	done
	sort -u -o "$MERGED/keys" "$MERGED/keys"
}

# merge_finish NAME: make the tables and figures of $MERGED, and say how much of the plan it has.
merge_finish() {
	local planned finished
	derive_run "$MERGED"
	figures_draw "$MERGED" "$1"
	planned=$(jq -j .experiment_normal "$MERGED/manifest.json" | experiment_plan | wc -l)
	finished=$(cells_finished "$MERGED" | cut -f 1 | sort -u | grep -cxFf "$MERGED/keys" || true)
	note "$MERGED: $finished cells of $planned planned ones"
	note "tables: $MERGED/{summary,ratios,cells}.tsv"
}

# help: merge [--run RUN] DIR... -- put the cells of runs of one experiment, measured alike on several machines, into one run, with tables and figures
cmd_merge() {
	local run='' dir name dirs=()
	while (($#)); do
		case $1 in
		--run)
			(($# > 1)) || usage_error "merge: --run wants a name"
			run=$2 && shift 2
			;;
		-*) usage_error "merge: unknown option '$1'; usage: merge [--run RUN] DIR..." ;;
		*) dirs+=("${1%/}") && shift ;;
		esac
	done
	((${#dirs[@]})) || usage_error "merge: which runs? usage: merge [--run RUN] DIR..."
	[[ -z $run || $run =~ ^[A-Za-z0-9._-]+$ ]] || usage_error "merge: RUN '$run' must be a plain name of letters, digits and . _ -"
	need jq jq
	for dir in "${dirs[@]}"; do
		[[ -s $dir/manifest.json && -s $dir/keys && -d $dir/cells ]] ||
			usage_error "merge: '$dir' is no run with its raw data: it lacks manifest.json, keys or cells"
		! native_run "$dir" || usage_error "merge: '$dir' was measured without a testbed, all of it at once: there is nothing to put together"
	done
	name=$(jq -r .experiment "${dirs[0]}/manifest.json")
	merge_runs "$name" "$run" "${dirs[@]}"
	merge_finish "$name"
}

# shard_ssh HOST [OPTION...] COMMAND: run a shell command on a host.
shard_ssh() {
	ssh -o BatchMode=yes -o ServerAliveInterval=30 "${@:2:$#-2}" "$1" "${!#}"
}

# cmd_shard-on HOST I/N NAME SIZE RUN OUT: (for parallel) measure a part of an experiment on a host; its run is in OUT then.
cmd_shard_on() {
	local host=$1 shard=$2 name=$3 size=$4 run=$5 out=$6 rc=0 words place=$SHARD_DIR/${1//[^A-Za-z0-9._@-]/_}
	note "sending the tree"
	tar -C "$IDDR_TOP" --exclude=./build --exclude=./results --exclude=./plots/out --exclude=./.git -cf - . |
		shard_ssh "$host" "mkdir -p $place && cd $place && find . -mindepth 1 -maxdepth 1 ! -name build ! -name results -exec rm -rf {} + && tar -xf -" ||
		die "cannot reach $host, or write there; does 'ssh -o BatchMode=yes $host true' work?"
	printf -v words '%q ' "$name" --size "$size" --run "$run" --shard "$shard"
	# With a terminal, so that it ends there when it is ended here.
	shard_ssh "$host" -tt "cd $place && export RESULTS=\$PWD/results && { [ \$(id -u) != 0 ] || harness/iddr setup; } && harness/iddr experiment $words" </dev/null || rc=$?
	# What is finished counts in any case.
	mkdir -p -- "$out.partial"
	printf -v words '%q' "results/$name/$run"
	shard_ssh "$host" "cd $place && tar -cf - -C $words ." </dev/null | tar -xf - -C "$out.partial" ||
		die "the results could not be fetched from $host; what is finished is kept there, and the same command goes on"
	mv -T -- "$out.partial" "$out"
	return "$rc"
}

# experiment_on_hosts NAME FILE SIZE RUN: measure an experiment on $HOSTS, a part on each.
experiment_on_hosts() {
	local name file=$2 size=$3 run=$4 work i failed='' hosts dirs=()
	# shellcheck disable=SC2153 # set in experiment.sh
	read -ra hosts -d '' <<<"$HOSTS" || true
	[[ -z $(printf '%s\n' "${hosts[@]}" | sort | uniq -d) ]] || usage_error "HOSTS names a host twice; a testbed measures for one at a time"
	[[ $file == "$IDDR_CONFIGS/experiments/"* ]] ||
		usage_error "with HOSTS, the experiment must be one of configs/experiments: the hosts get this tree"
	name=$(basename -- "$file")
	need parallel parallel
	need ssh openssh-client
	# The same on all of them, whatever they are, and another for another tree: what does not go together is found when it is merged.
	[[ -n $run ]] || run=hosts-$({
		cat -- "$file"
		printf '%s\n' "$size"
		cd -- "$IDDR_TOP" && find modules harness configs -type f ! -path '*/tests/*' -print0 | sort -z | xargs -0 sha256sum --
	} | text_key)
	work=$(mktemp -d)
	# shellcheck disable=SC2064 # the directory of now
	defer "rm -rf -- '$work'"
	note "experiment $name, size $size, run $run, on ${#hosts[@]} hosts: ${hosts[*]}"
	parallel --will-cite --no-run-if-empty -j "${#hosts[@]}" --line-buffer --tagstring '{1}:' \
		"$(printf '%q' "$0")" shard-on '{1}' "{#}/${#hosts[@]}" "$name" "$size" "$run" "$work/{#}" '&&' touch "$work/{#}.done" ::: "${hosts[@]}" >&2 || true
	for ((i = 1; i <= ${#hosts[@]}; i++)); do
		[[ -e $work/$i.done ]] || failed+="${hosts[i - 1]} "
		[[ ! -s $work/$i/manifest.json || ! -s $work/$i/keys ]] || dirs+=("$work/$i")
	done
	((${#dirs[@]})) || die "no host has measured anything; see above"
	merge_runs "$name" "$run" "${dirs[@]}"
	merge_finish "$name"
	[[ -z $failed ]] || die "not finished: $failed; what is there is kept, here and there, and the same command goes on"
}
