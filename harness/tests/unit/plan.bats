#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0

load helper

# plan SEED: the cells of a small experiment with this seed.
plan() {
	printf 'modes = event spin/event stock native\npoint = randread 4k,64k 1,8\nreps = 3\nseed = %s\n' "$1" >"$BATS_TEST_TMPDIR/e"
	awk -f "$AWK_DIR/experiment.awk" "$BATS_TEST_TMPDIR/e" | awk -f "$AWK_DIR/stats.awk" -f "$AWK_DIR/plan.awk"
}

@test "every mode meets every point in every repetition, once" {
	plan 1 >"$BATS_TEST_TMPDIR/p"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/p")" -eq 48 ]
	[ "$(cut -f 2,4-12 "$BATS_TEST_TMPDIR/p" | sort -u | wc -l)" -eq 48 ]
}

@test "quick has 240 cells" {
	n=$(awk -v size=quick -f "$AWK_DIR/size.awk" "$TOP"/configs/experiments/{quick,quick} | awk -f "$AWK_DIR/experiment.awk" |
		awk -f "$AWK_DIR/stats.awk" -f "$AWK_DIR/plan.awk" | wc -l)
	[ "$n" -eq 240 ]
}

@test "a block's modes follow each other, and share their offsets" {
	# When a block is left it is never entered again.
	[ "$(plan 1 | cut -f 3 | uniq | sort | uniq -d | wc -l)" -eq 0 ]
	[ "$(plan 1 | cut -f 3 | uniq | wc -l)" -eq 12 ]
	[ "$(plan 1 | cut -f 3,13 | sort -u | wc -l)" -eq 12 ]
}

@test "repetitions follow each other" {
	[ "$(plan 1 | cut -f 2 | uniq | tr '\n' ' ')" = "1 2 3 " ]
}

@test "the order of modes differs between blocks, and the order of blocks between repetitions" {
	[ "$(plan 1 | awk -F '\t' '{ o[$3] = o[$3] " " $11 "/" $12 } END { for (b in o) print o[b] }' | sort -u | wc -l)" -gt 3 ]
	[ "$(plan 1 | awk -F '\t' '!s[$3]++ { p = $3; sub(/r[0-9]+/, "", p); o[$2] = o[$2] p } END { for (r in o) print o[r] }' | sort -u | wc -l)" -gt 1 ]
}

@test "one seed, one order; another seed, another" {
	[ "$(plan 1)" = "$(plan 1)" ]
	[ "$(plan 1)" != "$(plan 2)" ]
}

# resume BOOT DONE...: the modes that remain of a block of three, with DONE as KEY:BOOT.
resume() {
	local boot=$1
	shift
	printf 'a\t1\t1\tr1p1\tx\nb\t2\t1\tr1p1\tx\nc\t3\t1\tr1p1\tx\nd\t4\t1\tr1p2\tx\n' >"$BATS_TEST_TMPDIR/plan"
	: >"$BATS_TEST_TMPDIR/done"
	for d in "$@"; do
		printf '%s\t%s\n' "${d%:*}" "${d#*:}" >>"$BATS_TEST_TMPDIR/done"
	done
	awk -v boot="$boot" -f "$AWK_DIR/resume.awk" "$BATS_TEST_TMPDIR/done" "$BATS_TEST_TMPDIR/plan" | cut -f 1 | tr -d '\n'
}

@test "resume: all is to be done at first, nothing at last" {
	[ "$(resume B)" = abcd ]
	[ "$(resume B a:B b:B c:B d:B)" = "" ]
}

@test "resume: in the same boot only what is missing" {
	[ "$(resume B a:B c:B)" = bd ]
}

@test "resume: in another boot an unfinished block is measured whole, a finished one not at all" {
	[ "$(resume C a:B c:B)" = abcd ]
	[ "$(resume C a:B b:B c:B)" = d ]
	[ "$(resume C a:B c:B a:C b:C)" = cd ]
}
