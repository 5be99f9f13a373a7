#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# The report's page, as a function of a run's tables and manifest.

bats_require_minimum_version 1.5.0
load helper

setup() {
	command -v gnuplot >/dev/null || skip "gnuplot is not installed"
	command -v xmllint >/dev/null || skip "xmllint is not installed (Debian package libxml2-utils)"
	PAGE=$BATS_TEST_TMPDIR/page.html
	unset EXP RUN SIZE
}

# report DIR: write the report of a run to PAGE.
report() {
	"$TOP/harness/iddr" report --out "$PAGE" "$1"
}

# doctored: a copy of the reference run quick, in RUN, of which a cell failed and with it a repetition.
doctored() {
	RUN=$BATS_TEST_TMPDIR/doctored
	cp -r "$TOP/results/reference/quick" "$RUN"
	awk 'BEGIN { FS = OFS = "\t" } NR == 1 { for (i = 1; i <= NF; i++) c[$i] = i }
		NR == 3 { $c["status"] = "failed"; $c["reason"] = "the kernel said: <BUG> & so on" } { print }' "$RUN/cells.tsv" >"$RUN/new"
	mv "$RUN/new" "$RUN/cells.tsv"
}

# rows_of TABLE: the rows of one of the page's tables, as text with blanks between the cells.
rows_of() {
	xmllint --nonet --xpath "//div[@id='$1']//tbody/tr" "$PAGE" | sed 's/<[^>]*>/ /g; s/\xe2\x80\xaf//g'
}

# same_rows TABLE FILE: each row of FILE is that row of the page: all that is not the same in all rows is in it.
same_rows() {
	rows_of "$1" | awk -F '\t' '
		NR == FNR { for (i = 1; i <= NF; i++) { if (FNR == 2) first[i] = $i; else if (FNR > 2 && $i != first[i]) differs[i] = 1 }
			if (FNR > 1) line[++n] = $0; next }
		{
			shown++
			split(line[shown], f, "\t")
			split("", has)
			m = split($0, word, /[][ ,]+/)
			for (j = 1; j <= m; j++) { has[word[j]]; if (word[j] ~ /^-?[0-9.]+$/) has[word[j] + 0 ""] }
			for (i in differs)
				if (index($0, f[i]) == 0 && !((f[i] + 0 "") in has)) {
					printf "row %d: \"%s\" is not in: %s\n", shown, f[i], $0
					bad = 1
				}
		}
		END { if (shown != n) printf "%d rows, %d shown\n", n, shown; exit bad || shown != n || n == 0 }' CONVFMT=%.10g "$2" -
}

# reference_runs: the directories of those to look at: ways of waiting, a trace, applications, faults, native.
reference_runs() {
	local names=(waiting hypercalls breakdown applications idle faults fuzz native)
	[[ -z ${IDDR_FULL:-} ]] || names=(.)
	find "${names[@]/#/$TOP/results/reference/}" -name summary.tsv -printf '%h/\n' | sort
}

@test "reference runs of each kind (full: every one): well-formed, nothing from outside, every name once, every link leads somewhere" {
	local dir
	(($(reference_runs | wc -l) >= 8))
	for dir in $(reference_runs); do
		report "$dir"
		xmllint --nonet --noout "$PAGE"
		run ! grep -niE 'https?:|//[a-z]+\.|@import|url\([^#]|<(link|iframe|img|object|embed)[ >]|src=|<script [^>]*src' "$PAGE"
		run -0 bash -c "xmllint --xpath '//@id' '$PAGE' | sort | uniq -d"
		[ -z "$output" ]
		run -0 bash -c "comm -13 <(xmllint --xpath '//@id' '$PAGE' | sed 's/.*=\"//; s/\"//' | sort) <(xmllint --xpath '//@href' '$PAGE' | sed 's/.*=\"//; s/\"//' | tr -d '#' | sort -u)"
		[ -z "$output" ]
	done
}

@test "reference runs of each kind (full: every one): every row of every table is there, with its numbers" {
	local dir t
	for dir in $(reference_runs); do
		report "$dir"
		for t in summary cells counts; do
			[[ ! -s $dir$t.tsv ]] || same_rows "$t" "$dir$t.tsv"
		done
		if [[ -s ${dir}ratios.tsv ]]; then
			# A row a metric there, a column a metric here.
			n=$(xmllint --xpath "count(//div[starts-with(@id, 'ratios-')]//tbody//td[small or contains(., ' : ')])" "$PAGE")
			[ "$n" -eq "$(($(wc -l <"${dir}ratios.tsv") - 1))" ]
		fi
	done
}

@test "known numbers: a median with its quartiles, a ratio with its interval and its mark" {
	report "$TOP/results/reference/modes"
	rows_of summary | grep -qE '^ *stock +persistent +randread +4k +1 +1 .* 1798 +\[1780, 1802\] '
	# 64k reads: copy does 1.41 [1.40, 1.44] of stock's; event at 4k, depth 8, shows no difference.
	xmllint --xpath "//div[@id='ratios-stock']//tr[th='event@copy' and td[2]='64k']/td[contains(@class, 'better')]" "$PAGE" | grep -q '1.41 <small>\[1.40, 1.44\]</small> <abbr title="faster">▲'
	run ! xmllint --xpath "//div[@id='ratios-stock']//tr[th='event' and td[2]='4k' and td[3]='8']/td[contains(., '[') and position() = 5 and (contains(@class, 'better') or contains(@class, 'worse'))]" "$PAGE"
}

@test "each figure and each table says the testbed; emulated is explained" {
	report "$TOP/results/reference/modes"
	[ "$(xmllint --xpath 'count(//figure)' "$PAGE")" -eq 8 ]
	[ "$(xmllint --xpath "count(//figure[figcaption/span[. = 'TCG-emulated: ratios only']])" "$PAGE")" -eq 8 ]
	[ "$(xmllint --xpath "count(//table[thead][not(caption/span[. = 'TCG-emulated: ratios only'])])" "$PAGE")" -eq 0 ]
	grep -q 'absolute times are not evidence' "$PAGE"
	report "$TOP/results/reference/native"
	[ "$(xmllint --xpath "count(//figure[figcaption/span[. = 'two processes, native speed']])" "$PAGE")" -eq 4 ]
	run ! grep -q 'TCG' "$PAGE"
}

@test "the manifest can be read, and the commands that make it all again" {
	report "$TOP/results/reference/modes"
	[ "$(xmllint --xpath "string(//table[@class='facts']//tr[th='xen']/td)" "$PAGE")" = 4.17.7 ]
	[ "$(xmllint --xpath "string(//table[@class='facts']//tr[th='modules iddr_front']/td)" "$PAGE")" = "$(jq -r .environment.modules.iddr_front "$TOP/results/reference/modes/manifest.json")" ]
	[ "$(xmllint --xpath "string(//details[contains(summary, 'application domain')]//tr[th='queue/xvda/nr_requests']/td)" "$PAGE")" = 128 ]
	for c in "make experiment EXP=modes SIZE=quick" "make figures EXP=modes RUN=results/reference/modes" "make compare A=event B=spin EXP=modes RUN=results/reference/modes" \
		"make claims EXP=modes RUN=results/reference/modes" "make report EXP=modes RUN=results/reference/modes"; do
		[ "$(xmllint --xpath "count(//dd/code[. = '$c'])" "$PAGE")" -eq 1 ]
	done
}

@test "a clean run says so; a failed cell is stated with its reason, and what it left with fewer repetitions" {
	report "$TOP/results/reference/quick"
	grep -q 'No cell failed; every median is of 5 repetitions or more' "$PAGE"
	doctored
	report "$RUN"
	xmllint --nonet --noout "$PAGE"
	grep -q '240 cells of 6 modes at 8 points, of which 1 failed and 0 are not used' "$PAGE"
	grep -qF 'repetition 1: the kernel said: &lt;BUG&gt; &amp; so on' "$PAGE"
	grep -q '1 medians of 48 are of fewer than 5 repetitions' "$PAGE"
	run ! grep -q 'No cell failed' "$PAGE"
}

@test "a tree with changes, several boots and a missing manifest are stated" {
	doctored
	jq '.environment.commit_dirty = true | .sessions += [{started: "x", boot: "other"}]' "$TOP/results/reference/quick/manifest.json" >"$RUN/manifest.json"
	report "$RUN"
	grep -q 'changes that are in no commit' "$PAGE"
	grep -q 'Measured in 2 boots' "$PAGE"
	rm "$RUN/manifest.json"
	report "$RUN"
	grep -q 'There is no manifest' "$PAGE"
}

@test "one run, one page: the same bytes again, by default beside the tables" {
	report "$TOP/results/reference/waiting"
	mv "$PAGE" "$PAGE.1"
	report "$TOP/results/reference/waiting"
	cmp "$PAGE" "$PAGE.1"
	cp -r "$TOP/results/reference/waiting" "$BATS_TEST_TMPDIR/mine"
	run -0 "$TOP/harness/iddr" report "$BATS_TEST_TMPDIR/mine"
	[[ $output == *"$BATS_TEST_TMPDIR/mine/report.html"* ]]
	xmllint --nonet --noout "$BATS_TEST_TMPDIR/mine/report.html"
}

@test "a run that is not there, tables that are not there, a place that cannot be written to" {
	run -2 "$TOP/harness/iddr" report nonesuch
	[[ $output == *"there is no run 'nonesuch'"* ]]
	mkdir -p "$BATS_TEST_TMPDIR/raw/cells"
	run -1 "$TOP/harness/iddr" report "$BATS_TEST_TMPDIR/raw"
	[[ $output == *"has no summary.tsv; run 'harness/iddr derive'"* ]]
	run -1 "$TOP/harness/iddr" report --out "$BATS_TEST_TMPDIR/none/page.html" "$TOP/results/reference/fuzz"
	[[ $output == *"cannot write"*"--out"* ]]
	run -2 "$TOP/harness/iddr" report --speed
	run -2 "$TOP/harness/iddr" report a b
}
