#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
#
# One experiment on several machines: its parts, and putting them together. On the stub testbed; hosts are directories.

load helper
bats_require_minimum_version 1.5.0

setup() {
	pipeline_setup
	mkdir -p "$BATS_TEST_TMPDIR/bin"
	# ssh to a host: its home is a directory, its harness the stub, its boot its own.
	cat >"$BATS_TEST_TMPDIR/bin/ssh" <<-'EOF'
		#!/bin/bash
		while [[ $1 == -* ]]; do [[ $1 != -o ]] || shift; shift; done
		host=$1
		shift
		[[ $1 != -* ]] || shift
		[[ $host != nowhere ]] || { echo "ssh: no host nowhere" >&2; exit 255; }
		export HOME=$SHARD_TMP/$host STUB=$SHARD_TMP/$host/stub IDDR_RUN=$SHARD_TMP/$host/run IDDR_BUILD=$SHARD_TMP/$host/build
		export STUB_BOOT=$host
		[[ $host != other ]] || export STUB_KERNEL=6.2.0
		[[ $host != dying || -e $HOME/died ]] || export STUB_DIE=3
		unset HOSTS RESULTS
		mkdir -p "$STUB"
		cd "$HOME"
		if [[ $1 == *'harness/iddr experiment'* ]]; then
			cp "$SHARD_TMP/iddr" ".cache/iddr/hosts/$host/harness/iddr"
			touch "$HOME/died"
		fi
		exec bash -c "$1"
	EOF
	chmod +x "$BATS_TEST_TMPDIR/bin/ssh"
	# The host's own setup does nothing.
	sed -i 's/^verb=/cmd_setup() { :; }\n&/' "$IDDR"
	export SHARD_TMP=$BATS_TEST_TMPDIR PATH=$BATS_TEST_TMPDIR/bin:$PATH
}

# part I N BOOT: measure a part of tiny as another machine would; its run is printed.
part() {
	RESULTS=$BATS_TEST_TMPDIR/part$1 STUB=$BATS_TEST_TMPDIR/stub$1 STUB_BOOT=$3 bash -c 'mkdir -p "$STUB"; "$IDDR" experiment tiny --shard "$0"' "$1/$2" >&2
	echo "$BATS_TEST_TMPDIR/part$1/tiny"/*
}

@test "the parts of a plan are whole blocks, and all of it" {
	"$IDDR" experiment --plan tiny >"$BATS_TEST_TMPDIR/whole"
	for i in 1 2 3; do
		"$IDDR" experiment --plan tiny --shard "$i/3" >"$BATS_TEST_TMPDIR/part.$i"
		[ -s "$BATS_TEST_TMPDIR/part.$i" ]
		# Four modes a block.
		run -0 awk -F '\t' '{ n[$3]++ } END { for (b in n) if (n[b] != 4) exit 1 }' "$BATS_TEST_TMPDIR/part.$i"
	done
	diff <(sort "$BATS_TEST_TMPDIR"/part.?) <(sort "$BATS_TEST_TMPDIR/whole")
}

@test "a part that there is not is refused" {
	for bad in 0/2 3/2 1 1/ /2 a/b 1/2/3; do
		run -2 "$IDDR" experiment tiny --shard "$bad"
		[[ $output == *"--shard '$bad' is not a part of a whole"* ]]
	done
	run -2 "$IDDR" experiment tiny --shard 5/5
	[[ $output == *"fewer blocks"* ]]
	[ ! -e "$RESULTS" ]
}

@test "parts measured on two machines make the tables of the whole" {
	a=$(part 1 2 one) b=$(part 2 2 two)
	run -0 "$IDDR" merge "$a" "$b"
	[[ $output == *"16 cells of 16 planned ones"* ]]
	dir=$(the_run tiny)
	[ "$(basename "$dir")" = "$(basename "$a")" ]
	[ "$(jq '.sessions | length' "$dir/manifest.json")" -eq 2 ]
	RESULTS=$BATS_TEST_TMPDIR/alone "$IDDR" experiment tiny
	diff "$dir/summary.tsv" "$BATS_TEST_TMPDIR/alone/tiny"/*/summary.tsv
	# Again, and with what is there already: nothing changes.
	before=$(cd "$dir" && find . -name '*.tsv' -exec sha256sum {} + | sort)
	run -0 "$IDDR" merge "$b" "$dir"
	[ "$(cd "$dir" && find . -name '*.tsv' -exec sha256sum {} + | sort)" = "$before" ]
	[ "$(jq '.sessions | length' "$dir/manifest.json")" -eq 2 ]
	# The whole can be gone on with: nothing of it is missing.
	run -0 "$IDDR" experiment tiny
	[[ $output == *"0 of 16 cells to measure"* ]]
}

@test "one part alone is said to be a part" {
	a=$(part 1 2 one)
	run -0 "$IDDR" merge --run half "$a"
	[[ $output == *"8 cells of 16 planned ones"* ]]
	[ -s "$RESULTS/tiny/half/summary.tsv" ]
}

@test "other testbeds, other experiments, other sizes are not mixed, and what differs is named" {
	a=$(part 1 2 one) b=$(STUB_KERNEL=6.2.0 part 2 2 two)
	run -1 "$IDDR" merge --run m "$a" "$b"
	[[ $output == *"not measured alike"*"environment.kernel"* ]]
	[ ! -e "$RESULTS/tiny/m" ]
	sed -i 's/seed = 5/seed = 6/' "$IDDR_CONFIGS/experiments/tiny"
	rm -rf "$BATS_TEST_TMPDIR/part2"
	b=$(part 2 2 two)
	run -1 "$IDDR" merge --run m "$a" "$b"
	[[ $output == *"they differ in: experiment_normal"* ]]
	run -2 "$IDDR" merge "$BATS_TEST_TMPDIR"
	[[ $output == *"is no run with its raw data"* ]]
	run -2 "$IDDR" merge
}

@test "runs that other scripts have measured are not mixed" {
	a=$(part 1 2 one) b=$(part 2 2 two)
	jq '.scripts = "another"' "$b/manifest.json" >"$BATS_TEST_TMPDIR/m" && mv "$BATS_TEST_TMPDIR/m" "$b/manifest.json"
	run -1 "$IDDR" merge "$a" "$b"
	[[ $output == *"they differ in: scripts"* ]]
	echo nonsense >"$b/manifest.json"
	run -1 "$IDDR" merge "$a" "$b"
	[[ $output == *"cannot read $b/manifest.json"* ]]
}

@test "a cell that was written to on one side is not taken for the same" {
	a=$(part 1 2 one) b=$(part 2 2 two)
	"$IDDR" merge "$a" "$b"
	cell=("$a/cells"/*)
	echo "something else" >>"${cell[0]}/cell.json"
	run -1 "$IDDR" merge "$a" "$b"
	[[ $output == *"ought to be the same cell"* ]]
}

@test "HOSTS: each measures its part, in a tree of this one's, and the whole is here" {
	HOSTS="alpha beta" run "$IDDR" experiment tiny
	[ "$status" -eq 0 ]
	[[ $output == *"alpha:"*" rep 1 randread"* && $output == *"beta:"*" rep 1 randread"* ]]
	[[ $output == *"16 cells of 16 planned ones"* ]]
	[ "$(wc -l <"$BATS_TEST_TMPDIR/alpha/stub/ran")" -eq 8 ]
	[ "$(wc -l <"$BATS_TEST_TMPDIR/beta/stub/ran")" -eq 8 ]
	[ ! -e "$STUB/ran" ]
	cmp "$TOP/harness/lib/shard.sh" "$BATS_TEST_TMPDIR/alpha/.cache/iddr/hosts/alpha/harness/lib/shard.sh"
	[ ! -e "$BATS_TEST_TMPDIR/alpha/.cache/iddr/hosts/alpha/.git" ]
	# Again: they have their cells.
	HOSTS="alpha beta" run "$IDDR" experiment tiny
	[ "$status" -eq 0 ]
	[ "$(wc -l <"$BATS_TEST_TMPDIR/alpha/stub/ran")" -eq 8 ]
}

@test "HOSTS: one that cannot be reached, and one that dies: named, the rest is kept, the same command goes on" {
	HOSTS="alpha nowhere" run "$IDDR" experiment tiny
	[ "$status" -eq 1 ]
	[[ $output == *"cannot reach nowhere"*"8 cells of 16"*"not finished: nowhere"* ]]
	HOSTS="alpha dying" run "$IDDR" experiment tiny
	[ "$status" -eq 1 ]
	[[ $output == *"11 cells of 16"*"not finished: dying"* ]]
	HOSTS="alpha dying" run "$IDDR" experiment tiny
	[ "$status" -eq 0 ]
	[[ $output == *"16 cells of 16"* ]]
}

@test "HOSTS: a testbed that is not like the others is refused" {
	HOSTS="alpha other" run "$IDDR" experiment tiny
	[ "$status" -eq 1 ]
	[[ $output == *"environment.kernel"* ]]
	HOSTS="nowhere" run "$IDDR" experiment tiny
	[ "$status" -eq 1 ]
	[[ $output == *"no host has measured anything"* ]]
	HOSTS="alpha" run -2 "$IDDR" experiment tiny --shard 1/2
	HOSTS="alpha alpha" run -2 "$IDDR" experiment tiny
	[[ $output == *"names a host twice"* ]]
}
