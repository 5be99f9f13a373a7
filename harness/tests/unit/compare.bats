#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0

load helper
setup() {
	pipeline_setup
	mkdir -p "$RESULTS/quick/one"
	# Five blocks at one point; spin is 2, 2, 3, 4, 4 times as fast as event; drift of a factor of ten between blocks.
	awk 'BEGIN {
		OFS = "\t"
		print "testbed", "block", "rep", "order", "front", "back", "data", "backing", "rw", "bs", "qd", "jobs", "queues", "status", \
			"reason", "boot", "iops", "lat_p50_us", "lat_p99_us", "cpu_us_per_io", "notify_per_io", "irq_per_io", "ctxsw_per_io"
		split("2 2 3 4 4", r, " ")
		split("100 10 100 10 100", b, " ")
		for (i = 1; i <= 5; i++) {
			print "tcg", "r" i, i, 1, "event", "event", "persistent", "ram", "randread", "4k", 1, 1, 1, "ok", "-", "B", \
				b[i], 100, 200, 50, 2, 2, 4
			print "tcg", "r" i, i, 2, "spin", "spin", "persistent", "ram", "randread", "4k", 1, 1, 1, "ok", "-", "B", \
				b[i] * r[i], 100 / r[i], 100, 100, 0, 0, 1
		}
		print "tcg", "r6", 6, 1, "spin", "spin", "persistent", "ram", "randread", "4k", 1, 1, 1, "failed", "lost", "B", \
			99999, 1, 1, 1, 1, 1, 1
	}' >"$RESULTS/quick/one/cells.tsv"
}

@test "ratios are paired within blocks: drift does not enter them" {
	run "$IDDR" compare event spin
	[ "$status" -eq 0 ]
	[[ $output == *"randread      4k      1   5"* ]]
	[[ $output == *"3.00 [2.00, 4.00]"* ]]
	[[ $output == *"2.00 [2.00, 2.00]"* ]]
	[[ $output == *"0.25 [0.25, 0.25]"* ]]
}

@test "B over A: turned round it is the inverse" {
	run "$IDDR" compare spin event
	[[ $output == *"0.33 [0.25, 0.50]"* ]]
}

@test "where the base is zero both numbers are shown, no ratio" {
	run "$IDDR" compare spin event
	[ "$status" -eq 0 ]
	[[ $output == *"2 : 0"* ]]
}

@test "the testbed is named, and that emulated times say nothing" {
	run "$IDDR" compare event/event spin/spin
	[[ $output == *"testbed: tcg (TCG-emulated: ratios only"* ]]
}

@test "a mode that was not measured, a run that is not there, a missing name" {
	run "$IDDR" compare event stock
	[ "$status" -eq 2 ]
	[[ $output == *"'stock' is neither a mode in"*"there are: event spin"* ]]
	run "$IDDR" compare event spin --run nonesuch
	[ "$status" -eq 2 ]
	run "$IDDR" compare event
	[ "$status" -eq 2 ]
	run "$IDDR" compare event event/event
	[ "$status" -eq 2 ]
	[[ $output == *"the same mode twice"* ]]
	run "$IDDR" compare event spin --run "$BATS_TEST_TMPDIR"
	[ "$status" -eq 2 ]
	[[ $output == *"is no run"* ]]
	run "$IDDR" compare event spin --exp nothing
	[ "$status" -eq 1 ]
	[[ $output == *"run 'make experiment EXP=nothing'"* ]]
}

@test "without a run of one's own the reference is used" {
	mkdir -p "$RESULTS/reference"
	mv "$RESULTS/quick/one" "$RESULTS/reference/quick"
	run "$IDDR" compare event spin
	[ "$status" -eq 0 ]
	[[ $output == *"results/reference/quick"* ]]
}

@test "the newest run is the default" {
	cp -r "$RESULTS/quick/one" "$RESULTS/quick/two"
	touch -d '2020-01-01' "$RESULTS/quick/two/cells.tsv"
	run "$IDDR" compare event spin
	[[ $output == *"/quick/one"* ]]
	touch -d '2030-01-01' "$RESULTS/quick/two/cells.tsv"
	run "$IDDR" compare event spin
	[[ $output == *"/quick/two"* ]]
}

# run_of NAME MODES FACTOR...: a run of the experiment quick; a block a FACTOR, in which event does 100 IOPS times it, and spin twice
# that and stock half of it, if they are among MODES.
run_of() {
	local dir=$RESULTS/quick/$1 modes=$2
	shift 2
	mkdir -p "$dir"
	awk -v modes="$modes" -v factors="$*" 'BEGIN {
		OFS = "\t"
		print "testbed", "block", "rep", "order", "front", "back", "data", "backing", "rw", "bs", "qd", "jobs", "queues", "status", \
			"reason", "boot", "iops", "lat_p50_us", "lat_p99_us", "cpu_us_per_io", "notify_per_io", "irq_per_io", "ctxsw_per_io"
		n = split(factors, f, " ")
		m = split(modes, mode, " ")
		for (i = 1; i <= n; i++)
			for (j = 1; j <= m; j++)
				print "tcg", "r" i, i, j, mode[j], mode[j], "persistent", "ram", "randread", "4k", 1, 1, 1, "ok", "-", "B", \
					100 * f[i] * (mode[j] == "spin" ? 2 : mode[j] == "stock" ? 0.5 : 1), 10, 20, 50, 0, 2, 4
	}' >"$dir/cells.tsv"
}

# verdict_of MODE: the end of the line of a mode in what was printed.
verdict_of() {
	grep -E "^$1 " <<<"$output"
}

@test "a verdict ends each line: faster, slower, or no difference shown, by the interval alone" {
	run "$IDDR" compare event spin
	[[ $(grep '^randread' <<<"$output") == *"  faster" ]]
	run "$IDDR" compare spin event
	[[ $(grep '^randread' <<<"$output") == *"  slower" ]]
	# One repetition of five in which spin is no faster: its interval reaches 1.
	awk 'BEGIN { FS = OFS = "\t" } $2 == "r1" && $5 == "spin" { $17 = 100 } { print }' "$RESULTS/quick/one/cells.tsv" >"$RESULTS/c"
	mv "$RESULTS/c" "$RESULTS/quick/one/cells.tsv"
	run "$IDDR" compare event spin
	[[ $(grep '^randread' <<<"$output") == *"3.00 [1.00, 4.00]"*"  no difference shown" ]]
}

@test "four repetitions show no difference, however large" {
	run_of four "event spin" 1 1 1 1
	run "$IDDR" compare event spin --run four
	[[ $output == *"2.00 [2.00, 2.00]"*"no difference shown (n < 5)"* ]]
}

@test "runs: the ratio of each mode, unpaired" {
	run_of slow "event spin" 1 1 1 1 1
	run_of wide "event spin" 1 2 3 4 5 6 7
	run "$IDDR" compare quick/slow quick/wide
	[ "$status" -eq 0 ]
	# Those of 1 to 7 over a constant, five times: the sixth from either end of 35 pairs, as five in the wrong order may come by chance.
	[[ $(verdict_of event) == *" 5 "*"4.00 [2.00, 6.00]"*"  faster" ]]
	[[ $(verdict_of spin) == *"4.00 [2.00, 6.00]"*"  faster" ]]
	[[ $output == *"what else the machine did is in it"* ]]
	run "$IDDR" compare quick/wide quick/slow
	[[ $(verdict_of event) == *"0.25 [0.17, 0.50]"*"  slower" ]]
	run "$IDDR" compare "$RESULTS/quick/wide" "$RESULTS/quick/slow"
	[[ $(verdict_of event) == *"0.25 [0.17, 0.50]"*"  slower" ]]
}

@test "runs that have the stock pair, emulated: relative to it, so that a faster machine is no difference" {
	run_of morning "event stock" 1 1 1 1 1
	run_of evening "event spin stock" 3 4 3 5 3
	run "$IDDR" compare quick/morning quick/evening
	[[ $(grep '^randread' <<<"$output") == *"1.00 [1.00, 1.00]"*"  no difference shown" ]]
	[[ $output == *"all lines: mode event, backing ram"*"relative to stock"* || $output == *"relative to stock"*"all lines: mode event, backing ram"* ]]
	# On hardware time is time.
	sed -i 's/^tcg/xen/' "$RESULTS"/quick/{morning,evening}/cells.tsv
	run "$IDDR" compare quick/morning quick/evening
	[[ $(verdict_of event) == *"3.00 [3.00, 5.00]"*"  faster" ]]
}

@test "experiments: their newest runs; what differs in the manifests is said" {
	run_of base "event" 1 1 1 1 1
	mkdir -p "$RESULTS/other"
	mv "$RESULTS/quick/base" "$RESULTS/other/"
	echo '{"environment": {"xen": "4.17", "kernel": "6.1"}, "app": {"a": 1, "b": 2}}' >"$RESULTS/other/base/manifest.json"
	run_of new "event" 2 2 2 2 2
	touch -d '2030-01-01' "$RESULTS/quick/new/cells.tsv"
	echo '{"environment": {"xen": "4.18", "kernel": "6.1"}, "app": {"a": 1, "b": 3}}' >"$RESULTS/quick/new/manifest.json"
	run "$IDDR" compare other quick
	[ "$status" -eq 0 ]
	[[ $output == *"in their manifests differ: xen, 1 settings of the application domain"* ]]
	[[ $(grep '^randread' <<<"$output") == *"2.00 [2.00, 2.00]"*"  faster" ]]
}

@test "what cannot be compared: one run, two testbeds, nothing in common, a mode with a run" {
	run_of a "event" 1 1 1 1 1
	run_of b "spin" 1 1 1 1 1
	run "$IDDR" compare quick/a quick/a
	[ "$status" -eq 2 ]
	[[ $output == *"both are the same run"* ]]
	run "$IDDR" compare quick/a quick/b
	[ "$status" -eq 1 ]
	[[ $output == *"no mode and point that both"* ]]
	sed -i 's/^tcg/xen/' "$RESULTS/quick/b/cells.tsv"
	run "$IDDR" compare quick/a quick/b
	[ "$status" -eq 1 ]
	[[ $output == *"different testbeds (tcg, xen)"* ]]
	run "$IDDR" compare quick/a spin
	[ "$status" -eq 2 ]
	[[ $output == *"'quick/a' is neither a mode in"*"nor a run"* ]]
}

@test "the testbed process: subjects of a run, paired; its native is the experiment where the other one is a run" {
	mkdir "$RESULTS/reference"
	cp -r "$TOP"/results/reference/{native,waiting} "$RESULTS/reference/"
	# One depth of it will do.
	awk -F '\t' 'NR == 1 || $6 == "two" && $10 == 1' "$TOP/results/reference/native/cells.tsv" \
		>"$RESULTS/reference/native/cells.tsv"
	run "$IDDR" compare event spin --run "$RESULTS/reference/native"
	[ "$status" -eq 0 ]
	# As ratios.tsv has it.
	[[ $(grep -E '^two +quiet +null +0 +1 ' <<<"$output") == *"251.96 [243.97, 257.64]"*"  faster" ]]
	[[ $(grep -E '^two +hog +null +0 +1 ' <<<"$output") == *"  slower" ]]
	cp -r "$RESULTS/reference/native" "$RESULTS/again"
	run "$IDDR" compare native "$RESULTS/again"
	[ "$status" -eq 0 ]
	[[ $(grep -E '^spin +two +quiet +null +0 +1 ' <<<"$output") == *"1.00 ["*"  no difference shown" ]]
	run "$IDDR" compare native stock --run "$RESULTS/reference/waiting"
	[ "$status" -eq 0 ]
	[[ $output == *"stock : native"* ]]
}
