#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0

load helper

# normal LINE...: read an experiment of these lines.
normal() {
	printf '%s\n' "$@" >"$BATS_TEST_TMPDIR/e"
	run awk -f "$AWK_DIR/experiment.awk" "$BATS_TEST_TMPDIR/e"
}

# refused LINE-NUMBER TEXT: the experiment was refused at that line with that text.
refused() {
	[ "$status" -eq 2 ]
	[[ $output == *"$BATS_TEST_TMPDIR/e:$1: "*"$2"* ]]
}

@test "lists, products, comments and defaults" {
	normal '# a comment' 'modes = spin stock  # both' '' 'point=randread 4096,64K 1, 8' 'seed = 7'
	[ "$status" -eq 0 ]
	[[ $output == *$'modes\tspin/spin@persistent@1q stock/stock@persistent@1q\n'* ]]
	[[ $output == *$'reps\t5\n'* && $output == *$'runtime_s\t3\n'* && $output == *$'seed\t7\n'* ]]
	[ "$(grep -c ^point <<<"$output")" -eq 4 ]
	[[ $output == *$'point\trandread\t4k\t1\n'* && $output == *$'point\trandread\t64k\t8'* ]]
}

@test "rw, bs and qd are one more product" {
	normal 'modes = stock' 'rw = randread randwrite' 'bs = 4k' 'qd = 1 32'
	[ "$status" -eq 0 ]
	[ "$(grep -c ^point <<<"$output")" -eq 4 ]
}

@test "several application domains, and what they do not go with" {
	normal 'modes = event stock' 'point = randread 4k 1' 'app_domains = 1,2,4'
	[ "$status" -eq 0 ]
	[[ $output == *$'app_domains\t1 2 4\n'* ]]
	[ "$(awk -f "$AWK_DIR/stats.awk" -f "$AWK_DIR/plan.awk" <<<"$output" | cut -f 14 | sort | uniq -c | xargs)" = "10 1 10 2 10 4" ]
	normal 'modes = event' 'point = randread 4k 1' 'app_domains = 5'
	refused 3 "'5' is not a whole number from 1 to 4"
	normal 'modes = event native' 'point = randread 4k 1' 'app_domains = 2'
	refused 1 "modes: 'native/native@-@-' cannot be had in several application domains"
	normal 'modes = event@map' 'point = randread 4k 1' 'app_domains = 2'
	refused 1 "modes: 'event/event@map@1q' cannot be had in several"
	normal 'modes = event' 'point = idle' 'app_domains = 2'
	[ "$status" -eq 2 ]
	[[ $output == *"points 'idle' and 'app' cannot"* ]]
	normal 'modes = event' 'point = randread 4k 1' 'app_domains = 2' 'backing = nvme'
	[ "$status" -eq 2 ]
	[[ $output == *"neither with another backing than ram"* ]]
}

@test "a key that is not given has its default" {
	normal 'modes = event' 'point = randread 4k 1'
	[[ $output == *$'trace\tnone\n'* && $output == *$'app_domains\t1\n'* ]]
}

@test "an unknown key" {
	normal 'modes = stock' 'repz = 4' 'point = randread 4k 1'
	refused 2 "unknown key 'repz'; known keys: modes"
}

@test "an unknown mode" {
	normal 'modes = stock event/spinn' 'point = randread 4k 1'
	refused 1 "unknown mode 'event/spinn'; allowed: FRONT/BACK"
	normal 'modes = event/spin/event' 'point = randread 4k 1'
	refused 1 "unknown mode"
}

@test "not a number, and numbers out of bounds" {
	normal 'modes = stock' 'point = randread 4k 1' 'reps = five'
	refused 3 "'five' is not a whole number from 1 to 1000"
	normal 'modes = stock' 'point = randread 4k 0'
	refused 2 "'0' is not a whole number from 1 to 1024"
	normal 'modes = stock' 'point = randread 4k 1' 'runtime_s = 1.5'
	refused 3 "'1.5' is not"
	normal 'modes = stock' 'point = randread 4k 99999999999999999999'
	refused 2 "is not a whole number"
}

@test "wrong operations and block sizes" {
	normal 'modes = stock' 'point = readrand 4k 1'
	refused 2 "unknown operation 'readrand'; allowed: randread"
	normal 'modes = stock' 'point = randread 1000 1'
	refused 2 "'1000' is not a block size"
	normal 'modes = stock' 'point = randread 2m 1'
	refused 2 "'2m' is not a block size"
}

@test "a line without =, an empty value, a key twice, a point twice" {
	normal 'modes stock' 'point = randread 4k 1'
	refused 1 "not of the form KEY = VALUE"
	normal 'modes =' 'point = randread 4k 1'
	refused 1 "modes has no value"
	normal 'modes = stock' 'reps = 2' 'point = randread 4k 1' 'reps = 3'
	refused 4 "reps is set twice (first in line 2)"
	normal 'modes = stock' 'point = randread 4k 1' 'point = randread 4096 1'
	refused 3 "is named twice (first in line 2)"
	normal 'modes = stock stock' 'point = randread 4k 1'
	refused 1 "'stock/stock@persistent@1q' is named twice"
}

@test "nothing to measure, no modes, half a product" {
	normal 'modes = stock'
	[ "$status" -eq 2 ]
	[[ $output == *"no point to measure"* ]]
	normal 'point = randread 4k 1'
	[ "$status" -eq 2 ]
	[[ $output == *"modes is missing"* ]]
	normal 'modes = stock' 'rw = randread'
	[ "$status" -eq 2 ]
	[[ $output == *"given together"* ]]
	normal ''
	[ "$status" -eq 2 ]
}

@test "every mistake is reported, not the first only" {
	normal 'modes = stok' 'reps = x' 'point = randread 4k 1'
	refused 1 "unknown mode"
	refused 2 "not a whole number"
}

@test "it is data: nothing in it is ever run" {
	# shellcheck disable=SC2016 # that is the point
	normal 'modes = stock' 'point = randread 4k 1' 'seed = $(touch '"$BATS_TEST_TMPDIR"'/owned)'
	[ "$status" -eq 2 ]
	[ ! -e "$BATS_TEST_TMPDIR/owned" ]
}

# sized SIZE FILE: the lines of FILE that count in that size.
sized() {
	awk -v size="$1" -f "$AWK_DIR/size.awk" "$2" "$2"
}

@test "the committed experiments are right in each size, and smoke takes 5 minutes at the most" {
	local f s cells seconds
	for f in "$TOP"/configs/experiments/*; do
		for s in smoke quick full; do
			echo "$f $s"
			# Each by its testbed's rules.
			if grep -q '^testbed *= *process' "$f"; then
				sized "$s" "$f" | awk -v file="$f" -f "$AWK_DIR/native-experiment.awk" >/dev/null
				continue
			fi
			sized "$s" "$f" | awk -v file="$f" -f "$AWK_DIR/experiment.awk" >"$BATS_TEST_TMPDIR/normal"
			[[ $s == smoke ]] || continue
			cells=$(awk -f "$AWK_DIR/stats.awk" -f "$AWK_DIR/plan.awk" "$BATS_TEST_TMPDIR/normal" | wc -l)
			seconds=$(awk -F '\t' '$1 == "runtime_s" { print $2 }' "$BATS_TEST_TMPDIR/normal")
			# A cell takes 1.6 s besides its I/O.
			((cells * (10 * seconds + 16) <= 3000)) || { echo "$cells cells"; return 1; }
		done
	done
}

@test "sizes: a line of a size stands in for those without, wherever they are; line numbers stay" {
	printf '%s\n' 'reps.smoke = 1' 'modes = event' 'point = randread 4k 1' 'point = idle # comment' \
		'  point.smoke=randread 4k 8' 'reps = 5' 'point.full = idle' 'point.full = randread 1m 1' >"$BATS_TEST_TMPDIR/e"
	run sized smoke "$BATS_TEST_TMPDIR/e"
	[ "$status" -eq 0 ]
	[ "$output" = $'reps = 1\nmodes = event\n\n\n  point=randread 4k 8' ]
	run sized full "$BATS_TEST_TMPDIR/e"
	[ "$output" = $'\nmodes = event\n\n\n\nreps = 5\npoint = idle\npoint = randread 1m 1' ]
	run sized quick "$BATS_TEST_TMPDIR/e"
	[ "$output" = $'\nmodes = event\npoint = randread 4k 1\npoint = idle # comment\n\nreps = 5' ]
	run sized tiny "$BATS_TEST_TMPDIR/e"
	[ "$status" -eq 2 ]
	[[ $output == *"'tiny' is not a size; use smoke, quick or full"* ]]
	echo 'reps.fast = 1' >>"$BATS_TEST_TMPDIR/e"
	run sized quick "$BATS_TEST_TMPDIR/e"
	[ "$status" -eq 2 ]
	[[ $output == *"e:9: 'fast' is not a size"* ]]
}

# modes_of N: the N-th list of modes of the normal form.
modes_of() {
	awk -F '\t' -v n="$1" '$1 == "modes" && ++i == n { print $2 }' <<<"$output"
}

@test "modes: budgets, data paths, queues, and A|B for either" {
	normal 'modes = hybrid:50 hybrid:200 event/adaptive@map spin@2q' 'app_vcpus = 2' 'point = randread 4k 1'
	[ "$status" -eq 0 ]
	[ "$(modes_of 1)" = "hybrid:50/hybrid:50@persistent@2q hybrid/hybrid@persistent@2q event/adaptive@map@2q spin/spin@persistent@2q" ]
	normal 'modes = event|spin/event|hybrid event@map|copy@1q' 'data = copy' 'app_vcpus = 2' 'point = randread 4k 1'
	[ "$(modes_of 1)" = "event/event@copy@2q event/hybrid@copy@2q spin/event@copy@2q spin/hybrid@copy@2q event/event@map@1q event/event@copy@1q" ]
	normal 'modes = event|spin native' 'point = randread 4k 1'
	[ "$(modes_of 1)" = "event/event@persistent@1q spin/spin@persistent@1q native/native@-@-" ]
}

@test "modes: what is wrong with a word is refused" {
	for m in hybrid:0 hybrid:x hybrid:9999999 spin:5 event/poll event@ event@tape event@map@copy event@map@1q@1q event@0q '|' event/ /event stock@map event/event/event; do
		normal "modes = $m" 'engine = io_uring' 'point = randread 4k 1'
		refused 1 "unknown mode '$m'"
	done
}

@test "modes: named twice after all defaults; more queues than virtual CPUs" {
	normal 'modes = event event@persistent' 'point = randread 4k 1'
	refused 1 "'event/event@persistent@1q' is named twice"
	normal 'modes = event@2q' 'point = randread 4k 1'
	refused 1 "has more queues than app_vcpus = 1"
}

@test "front end poll: not without io_uring, not where nothing is polled for" {
	normal 'modes = poll/spin' 'point = randread 4k 1'
	refused 1 "'poll/spin' needs engine = io_uring"
	normal 'modes = poll/spin event' 'engine = io_uring' 'point = randread 4k 1'
	[ "$status" -eq 0 ]
	normal 'modes = poll/spin event' 'engine = io_uring' 'point = idle'
	refused 1 "nothing to poll for"
}

@test "batch: one number, no more than any queue depth" {
	normal 'modes = event' 'batch = 8' 'point = randread 4k 8,32' 'point = idle'
	[ "$status" -eq 0 ]
	[[ $output == *$'batch\t8\n'* ]]
	normal 'modes = event' 'batch = 16' 'point = randread 4k 32,8'
	refused 3 "batch: 16 is more than the queue depth 8"
	normal 'modes = event' 'batch = 8 16' 'point = randread 4k 32'
	refused 2 "batch takes one number"
	normal 'modes = event' 'point = randread 4k 1'
	[[ $output == *$'batch\t1\n'* ]]
}

@test "several lists of modes, each for the points after it" {
	normal 'modes = event' 'point = randread 4k 1' 'point = randread 4k 8' 'modes = spin' 'point = idle' 'reps = 2'
	[ "$status" -eq 0 ]
	[[ $output == *$'modes\tevent/event@persistent@1q\npoint\trandread\t4k\t1\npoint\trandread\t4k\t8\nmodes\tspin/spin@persistent@1q\npoint\tidle\t-\t0' ]]
	normal 'point = randread 4k 1' 'modes = event' 'point = randread 4k 8' 'modes = spin' 'point = idle'
	refused 1 "a point before the first of several lists of modes"
	normal 'modes = event' 'modes = spin' 'point = idle'
	refused 1 "modes without a point after them"
	normal 'modes = event' 'rw = randread' 'bs = 4k' 'qd = 1' 'modes = spin' 'point = idle'
	[ "$status" -eq 2 ]
	[[ $output == *"do not say which modes they are for"* ]]
	normal 'modes = event' 'point = idle 4k'
	refused 2 "or 'idle'"
}

@test "an old file, where one list of modes is for all points, means what it did" {
	normal 'point = randread 4k 1' 'modes = event' 'data = persistent' 'point = randread 4k 8'
	[ "$status" -eq 0 ]
	[ "$(tail -n 3 <<<"$output")" = $'modes\tevent/event@persistent@1q\npoint\trandread\t4k\t1\npoint\trandread\t4k\t8' ]
}
