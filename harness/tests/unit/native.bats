#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# The tables of the testbed `process`, with known answers; its experiment files; its runs.

bats_require_minimum_version 1.5.0
load helper

setup() {
	FILE=$BATS_TEST_TMPDIR/tiny
	printf 'testbed = process\nreps = 2\nruntime_ms = 10\nseed = 5\nsubjects = line spin event\npoint = two quiet null 0 1 1\n' >"$FILE"
}

# normal: the experiment in normal form.
normal() {
	awk -f "$AWK_DIR/native-experiment.awk" "$FILE"
}

# plan: its cells in running order.
plan() {
	normal | awk -f "$AWK_DIR/stats.awk" -f "$AWK_DIR/native-plan.awk"
}

# column NAME: that column of the table on standard input, on one line.
column() {
	awk -F '\t' -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) c = i; next } { printf "%s%s", s, $c; s = " " }'
}

@test "an experiment's plan: every subject once a block, one seed one order" {
	run -0 plan
	[ "$(wc -l <<<"$output")" = 6 ]
	[ "$(cut -f 3,4 <<<"$output" | sort -u | wc -l)" = 6 ]
	[ "$(cut -f 3 <<<"$output" | uniq | wc -l)" = 2 ]
	[ "$output" = "$(plan)" ]
}

@test "mistakes in an experiment are reported with file and line, and nothing is printed" {
	local line
	while IFS='|' read -r line what; do
		printf 'testbed = process\nsubjects = line\n%s\n' "$line" >"$FILE"
		run -2 normal
		[[ $output == "$FILE:3: $what"* ]] || { echo "$output"; return 1; }
	done <<-'EOT'
		reps = 0|reps: '0' is not a whole number
		subjects = spni|subjects: 'spni' is not one of
		point = two quiet null 0 1|point takes six fields
		point = three quiet null 0 1 1|place: 'three' is not one of two one
		point = two quiet null 0 8 1|subject line cannot be measured at
		point = two quiet null 0 1 2|batch 2 is more than depth 1
		counts = pipe|counts: 'pipe' is not a ring
		speed = 1|there is no key 'speed'
		what|'what' is not KEY = VALUE
	EOT
	printf 'testbed = process\n' >"$FILE"
	run -2 normal
	[[ $output == *"no point: nothing to measure"* ]]
}

@test "a cell's row: percentiles of its histogram, rates, and what a request costs" {
	local d=$BATS_TEST_TMPDIR/cells/k
	mkdir -p "$d"
	printf '%s\t%s\n' block p1r1 rep 1 order 3 subject spin place two load quiet backing null bytes 0 depth 1 batch 1 >"$d/cell.tsv"
	{
		printf '%s\t%s\n' requests 1000 elapsed_ns 2000000 front_cpu_ns 2000000 back_cpu_ns 1000000 front_switches 3 back_switches 7
		printf '%s\t%s\n' front_doorbells 500 back_doorbells 0 front_sleeps 0 back_sleeps 0 front_looks 0 back_looks 0 steal_ns 0
		printf 'slice\t400\nslice\t600\nslice\t500\n'
		# 500 of 100..101, 400 of 200..203, 99 of 1000..1015, one of 4096..4159.
		printf 'bucket\t100\t102\t500\nbucket\t200\t204\t400\nbucket\t1000\t1016\t99\nbucket\t4096\t4160\t1\n'
	} >"$d/raw.tsv"
	awk -f "$AWK_DIR/stats.awk" -f "$AWK_DIR/native-cells.awk" "$d/cell.tsv" "$d/raw.tsv" >"$BATS_TEST_TMPDIR/t"
	while read -r name want; do
		[ "$(column "$name" <"$BATS_TEST_TMPDIR/t")" = "$want" ] || { echo "$name: $(column "$name" <"$BATS_TEST_TMPDIR/t")"; return 1; }
	done <<-'EOT'
		status ok
		cell k
		rate 5e+05
		rate_slice 5e+05
		lat_p50_ns 100.5
		lat_p90_ns 201.5
		lat_p99_ns 1007.5
		lat_p999_ns 1007.5
		lat_mean_ns 234.7
		cpu_ns_per_req 3000
		cpu_front_ns_per_req 2000
		switches_per_req 0.01
		doorbells_per_req 0.5
		cpu_pct 150
	EOT
	# No request answered: the cell is not used.
	sed -i 's/^requests.*/requests\t0/' "$d/raw.tsv"
	run -0 awk -f "$AWK_DIR/stats.awk" -f "$AWK_DIR/native-cells.awk" "$d/cell.tsv" "$d/raw.tsv"
	[[ $output == *$'failed\tno request was answered'* ]]
}

# blocks: a cells.tsv of five blocks: spin is 2, 2, 3, 4, 4 times event, adaptive is 0.95 of spin; drift of a factor of ten.
blocks() {
	awk 'BEGIN {
		OFS = "\t"
		print "testbed", "rep", "subject", "place", "load", "backing", "bytes", "depth", "batch", "status", \
			"rate", "rate_slice", "lat_p50_ns", "lat_p99_ns", "cpu_ns_per_req"
		split("2 2 3 4 4", r, " ")
		split("100 10 100 10 100", b, " ")
		for (i = 1; i <= 5; i++) {
			print "process", i, "event", "two", "quiet", "null", 0, 1, 1, "ok", b[i], b[i], 1000 / b[i], 1, 1
			print "process", i, "spin", "two", "quiet", "null", 0, 1, 1, "ok", b[i] * r[i], "-", 1000 / b[i] / r[i], 1, 1
			print "process", i, "adaptive", "two", "quiet", "null", 0, 1, 1, "ok", b[i] * r[i] * 0.95, "-", 1000, 1, 1
		}
		print "process", 6, "spin", "two", "quiet", "null", 0, 1, 1, "failed", 99999, 9, 9, 9, 9
	}'
}

@test "ratios are paired within blocks; the better of event and spin is a base" {
	blocks >"$BATS_TEST_TMPDIR/cells.tsv"
	run -0 awk -v seed=1 -f "$AWK_DIR/stats.awk" -f "$AWK_DIR/table.awk" -f "$AWK_DIR/native-table.awk" -f "$AWK_DIR/native-ratios.awk" \
		"$BATS_TEST_TMPDIR/cells.tsv"
	grep -qP '^process\tspin\tevent\ttwo\tquiet\tnull\t0\t1\t1\trate\t5\t3.0000\t2.0000\t4.0000\t200\t100$' <<<"$output"
	grep -qP '^process\tevent\tspin\t.*\trate\t5\t0.3333\t' <<<"$output"
	grep -qP '^process\tspin\tevent\t.*\tlat_p50_ns\t5\t0.3333\t0.2500\t0.5000\t' <<<"$output"
	grep -qP '^process\tadaptive\tbetter\t.*\trate\t5\t0.9500\t0.9500\t0.9500\t' <<<"$output"
	# A metric that one of them has not got has no row.
	run ! grep -P '^process\tspin\tevent\t.*\trate_slice' <<<"$output"
}

@test "a summary's row: median and quartiles over the repetitions that are used" {
	local head
	head=$(awk 'BEGIN { n = split("lat_mean_ns lat_p90_ns lat_p999_ns cpu_front_ns_per_req cpu_back_ns_per_req switches_per_req doorbells_per_req sleeps_per_req looks_per_req yields_per_req cpu_pct cpu_front_pct cpu_back_pct steal_ppm", w, " "); for (i = 1; i <= n; i++) printf "\t%s", w[i] }')
	blocks | awk -v head="$head" '{ print $0 (NR == 1 ? head : "\t1\t1\t1\t1\t1\t1\t1\t1\t1\t1\t1\t1\t1\t1") }' >"$BATS_TEST_TMPDIR/cells.tsv"
	awk -f "$AWK_DIR/stats.awk" -f "$AWK_DIR/table.awk" -f "$AWK_DIR/native-table.awk" -f "$AWK_DIR/native-summary.awk" \
		"$BATS_TEST_TMPDIR/cells.tsv" >"$BATS_TEST_TMPDIR/s"
	[ "$(column subject <"$BATS_TEST_TMPDIR/s")" = "event spin adaptive" ]
	[ "$(column reps <"$BATS_TEST_TMPDIR/s")" = "5 5 5" ]
	[ "$(column rate <"$BATS_TEST_TMPDIR/s")" = "100 200 190" ]
	[ "$(column rate_lo <"$BATS_TEST_TMPDIR/s")" = "10 40 38" ]
	[ "$(column rate_hi <"$BATS_TEST_TMPDIR/s")" = "100 300 285" ]
	[ "$(column rate_slice <"$BATS_TEST_TMPDIR/s")" = "100 - -" ]
}

@test "cache lines that change hands: a ping-pong's round trip has two transfers and two upgrades" {
	local i
	printf 'regions 1000 A000 80\n' >"$BATS_TEST_TMPDIR/regions"
	# Front (0x1000) and back (0xa000) each read the other's word and write it, on one line.
	for ((i = 0; i < 10; i++)); do
		printf ' L 1000,8\n S 1008,8\n L a008,8\nI  04000,3\n L 7fff0000,8\n S a000,8\n'
	done >"$BATS_TEST_TMPDIR/trace"
	# The first round trip finds neither cache filled: one transfer less.
	[ "$(awk -f "$AWK_DIR/native-lines.awk" "$BATS_TEST_TMPDIR/regions" "$BATS_TEST_TMPDIR/trace")" = $'19\t19' ]
	# An access across the end of a line touches both.
	printf ' S 103c,8\n L a03c,8\n' >"$BATS_TEST_TMPDIR/trace"
	[ "$(awk -f "$AWK_DIR/native-lines.awk" "$BATS_TEST_TMPDIR/regions" "$BATS_TEST_TMPDIR/trace")" = $'2\t0' ]
	: >"$BATS_TEST_TMPDIR/none"
	run -1 awk -f "$AWK_DIR/native-lines.awk" "$BATS_TEST_TMPDIR/none" "$BATS_TEST_TMPDIR/trace"
}

@test "a cell is disturbed where a side that never rests had less than nine tenths of its core, and only there" {
	# disturbed PLACE LOAD BACKING SLEEPS SWITCHES BACK-CPU: of a thousand requests, in a second.
	disturbed() {
		mkdir -p "$BATS_TEST_TMPDIR/cell"
		printf '%s\t%s\n' place "$1" load "$2" backing "$3" depth 1 >"$BATS_TEST_TMPDIR/cell/cell.tsv"
		printf '%s\t%s\n' requests 1000 elapsed_ns 1000000000 front_cpu_ns 990000000 front_switches 3 front_sleeps 0 \
			back_cpu_ns "$6" back_switches "$5" back_sleeps "$4" >"$BATS_TEST_TMPDIR/cell/raw.tsv"
		bash -c '. "$IDDR_TOP/harness/lib/common.sh"; . "$IDDR_TOP/harness/lib/native.sh"; native_disturbed "$1"' x "$BATS_TEST_TMPDIR/cell"
	}
	disturbed two quiet null 0 3 890000000
	run ! disturbed two quiet null 0 3 910000000
	# Who shares a core, has a neighbour, waits for a file, or sleeps, has less by itself.
	run ! disturbed one quiet null 0 3 400000000
	run ! disturbed two hog null 0 3 400000000
	run ! disturbed two quiet file 0 3 400000000
	run ! disturbed two quiet null 20 3 400000000
	run ! disturbed two quiet null 0 1000 400000000
}

@test "a run: measured once, resumed where a cell is missing, labelled process, redrawn" {
	export RESULTS=$BATS_TEST_TMPDIR/results PLOTS_OUT=$BATS_TEST_TMPDIR/plots IDDR_BUILD=$BATS_TEST_TMPDIR/build
	local cells
	bash -c '. "$1/harness/lib/common.sh"; . "$1/harness/lib/native.sh"; native_cpus' x "$TOP" >/dev/null 2>&1 || skip "this needs two cores"
	run -0 "$TOP/harness/iddr" experiment "$FILE" --run r
	[[ $output == *"6 of 6 cells to measure"* ]]
	[ "$(column status <"$RESULTS/tiny/r/cells.tsv")" = "ok ok ok ok ok ok" ]
	[ "$(column testbed <"$RESULTS/tiny/r/summary.tsv")" = "process process process" ]
	[ "$(jq -r '.testbed + " " + (.sessions | length | tostring)' "$RESULTS/tiny/r/manifest.json")" = "process 1" ]
	jq -e '(.sessions[0].noise | to_entries | map(select(.key | endswith("_max_gap_ns")).value > 0) | length == 2 and all) and .sessions[0].noise.line_round_trip_ns > 0 and .environment.back_cpu != .environment.front_cpu' "$RESULTS/tiny/r/manifest.json"
	grep -q 'two processes, native speed' "$PLOTS_OUT/tiny/native-latency.svg"
	cells=("$RESULTS"/tiny/r/cells/*)
	rm -r "${cells[2]}"
	mkdir "$RESULTS/tiny/r/cells/left.partial"
	# A cell of another environment, as a named run may have it, is not used.
	cp -r "${cells[0]}" "$RESULTS/tiny/r/cells/0123456789abcdef"
	run -0 "$TOP/harness/iddr" experiment "$FILE" --run r
	[[ $output == *"1 of 6 cells to measure"* ]]
	[ "$(column status <"$RESULTS/tiny/r/cells.tsv")" = "ok ok ok ok ok ok" ]
	[ ! -e "$RESULTS/tiny/r/cells/left.partial" ]
	run -0 "$TOP/harness/iddr" derive --exp tiny r
	run -0 "$TOP/harness/iddr" compare event spin --exp tiny --run r
	[[ $output == *"spin : event "* ]]
	run -0 "$TOP/harness/iddr" experiment --plan "$FILE"
	[ "$(wc -l <<<"$output")" = 6 ]
}
