#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# What can be said of the paper without TeX.

bats_require_minimum_version 1.5.0
load helper

setup() {
	ROOT=$BATS_TEST_TMPDIR/reference
	mkdir -p "$ROOT/one"
	printf 'mode\tqd\tmetric\tratio\tlo\tcommit\nspin\t1\tiops\t1.9349\t0.5\tabc0123\nspin\t32\tiops\t12345.6\t-\tdef4567\nevent\t1\tcpu\t0.0004567\t0.1\tabc0123\n' >"$ROOT/one/ratios.tsv"
	printf '{\n  "xen": "4.17_7",\n  "lost": 336635,\n}\n' >"$ROOT/one/manifest.json"
	LINT=(-v "strict=strict.tex" -f "$AWK_DIR/paper-lint.awk")
}

# numbers LINE...: the macros of a numbers.tsv with these lines; \t is a tab.
numbers() {
	printf '%b\n' "$@" >"$BATS_TEST_TMPDIR/numbers.tsv"
	awk -v "root=$ROOT" -v "tree=$BATS_TEST_TMPDIR" -f "$AWK_DIR/rows.awk" -f "$AWK_DIR/paper-numbers.awk" "$BATS_TEST_TMPDIR/numbers.tsv"
}

# paper_numbers: the macros of the paper, from the tables below ROOT.
paper_numbers() {
	awk -v "root=$ROOT" -v "tree=$TOP" -f "$AWK_DIR/rows.awk" -f "$AWK_DIR/paper-numbers.awk" "$TOP/paper/numbers.tsv"
}

# arguments COMMAND: what the chapters give to \COMMAND, one a line.
arguments() {
	sed 's/^%.*//' "$TOP"/paper/*.tex | grep -oE "\\\\$1(\[[^]]*\])?\{[^}]*\}" | grep -v '#' | sed -E "s/^[^{]*\{//; s/\}$//" | tr ',' '\n'
}

@test "every number of the paper is in the committed tables" {
	ROOT=$TOP/results/reference run -0 paper_numbers
	((${#lines[@]} > 200))
}

@test "a number of the paper is its table's, not a copy" {
	local before after
	cp -r "$TOP/results/reference/." "$ROOT/"
	before=$(paper_numbers | grep '{.RTLineMed}')
	awk 'BEGIN { FS = OFS = "\t" } NR == 1 { for (i = 1; i <= NF; i++) if ($i == "lat_p50_ns") c = i } NR > 1 && $2 == "line" { $c *= 2 } { print }' \
		"$ROOT/native/summary.tsv" >"$ROOT/new"
	mv "$ROOT/new" "$ROOT/native/summary.tsv"
	after=$(paper_numbers | grep '{.RTLineMed}')
	[[ $before != "$after" ]]
	rm "$ROOT/native/summary.tsv"
	run -1 paper_numbers
	[[ $output == *'\RTLineMed: there is no table'* ]]
}

@test "no measured number is typed in the paper, and no line of numbers.tsv is idle" {
	bash -c 'for l in common experiment paper; do . "$IDDR_TOP/harness/lib/$l.sh"; done
		paper_numbers "$1"; paper_lint "$1"; printf "%s\n" $PAPER_STRICT' - "$BATS_TEST_TMPDIR/numbers.tex" >"$BATS_TEST_TMPDIR/strict"
	# The chapters that it is strict with are there.
	while read -r f; do
		[[ -s $TOP/paper/$f ]]
	done <"$BATS_TEST_TMPDIR/strict"
}

@test "every citation is in the bibliography and every entry is cited" {
	diff <(arguments cite | sort -u) <(sed -nE 's/^@[a-z]+\{([^,]+),.*/\1/p' "$TOP/paper/iddr.bib" | sort)
}

@test "every reference has its label, every drawing its file, every plot its run" {
	local f
	{
		arguments label
		arguments drawing | sed 's/^/fig:/'
		arguments resultfigure | sed 's/^/fig:/'
	} | sort -u >"$BATS_TEST_TMPDIR/labels"
	run -0 comm -23 <(arguments ref | sort -u) "$BATS_TEST_TMPDIR/labels"
	[[ -z $output ]]
	for f in $(arguments drawing); do
		[[ -s $TOP/paper/figures/$f.tex ]] || { echo "no drawing $f"; return 1; }
	done
	for f in $(arguments resultfigure); do
		[[ -s $TOP/results/reference/${f%/*}/summary.tsv && -s $TOP/plots/${f#*/}.gp ]] || { echo "no plot $f"; return 1; }
	done
}

@test "numbers: formats" {
	run -0 numbers 'A\tone/ratios.tsv\tmode=spin qd=1\tratio lo\t%.2f [%.1f]' 'B\tone/ratios.tsv\tmode=spin qd=32\tratio\t%d' \
		'C\tone/ratios.tsv\tmode=spin qd=32\tratio/1000 \t%.3s\\%' 'D\tone/ratios.tsv\tmode=event\tratio\t%.2s' \
		'E\tone/ratios.tsv\tmode=event\ttext(commit)\t%.3s' 'F\tone/manifest.json\txen\ttext(value)\t%s' 'G\tone/manifest.json\tlost\tvalue/10000\t%.0f' \
		'H\tone/ratios.tsv\tmode=spin qd=32\tratio\t%.3s'
	[[ ${lines[0]} == '\newcommand{\A}{1.93 [0.5]\xspace}% 1' ]]
	[[ ${lines[1]} == '\newcommand{\B}{12\,346\xspace}% 2' ]]
	[[ ${lines[2]} == '\newcommand{\C}{12.3\%\xspace}% 3' ]]
	[[ ${lines[3]} == '\newcommand{\D}{0.00046\xspace}% 4' ]]
	[[ ${lines[4]} == '\newcommand{\E}{abc\xspace}% 5' ]]
	[[ ${lines[5]} == '\newcommand{\F}{4.17\_7\xspace}% 6' ]]
	[[ ${lines[6]} == '\newcommand{\G}{34\xspace}% 7' ]]
	[[ ${lines[7]} == '\newcommand{\H}{12\,300\xspace}% 8' ]]
}

@test "numbers: groups, every row, lines of a file" {
	printf 'a\nb\na a\n' >"$BATS_TEST_TMPDIR/file"
	run -0 numbers 'X{One,Many}{R,M}\tone/ratios.tsv\tmode=spin qd={1,32}\t{ratio,ratio*2}\t%d' 'Y{Least,Most,All}\tone/ratios.tsv\tevery mode=spin\t{min,max,sum}(ratio)\t%.1f' \
		'Z\tone/ratios.tsv\tevery\trows\t%d' 'F\t./file\t^a\tlines\t%d'
	[[ $(sed -E 's/.*\{.(.*)\}\{(.*).xspace.*/\1=\2/' <<<"$output" | tr '\n' ' ') == 'XOneR=2 XOneM=4 XManyR=12\,346 XManyM=24\,691 YLeast=1.9 YMost=12\,345.6 YAll=12\,347.5 Z=3 F=2 ' ]]
}

@test "numbers: what has no source is named" {
	run -1 numbers 'A\tone/ratios.tsv\tmode=poll\tratio\t%d'
	[[ $output == *'numbers.tsv:1: \A: no row of one/ratios.tsv matches mode=poll'* ]]
	run -1 numbers 'A\tone/ratios.tsv\tmode=spin\tratio\t%d'
	[[ $output == *'2 rows of one/ratios.tsv match mode=spin'* ]]
	run -1 numbers 'A\ttwo/ratios.tsv\tmode=spin\tratio\t%d'
	[[ $output == *'there is no table'* ]]
	run -1 numbers 'A\tone/ratios.tsv\tmode=event\tcpu\t%d'
	[[ $output == *"no column 'cpu'"* ]]
	run -1 numbers 'A\tone/ratios.tsv\tmode=spin qd=32\tlo\t%d'
	[[ $output == *"the value is '-', no number"* ]]
	run -1 numbers 'A\tone/manifest.json\tqemu\tvalue\t%s'
	[[ $output == *"has no key 'qemu'"* ]]
	run -1 numbers 'A\t./file\tx\tlines\t%d'
	[[ $output == *'no line of ./file matches'* ]]
	run -1 numbers '# nothing'
	[[ $output == *'there is no number in'* ]]
}

@test "numbers: lines with mistakes are named" {
	local ok='one/ratios.tsv\tmode=event\tratio'
	run -1 numbers "A\t$ok\t%d %d"
	[[ $output == *'more conversions than there are values'* ]]
	run -1 numbers "A\t$ok lo\t%d"
	[[ $output == *'fewer conversions'* ]]
	run -1 numbers "A1\t$ok\t%d"
	[[ $output == *"a macro's name is made of letters"* ]]
	run -1 numbers "A\t$ok\t%d" "A\t$ok\t%d"
	[[ $output == *'numbers.tsv:2: \A: is there twice'* ]]
	run -1 numbers "A\t$ok"
	[[ $output == *'a line has five cells, this has 4'* ]]
	run -1 numbers "A{B,C}\t$ok\t%d"
	[[ $output == *'more groups than'* ]]
	run -1 numbers 'A{B,C}\tone/ratios.tsv\tmode={event,spin,poll}\tratio\t%d'
	[[ $output == *'a group of 2 goes with one of 3'* ]]
}

@test "lint: typed numbers, and what may have digits" {
	local d=$BATS_TEST_TMPDIR
	printf '\\newcommand{\\Fast}{2\\xspace}%% 7\n' >"$d/numbers.tex"
	# shellcheck disable=SC2028 # TeX
	echo 'It takes \Fast with \param{32} \code{x86} in Figure~\ref{fig:2}. % 17' >"$d/strict.tex"
	awk "${LINT[@]}" "$d/numbers.tex" "$d/strict.tex"
	echo 'It takes 3 ns.' >>"$d/strict.tex"
	run -1 awk "${LINT[@]}" "$d/numbers.tex" "$d/strict.tex"
	[[ $output == *'strict.tex:2: a number is typed'* ]]
	# Other chapters may.
	mv "$d/strict.tex" "$d/other.tex"
	awk "${LINT[@]}" "$d/numbers.tex" "$d/other.tex"
	echo nothing >"$d/other.tex"
	run -1 awk "${LINT[@]}" "$d/numbers.tex" "$d/other.tex"
	[[ $output == *'paper/numbers.tsv:7: \Fast is used nowhere'* ]]
}

# tex FINAL-LOG [BIBTEX-LOG] [STATUS]: paper_tex with programs in TeX's place, of which the third run is content.
tex() {
	local bin=$BATS_TEST_TMPDIR/bin
	rm -rf "$BATS_TEST_TMPDIR/tex"
	mkdir -p "$bin" "$BATS_TEST_TMPDIR/tex"
	cat >"$bin/pdflatex" <<-'STUB'
		#!/bin/bash
		echo run >>runs
		if (($(wc -l <runs) < 3)); then
			echo 'LaTeX Warning: Label(s) may have changed. Rerun to get cross-references right.' >iddr.log
		else
			printf '%s\n' "$FINAL" >iddr.log
		fi
		cat iddr.log
		exit "$STATUS"
	STUB
	printf '#!/bin/bash\nprintf "%%s\\n" "$BIB" >iddr.blg\n' >"$bin/bibtex"
	chmod +x "$bin/pdflatex" "$bin/bibtex"
	FINAL=$1 BIB=${2:-} STATUS=${3:-0} PATH=$bin:$PATH bash -c 'for l in common experiment paper; do . "$IDDR_TOP/harness/lib/$l.sh"; done
		paper_tex "$1"' - "$BATS_TEST_TMPDIR/tex"
}

@test "typesetting goes on until references stand still, and a paper in order passes" {
	run -0 tex 'Output written on iddr.pdf (39 pages).'
	[[ -z $output && $(wc -l <"$BATS_TEST_TMPDIR/tex/runs") == 3 ]]
}

@test "typesetting fails on what a paper must not have" {
	local line
	for line in "LaTeX Warning: Reference \`no:such' on page 3 undefined on input line 7." "LaTeX Warning: Citation \`nosuch' on page 3 undefined on input line 7." \
		"LaTeX Warning: Label \`a' multiply defined." 'Overfull \hbox (1.2pt too wide) in paragraph at lines 8--18' 'Overfull \vbox (3pt too high) has occurred' \
		'Missing character: There is no x in font y!' 'LaTeX Warning: Label(s) may have changed. Rerun to get cross-references right.'; do
		run -1 tex "$line"
		[[ $output == *"$line"*'the paper is not in order'* ]] || { echo "$output"; return 1; }
	done
	run -1 tex fine "Warning--I didn't find a database entry for \"nosuch\""
	[[ $output == *'Warning--I'*'not in order'* ]]
	run -1 tex '' '' 1
	[[ $output == *'pdflatex fails'* ]]
}
