#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# A request's stages, from made-up traces of two domains whose clocks differ.

bats_require_minimum_version 1.5.0
load helper

# trace DOM OFFSET BELLS REQUESTS [SLOW]: a trace: a request each 1000 us of the clock of DOM, which is OFFSET us ahead. In microseconds after
# its begin: in the ring 10, the back end's upcall 30 (if BELLS), taken 50, device 60 to 80, answered 90, upcall 110 (if BELLS), taken
# there 130 and SLOW, complete 140 and SLOW.
trace() {
	awk -v dom="$1" -v offset="$2" -v bells="$3" -v n="$4" -v slow="${5:-0}" '
		function say(us, text) { printf "  some task-%d [000] d..1. %.6f: %s\n", 12, (i * 1000 + us + offset) / 1e6, text }
		BEGIN {
			for (i = 1; i <= n; i++) {
				if (dom == "app") {
					say(0, "block_rq_issue: 202,0 R 4096 () 0 + 8 [fio]")
					say(10, "iddr_request: vbd-51712 front queue=0 id=3 operation=0 bytes=4096")
					if (bells) say(110, "iddr_upcall: vbd-51712 front queue=0 value=1")
					say(130 + slow, "iddr_response: vbd-51712 front queue=0 id=3 operation=0 status=0")
					say(140 + slow, "block_rq_complete: 202,0 R () 0 + 8 [0]")
				} else {
					if (bells) say(30, "iddr_upcall: vbd-1-51712 back queue=0 value=1")
					say(50, "iddr_request: vbd-1-51712 back queue=0 id=3 operation=0 bytes=4096")
					say(60, "block_bio_queue: 1,0 R 0 + 8 [iddrb]")
					say(80, "block_bio_complete: 1,0 R 0 + 8 [0]")
					say(90, "iddr_response: vbd-1-51712 back queue=0 id=3 operation=0 status=0")
				}
			}
		}'
}

# cell NAME MODE BELLS [SLOW]: its stages.tsv. The storage domain is 5 s ahead, and its buffer has lost more.
cell() {
	trace app 0 "$3" 20 "${4:-0}" >"$BATS_TEST_TMPDIR/app"
	trace storage 5000000 "$3" 20 | tail -n 60 >"$BATS_TEST_TMPDIR/storage"
	{
		printf '%s\t%s\n' mode "$2" boot b time 1
		awk -v unit=1e9 -f "$AWK_DIR/stages.awk" "$BATS_TEST_TMPDIR/app" "$BATS_TEST_TMPDIR/storage"
	} >"$BATS_TEST_TMPDIR/$1.stages"
}

# breakdown FILE...: the table.
breakdown() {
	awk -f "$AWK_DIR/stats.awk" -f "$AWK_DIR/breakdown.awk" "$@"
}

@test "requests are matched from the end; each domain's own times are known without the other's clock" {
	cell a event 1
	grep -qx $'submit\t10000' "$BATS_TEST_TMPDIR/a.stages"
	grep -qx $'device\t20000' "$BATS_TEST_TMPDIR/a.stages"
	grep -qx $'back\t20000' "$BATS_TEST_TMPDIR/a.stages"
	grep -qx $'complete\t10000' "$BATS_TEST_TMPDIR/a.stages"
	(($(awk '$1 == "requests" { print $2 }' "$BATS_TEST_TMPDIR/a.stages") >= 10))
}

@test "the clocks' difference is that of a cell where both sides look; the stages of all modes add up" {
	cell a event 1 40
	cell b spin 0
	run breakdown "$BATS_TEST_TMPDIR"/{a,b}.stages
	# submit signal take back device signal_back take_back complete total
	[[ ${lines[1]} == $'event\t1\t'*$'\t10.0\t20.0\t20.0\t20.0\t20.0\t20.0\t60.0\t10.0\t180.0' ]]
	[[ ${lines[2]} == $'spin\t1\t'*$'\t10.0\t0.0\t40.0\t20.0\t20.0\t0.0\t40.0\t10.0\t140.0' ]]
}

@test "without such cells nothing is told of ways that no clock has; an empty trace is no cell" {
	cell a event 1
	[ "$(breakdown "$BATS_TEST_TMPDIR/a.stages" | wc -l)" -eq 1 ]
	awk -v unit=1e9 -f "$AWK_DIR/stages.awk" /dev/null /dev/null >"$BATS_TEST_TMPDIR/empty"
	[ "$(cat "$BATS_TEST_TMPDIR/empty")" = $'requests\t0' ]
}

@test "an experiment that traces has one request in flight" {
	printf 'trace = stages\nmodes = event\npoint = randread 4k 8\n' >"$BATS_TEST_TMPDIR/e"
	run -2 awk -f "$AWK_DIR/experiment.awk" "$BATS_TEST_TMPDIR/e"
	[[ $output == *"trace = stages wants queue depth 1"* ]]
}
