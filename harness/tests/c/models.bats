#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# The model of the hold-off protocol verifies; each error put into it is found.

bats_require_minimum_version 1.5.0

MODEL=$IDDR_TOP/modules/test/models/holdoff.pml

# pan NAME SPIN-OPTIONS -- PAN-COMPILE-OPTIONS -- PAN-OPTIONS: check the model; pan's report is $output. Without
# -DMEMLIM pan could take all there is. What is found soon is found sooner without an optimizer (OPTIMIZE=-O0).
pan() {
	local dir=$BATS_TEST_TMPDIR/$1
	local -a generate=() compile=()
	shift
	while [[ $1 != -- ]]; do generate+=("$1"); shift; done
	shift
	while [[ $1 != -- ]]; do compile+=("$1"); shift; done
	shift
	mkdir -p "$dir"
	cd "$dir" || return
	spin -a ${generate[@]+"${generate[@]}"} "$MODEL"
	gcc "${OPTIMIZE:--O2}" -w -DMEMLIM=1000 "${compile[@]}" -o pan pan.c
	run -0 ./pan "$@"
	grep -E 'errors:|pan:|state ' <<<"$output"
	[[ $output == *'errors: '* ]]
	# A search that was cut short says nothing.
	[[ $output != *'max search depth too small'* && $output != *'MEMLIM bound'* ]]
}

# verifies NAME OPTION...: in every interleaving, and there is no state that is in none.
verifies() {
	pan "$@" -- -DSAFETY -- -m100000
	[[ $output == *'errors: 0'* ]]
	[[ $output == *'(0 of '* ]]
	run ! grep -P '^\t.*, state \d+, "(?!-end-")' <<<"$output"
}

# fails NAME OPTION...: with a counterexample.
fails() {
	OPTIMIZE=-O0 pan "$@" -- -DSAFETY -- -m100000
	[[ $output == *'errors: 1'* ]]
	[[ $output == *'invalid end state'* || $output == *'assertion violated'* ]]
}

@test "no wake-up is lost by a back end, whatever its modes, and it can be ended at any time" {
	verifies back
}

@test "nor by a front end" {
	verifies front -DFRONT
}

@test "nor by a front end whose ring others look at" {
	verifies look -DFRONT -DLOOK -DENTRIES=2
}

@test "no execution of a back end goes on for good" {
	pan back -DENTRIES=2 -- -DNP -DCOLLAPSE -- -l -m100000
	[[ $output == *'errors: 0'* ]]
}

@test "nor of a front end" {
	pan front -DFRONT -DENTRIES=2 -- -DNP -DCOLLAPSE -- -l -m100000
	[[ $output == *'errors: 0'* ]]
}

@test "an execution that goes on for good is found" {
	pan back -DNEVER_CLEAR -DENTRIES=2 -- -DNP -DCOLLAPSE -- -l -m100000
	[[ $output == *'errors: 1'* && $output == *'non-progress cycle'* ]]
}

@test "a missing barrier is found, on either side and at either end" {
	local side
	for side in NO_PRODUCER_BARRIER NO_CONSUMER_BARRIER; do
		fails "back$side" "-D$side"
		fails "front$side" "-D$side" -DFRONT
	done
}

@test "a missing second look is found" {
	fails back -DNO_SECOND_LOOK
	fails front -DNO_SECOND_LOOK -DFRONT
}

@test "every other error put into the model is found in a front end (full: in a back end, too)" {
	local error
	local -a errors
	for error in NO_EOI LATE_CLEAR STOP_ASLEEP NO_LOCK UPCALL_UNARMED NO_HANDOVER; do
		fails "front$error" "-D$error" -DFRONT
	done
	for error in ${IDDR_FULL:+NO_EOI LATE_CLEAR STOP_ASLEEP}; do
		fails "back$error" "-D$error"
	done
	fails look -DREFRESH_UNARMS -DFRONT -DLOOK -DENTRIES=2
	# Each that the model has is tried here.
	mapfile -t errors < <(sed -n 's/^ \*   \([A-Z_]\{2,\}\)  .*/\1/p' "$MODEL")
	for error in "${errors[@]}"; do
		grep -qE "(\b|-D)$error\b" "$BATS_TEST_FILENAME"
		grep -qE "^#.*\b$error\b" "$MODEL"
	done
	((${#errors[@]} == 11))
}
