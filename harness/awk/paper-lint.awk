# SPDX-License-Identifier: GPL-2.0
#
# paper-lint.awk NUMBERS.TEX CHAPTER...: what the paper's sources must not have. Of chapters that report measurements (-v strict=
# their names, with blanks between) no digit may be typed: a measured number is a macro of NUMBERS.TEX. What may have digits there:
#
#	\param{...}	what was chosen, not measured: sizes, depths, repetitions, a mode's budget
#	\code{...}	a name
#	\ref{} \label{} \cite{} \input{}, \resultfigure{}{} up to its caption, \multicolumn{}, \setcounter{}{}, lengths in [...] and {...cm}
#	dom0
#
# Every line of paper/numbers.tsv has a macro that is used somewhere. Exit status: 0, or 1: each line that is wrong is named.

# wrong: a source is at fault.
function wrong(what) {
	printf "%s:%d: %s\n", FILENAME, FNR, what
	failed = 1
}

FNR == 1 {
	name = FILENAME
	sub(/^.*\//, "", name)
	checked = 0
	n = split(strict, s, " ")
	for (i = 1; i <= n; i++)
		if (s[i] == name)
			checked = 1
}

FILENAME == ARGV[1] {
	if (match($0, /^\\newcommand\{\\[A-Za-z]+\}/))
		line_of[substr($0, 14, RLENGTH - 14)] = $NF
	next
}

{
	gsub(/\\%/, " percent ")
	sub(/%.*/, "")
	line = $0
	while (match(line, /\\[A-Za-z]+/)) {
		used[substr(line, RSTART + 1, RLENGTH - 1)] = 1
		line = substr(line, RSTART + RLENGTH)
	}
}

checked {
	gsub(/\\(param|code|ref|label|cite|input|resultfigure|includegraphics|multicolumn|setcounter\{[a-z]*\})(\[[^]]*\])?\{[^}]*\}/, "")
	gsub(/dom0/, "")
	gsub(/\[[^]]*\]/, "")
	gsub(/\{[0-9.]*(cm|mm|pt|em|\\(textwidth|linewidth))\}/, "")
	if ($0 ~ /[0-9]/)
		wrong("a number is typed: make it a macro of paper/numbers.tsv, or \\param{} if it was chosen: " $0)
}

END {
	for (m in line_of)
		if (m in used)
			needed[line_of[m]] = 1
	for (m in line_of)
		if (!(line_of[m] in needed)) {
			printf "paper/numbers.tsv:%d: \\%s is used nowhere\n", line_of[m], m
			needed[line_of[m]] = 1
			failed = 1
		}
	exit failed
}
