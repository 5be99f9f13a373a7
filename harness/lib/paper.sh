# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# paper.sh: make paper/iddr.pdf of paper/*.tex and results/reference. Each number is a macro that paper/numbers.tsv derives from a
# committed table; each plot is drawn from one. What has no source, or does not fit on the page, is an error.

# TeX is for the paper alone: no other verb installs it.
PACKAGES_PAPER=(texlive-latex-recommended texlive-pictures texlive-fonts-recommended lmodern jq gnuplot-nox fonts-liberation)

# Chapters that report measurements: digits only by macro (paper-lint.awk).
PAPER_STRICT="abstract.tex introduction.tex evaluation.tex conclusion.tex"

# paper_numbers OUT: write the macros of paper/numbers.tsv to OUT.
paper_numbers() {
	awk -v "root=$RESULTS/reference" -v "tree=$IDDR_TOP" -f "$AWK/rows.awk" -f "$AWK/paper-numbers.awk" "$IDDR_TOP/paper/numbers.tsv" >"$1" ||
		die "paper/numbers.tsv names numbers that $RESULTS/reference does not have; see above"
}

# paper_lint NUMBERS: no number is typed, none is there in vain.
paper_lint() {
	awk -v "strict=$PAPER_STRICT" -f "$AWK/paper-lint.awk" "$1" "$IDDR_TOP"/paper/*.tex >&2 ||
		die "the paper's sources have mistakes; see above"
}

# paper_figures OUT: draw the figures of every committed run below OUT.
paper_figures() {
	local dir
	for dir in "$RESULTS"/reference/*/; do
		[[ -s $dir/experiment ]] || continue
		PLOTS_OUT=$1 figures_draw "${dir%/}" "$(basename -- "$dir")"
	done
	PLOTS_OUT=$1 faults_figure "$RESULTS/reference/faults"
}

# paper_complaints LOG...: what TeX and BibTeX have warned of and a paper must not have.
paper_complaints() {
	! grep -hE '^(LaTeX|Package [a-z]+) Warning: .*(undefined|multiply defined|Rerun|has changed)|^Overfull |^Missing character|^Warning--' -- "$@" >&2
}

# paper_tables OUT: those tables that are as long as their run.
paper_tables() {
	awk -v order="$(awk 'NF { printf "%s ", $1 }' <<<"$FAULTS")" -f "$AWK/table.awk" -f "$AWK/fault-table.awk" \
		"$RESULTS"/reference/faults{,-nvme}/summary.tsv >"$1/faults.tex"
	[[ -s $1/faults.tex ]] || die "$RESULTS/reference/faults/summary.tsv has no fault for the paper's table"
}

# paper_tex OUT: typeset in OUT until references and contents stand still.
paper_tex() {
	local out=$1 pass log
	log=$out/iddr.log
	# In its own directory: BibTeX writes nowhere else. A line of the log is a line, not 79 columns.
	(
		cd -- "$out" || exit
		export TEXINPUTS="$IDDR_TOP/paper:$out:" BIBINPUTS="$IDDR_TOP/paper:" max_print_line=10000
		for pass in 1 2 3 4 5; do
			if ! pdflatex -interaction=nonstopmode -halt-on-error -file-line-error iddr.tex >typeset.txt 2>&1; then
				grep -A 6 -E '^(.*:[0-9]+:|!) ' typeset.txt >&2 || tail -n 20 typeset.txt >&2
				die "pdflatex fails; its log is $log"
			fi
			if ((pass == 1)); then
				bibtex iddr >bibtex.txt || { cat bibtex.txt >&2; die "bibtex fails on paper/iddr.bib"; }
			elif ! grep -qE 'Rerun to get|Label\(s\) may have changed' iddr.log; then
				((pass == 2)) || break
			fi
		done
	)
	paper_complaints "$log" "$out/iddr.blg" || die "the paper is not in order; see above, the log is $log"
}

# paper_make: all of it.
paper_make() {
	local out=$IDDR_BUILD/paper
	packages_install "${PACKAGES_PAPER[@]}"
	mkdir -p -- "$out"
	paper_numbers "$out/numbers.tex"
	paper_lint "$out/numbers.tex"
	paper_figures "$out"
	paper_tables "$out"
	paper_tex "$out"
	cp -- "$out/iddr.pdf" "$IDDR_TOP/paper/iddr.pdf"
	note "paper/iddr.pdf: $(sed -nE 's/^Output written on .*\(([0-9]+ pages).*/\1/p' "$out/iddr.log")"
}

# help: paper -- make paper/iddr.pdf; its numbers and plots are those of results/reference
cmd_paper() {
	(($# == 0)) || usage_error "paper takes no arguments"
	with_lock "$IDDR_BUILD/.paper-lock" paper_make
}
