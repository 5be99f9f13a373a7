#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0

bats_require_minimum_version 1.5.0
load helper

setup() {
	export RESULTS=$BATS_TEST_TMPDIR/results CLAIMS=$BATS_TEST_TMPDIR/CLAIMS.md
	mkdir -p "$RESULTS/reference/one"
	printf 'subject\tdepth\tratio\nspin\t1\t1.934\nspin\t32\t2.5\nevent\t1\t0.5\n' >"$RESULTS/reference/one/ratios.tsv"
	rule '1.93' 'one/ratios.tsv: subject=spin depth=1 : ratio <= 3'
	unset EXP RUN
}

# rule STATED RULE: a document with one claim.
rule() {
	printf '# Claims\n\n| | claim | command | minutes | figure | stated | rule |\n|---|---|---|---|---|---|---|\n' >"$CLAIMS"
	printf '| 1 | it is fast | `make` | 1 | - | %s | `%s` |\n' "$1" "$2" >>"$CLAIMS"
}

# claims ARGUMENT...: the verb.
claims() {
	"$TOP/harness/iddr" claims "$@"
}

@test "every claim of CLAIMS.md holds in the committed tables" {
	CLAIMS=$TOP/CLAIMS.md RESULTS=$TOP/results run -0 claims
	# Not for lack of claims.
	(($(grep -c '^ok ' <<<"$output") >= 12))
	# The figures and commands that it names are there.
	cd "$TOP"
	while IFS= read -r f; do
		[[ -s $f ]] || { echo "missing: $f"; return 1; }
	done < <(grep -oE '\(results/reference/[^)]*\)' CLAIMS.md | tr -d '()')
	while IFS= read -r f; do
		[[ $f =~ ^faults(-nvme)?$ || -f configs/experiments/$f ]] || { echo "no experiment $f"; return 1; }
	done < <(grep -oE 'EXP=[a-z-]+' CLAIMS.md | cut -d = -f 2 | sort -u)
}

@test "a doctored table fails, in each of its claims" {
	local n table
	mkdir -p "$BATS_TEST_TMPDIR/doctored"
	cp -r "$TOP/results/reference" "$BATS_TEST_TMPDIR/doctored/"
	# Every number of every table a thousandfold.
	for table in "$BATS_TEST_TMPDIR"/doctored/reference/*/*.tsv; do
		awk 'BEGIN { FS = OFS = "\t" }
			NR == 1 { for (i = 1; i <= NF; i++) key[i] = $i ~ /^(depth|qd|bytes|batch|bs|queues|jobs)$/; print; next }
			{ for (i = 1; i <= NF; i++) if (!key[i] && $i ~ /^[0-9.e+-]*[1-9][0-9.e+-]*$/) $i *= 1000; print }' "$table" >"$table.new"
		mv "$table.new" "$table"
	done
	CLAIMS=$TOP/CLAIMS.md RESULTS=$BATS_TEST_TMPDIR/doctored run -1 claims
	# What is zero, and stays so, is all that still holds.
	n=$(grep '^ok ' <<<"$output" | grep -vc ' = 0 ') || true
	[[ $n == 0 ]] || { echo "$output"; return 1; }
}

@test "any of several values, and none of them" {
	rule '0.50' 'every one/ratios.tsv: subject=spin,event : ratio >= 0.5'
	run -0 claims
	rule '1.93' 'every one/ratios.tsv: subject!=event : ratio >= 1'
	run -0 claims
	[[ $output == *"ratio = 1.934"* ]]
	rule '2.50' 'one/ratios.tsv: subject!=event,hybrid depth!=1 : ratio >= 1'
	run -0 claims
	[[ $output == *"ratio = 2.5"* ]]
	rule '0.50' 'one/ratios.tsv: subject=even : ratio >= 0.5'
	run -1 claims
	rule '1.93' 'every one/ratios.tsv: subject=spin,hybrid : ratio >= 1'
	run -1 claims
	[[ $output == *"has no row with subject=hybrid"* ]]
}

@test "a claim that holds" {
	run -0 claims
	[[ $output == *"ok     1  ratio = 1.934 <= 3  it is fast"* && $output == *"1 of 1 claims hold, 0 do not"* ]]
}

@test "the rule fails: beyond the limit" {
	sed -i 's/1\.934/3.934/' "$RESULTS/reference/one/ratios.tsv"
	run -1 claims
	[[ $output == *"FAIL   1  ratio is 3.934, not <= 3"* ]]
}

@test "the rule holds, but the document states another number" {
	sed -i 's/1\.934/1.834/' "$RESULTS/reference/one/ratios.tsv"
	run -1 claims
	[[ $output == *"ratio is 1.834, but CLAIMS.md says 1.93"* ]]
}

@test "no row, several rows, a missing table and a missing column do not hold" {
	rule 1 'one/ratios.tsv: subject=adaptive : ratio <= 3'
	run -1 claims
	[[ $output == *"no row of "* ]]
	rule 1 'one/ratios.tsv: subject=spin : ratio <= 3'
	run -1 claims
	[[ $output == *"2 rows of "*"one is meant"* ]]
	rule 1 'one/other.tsv: subject=spin : ratio <= 3'
	run -1 claims
	[[ $output == *"there is no table"* ]]
	rule 1 'one/ratios.tsv: mode=spin : ratio <= 3'
	run -1 claims
	[[ $output == *"no column 'mode'"* ]]
}

@test "every: all rows, and the one nearest to the limit is stated" {
	rule 2.5 'every one/ratios.tsv: subject=spin : ratio <= 3'
	run -0 claims
	rule 2.5 'every one/ratios.tsv: subject=spin : ratio <= 2.4'
	run -1 claims
	rule 1.9 'every one/ratios.tsv: subject=spin : ratio > 1'
	run -0 claims
}

@test "another run is held against the rules, not against what is stated" {
	mkdir -p "$RESULTS/one/mine"
	sed 's/1\.934/2.2/' "$RESULTS/reference/one/ratios.tsv" >"$RESULTS/one/mine/ratios.tsv"
	run -0 claims --exp one --run mine
	[[ $output == *"ratio = 2.2 <= 3"* ]]
	sed -i 's/2\.2/4.2/' "$RESULTS/one/mine/ratios.tsv"
	run -1 claims --exp one --run "$RESULTS/one/mine"
	run -1 claims --exp two --run "$RESULTS/one/mine"
	[[ $output == *"1 are about other experiments"* ]]
}

@test "a document with mistakes is refused with its line" {
	rule 1.93 'one/ratios.tsv subject=spin : ratio <= 3'
	run -1 claims
	[[ $output == *"CLAIMS.md:5: 'one/ratios.tsv subject=spin : ratio <= 3' is no rule"* && $output == *"has mistakes"* ]]
	rule much 'one/ratios.tsv: subject=spin depth=1 : ratio <= 3'
	run -1 claims
	[[ $output == *"'much' is no stated number"* ]]
	printf 'nothing\n' >"$CLAIMS"
	run -1 claims
	[[ $output == *"there is no claim in"* ]]
}
