#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# What can be seen without running anything.

bats_require_minimum_version 1.5.0

setup() {
	cd "$IDDR_TOP" || return
}

# scripts: every shell script of the tree, by name or first line.
scripts() {
	local f
	git ls-files --cached --others --exclude-standard | while IFS= read -r f; do
		[[ -f $f ]] || continue
		case $f in
		*.sh | *.bash) printf '%s\n' "$f" ;;
		*.bats) ;;
		*) ! head -n 1 "$f" | grep -qE '^#!.*(bash|busybox sh|/sh)' || printf '%s\n' "$f" ;;
		esac
	done
}

@test "shellcheck finds nothing in any script" {
	local -a files
	mapfile -t files < <(scripts)
	((${#files[@]} > 10))
	shellcheck -x "${files[@]}"
}

@test "shellcheck finds nothing in any test" {
	# SC2030/SC2031: bats runs each test in a subshell by design. SC2016: the
	# domains' shells expand what is in single quotes. SC2154, SC2314: bats'
	# own variables and its negation.
	git ls-files --cached --others --exclude-standard '*.bats' |
		xargs shellcheck -x -s bats -e SC2030,SC2031,SC2016,SC2154,SC2314
}

@test "every awk program parses" {
	local f
	for f in harness/awk/*.awk; do
		awk -f "$f" </dev/null >/dev/null 2>"$BATS_TEST_TMPDIR/err" || true
		run ! grep -i "syntax error" "$BATS_TEST_TMPDIR/err"
	done
}

@test "the modules build with W=1 and sparse without a warning" {
	local kdir
	kdir=$(harness/iddr kdir)
	cp -r modules "$BATS_TEST_TMPDIR/m"
	# Said even if this runs below a silent make.
	MAKEFLAGS='' make -C "$BATS_TEST_TMPDIR/m" KDIR="$kdir" SPARSE=1 modules >"$BATS_TEST_TMPDIR/log" 2>&1
	# The log shows that sparse did look at every source.
	local -a sources=(modules/{comm,front,back,msix,test/hostile,test/fault}/*.c)
	(($(grep -c "^  CHECK " "$BATS_TEST_TMPDIR/log") == ${#sources[@]}))
	run ! grep -Ei 'warning|error' "$BATS_TEST_TMPDIR/log"
}

@test "no Python in the tree" {
	run ! bash -c "git ls-files | grep -E '\.py$'"
	run ! git grep -lE '^#!.*python' -- .
}

@test "every file of ours has its SPDX line" {
	local f missing=
	while IFS= read -r f; do
		[[ -s $f ]] || continue
		head -n 5 "$f" | grep -q SPDX-License-Identifier || missing+="$f "
	done < <(git ls-files --cached --others --exclude-standard modules harness plots Makefile .ci |
		grep -vE '\.(tsv|json|md|txt)$|/fixtures/|^modules/test/corpus/|/\.gitignore$')
	[[ -z $missing ]] || { echo "without: $missing"; return 1; }
}

@test "make help lists every target, and every target exists" {
	local t
	run -0 make -s help
	for t in setup doctor build experiment experiments figures report claims soak faults paper compare test test-full unit fuzz up down status clean; do
		grep -q "make $t " <<<"$output"
		make -n "$t" A=event B=spin >/dev/null
	done
}
