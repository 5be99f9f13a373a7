#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# Fuzzing of the modules' pure code, and of what would see that it fails.

bats_require_minimum_version 1.5.0

IDDR=$IDDR_TOP/harness/iddr

# planted N FILE EXPRESSION: a copy of modules/ with that error in it, in $BATS_TEST_TMPDIR/N.
planted() {
	cp -r "$IDDR_TOP/modules" "$BATS_TEST_TMPDIR/$1"
	sed -i "$3" "$BATS_TEST_TMPDIR/$1/$2"
}

# applies FILE EXPRESSION: the error is put into one place, so that it is known what was found.
applies() {
	(($(sed "$2" "$IDDR_TOP/modules/$1" | diff "$IDDR_TOP/modules/$1" - | grep -c '^<') == 1))
}

@test "every fuzz target has a corpus, and it replays without a finding" {
	run -0 "$IDDR" fuzz --seconds 0
	local target iterations
	for target in "$IDDR_TOP"/modules/test/fuzz/fuzz_*.c; do
		target=${target##*/fuzz_}
		iterations=$(awk -v t="${target%.c}" '$1 == t { print $2 }' <<<"$output")
		((iterations >= 10))
		(($(find "$IDDR_TOP/modules/test/corpus/${target%.c}" -type f | wc -l) >= 10))
	done
	[[ ${lines[-1]} =~ ^[0-9]+\ iterations,\ 0\ findings$ ]]
}

@test "fuzzing for 20 s (full: a minute) finds nothing" {
	run -0 "$IDDR" fuzz --seconds "$([[ -n ${IDDR_FULL:-} ]] && echo 60 || echo 20)" --out "$BATS_TEST_TMPDIR"
	[[ ${lines[-1]} =~ ^([0-9]+)\ iterations,\ 0\ findings$ ]]
	# More than the replay: it did run.
	((BASH_REMATCH[1] > 10000))
	awk -F '\t' 'NR == 1 { ok = $0 == "target\titerations\tfindings\tseconds\tcorpus_files\tcommit"; next }
		{ n++; ok = ok && NF == 6 && $2 > 0 && $3 == 0 } END { exit !(ok && n >= 4) }' "$BATS_TEST_TMPDIR/summary.tsv"
}

@test "the corpus finds every fifth planted error (full: every one)" {
	local target file expression n=0 every=5 missed=''
	[[ -z ${IDDR_FULL:-} ]] || every=1
	export IDDR_BUILD=$BATS_TEST_TMPDIR/build
	while IFS=$'\t' read -r target file expression; do
		[[ $target != '#'* ]] || continue
		n=$((n + 1))
		applies "$file" "$expression" || { echo "does not apply to one place: $expression"; return 1; }
		((n % every == 0)) || continue
		planted "$n" "$file" "$expression"
		if "$IDDR" fuzz --seconds 0 --target "$target" --modules "$BATS_TEST_TMPDIR/$n" >"$BATS_TEST_TMPDIR/log" 2>&1; then
			missed+="$file: $expression"$'\n'
		elif ! grep -q ', 1 findings$' "$BATS_TEST_TMPDIR/log"; then
			cat "$BATS_TEST_TMPDIR/log"
			return 1
		fi
		rm -rf "${BATS_TEST_TMPDIR:?}/$n"
	done <"$IDDR_TOP/modules/test/fuzz/planted.tsv"
	((n >= 20))
	[[ -z $missed ]] || { printf 'not found:\n%s' "$missed"; return 1; }
}

@test "a finding ends with its input, which replays it, and with an error" {
	local replay
	export IDDR_BUILD=$BATS_TEST_TMPDIR/build
	planted m front/iddr_check.h 's/if (rsp->id >= nr)/if (rsp->id > nr)/'
	run -1 "$IDDR" fuzz --seconds 0 --target check --modules "$BATS_TEST_TMPDIR/m"
	[[ ${lines[-1]} =~ ^[0-9]+\ iterations,\ 1\ findings$ ]]
	replay=$(sed -n 's/^ *replay it with: //p' <<<"$output")
	[[ $replay == "$BATS_TEST_TMPDIR"/build/fuzz/fuzz_check\ * ]]
	# shellcheck disable=SC2086 # a command and its argument
	run $replay
	((status != 0))
	[[ $output == *'does not hold'* || $output == *'AddressSanitizer'* ]]
}
