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
	[[ $output == *$'modes\tspin/spin stock/stock\n'* ]]
	[[ $output == *$'reps\t5\n'* && $output == *$'runtime_s\t3\n'* && $output == *$'seed\t7\n'* ]]
	[ "$(grep -c ^point <<<"$output")" -eq 4 ]
	[[ $output == *$'point\trandread\t4k\t1\n'* && $output == *$'point\trandread\t64k\t8'* ]]
}

@test "rw, bs and qd are one more product" {
	normal 'modes = stock' 'rw = randread randwrite' 'bs = 4k' 'qd = 1 32'
	[ "$status" -eq 0 ]
	[ "$(grep -c ^point <<<"$output")" -eq 4 ]
}

@test "an unknown key" {
	normal 'modes = stock' 'repz = 4' 'point = randread 4k 1'
	refused 2 "unknown key 'repz'; known keys: modes"
}

@test "an unknown mode" {
	normal 'modes = stock event/spinn' 'point = randread 4k 1'
	refused 1 "unknown mode 'event/spinn'; allowed: each of event spin"
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
	refused 1 "'stock/stock' is named twice"
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

@test "the committed experiments are right" {
	for f in "$TOP"/configs/experiments/*; do
		awk -f "$AWK_DIR/experiment.awk" "$f" >/dev/null
	done
}
