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
	[[ $output == *"no mode 'stock'"*"there are: event spin"* ]]
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
