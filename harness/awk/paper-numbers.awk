# SPDX-License-Identifier: GPL-2.0
#
# paper-numbers.awk (with rows.awk): the paper's numbers as TeX macros, from paper/numbers.tsv, whose lines are
#
#	MACRO<TAB>SOURCE<TAB>ROWS<TAB>VALUES<TAB>FORMAT
#
# SOURCE is a table below the reference directory; ROWS picks one of its rows as in CLAIMS.md, "COLUMN=VALUE ...", or begins with
# "every" and picks some; VALUES are columns of it, each maybe with a factor or divisor ("lat_p50_ns/1000"), of "every" rows
# min(COLUMN), max(COLUMN), sum(COLUMN) or rows, their number; text(COLUMN) is no number. FORMAT is TeX with a conversion for each value:
#
#	%.2f	two decimals	%d	whole
#	%.3s	three digits that count; of text(), as many characters	%s	all of a text
#
# Groups in braces, "Event{One,Many}" and "qd={1,32}", make a macro of each combination: the first group of MACRO goes with the first in SOURCE,
# ROWS and VALUES, and so on. Two other sources: EXP/manifest.json, where ROWS is a key of which "value" is; ./FILE of the tree, where ROWS is a
# regular expression and "lines" says how many match it.
#
#	-v root=DIR	the reference	-v tree=DIR	the tree
#
# Exit status: 0, or 1: some line has no number; each is named.

BEGIN { FS = "\t" }

# wrong: there is no such number.
function wrong(what) {
	printf "%s:%d: \\%s: %s\n", FILENAME, FNR, MACRO, what | "cat 1>&2"
	failed = 1
}

# grouped: a whole number's digits by threes.
function grouped(s,    out, sign) {
	sign = sub(/^-/, "", s) ? "$-$" : ""
	while (length(s) > 4 || (out != "" && length(s) > 3)) {
		out = "\\," substr(s, length(s) - 2) out
		s = substr(s, 1, length(s) - 3)
	}
	return sign s out
}

# decimal: v with so many decimals, grouped before the point.
function decimal(v, places,    s, point) {
	s = sprintf("%." places "f", v)
	point = index(s, ".")
	return point ? grouped(substr(s, 1, point - 1)) substr(s, point) : grouped(s)
}

# counting: v with so many digits that count, never with an exponent.
function counting(v, digits,    e, places) {
	if (v == 0)
		return "0"
	# The exponent after rounding: 9.996 has 2 digits before the point, as 10.0.
	e = sprintf("%." (digits - 1) "e", v)
	sub(/^.*e/, "", e)
	places = digits - 1 - e
	if (places >= 0)
		return decimal(v, places)
	return decimal(sprintf("%." (digits - 1) "e", v) + 0, 0)
}

# text: s as TeX shows it.
function text(s) {
	gsub(/[_%&#$]/, "\\\\&", s)
	gsub(/~/, "\\textasciitilde{}", s)
	return s
}

# cell: the value that word asks for. Sets BAD.
function cell(word, n,    name, factor, fold, i, v, best) {
	factor = 1
	if (match(word, /[*\/][0-9.e+-]+$/)) {
		factor = substr(word, RSTART + 1) + 0
		if (substr(word, RSTART, 1) == "/")
			factor = 1 / factor
		word = substr(word, 1, RSTART - 1)
	}
	if (word == "rows")
		return n
	if (match(word, /^(min|max|sum|text)\(/)) {
		fold = substr(word, 1, RLENGTH - 1)
		word = substr(word, RLENGTH + 1, length(word) - RLENGTH - 1)
	}
	if (n != 1 && fold !~ /^(min|max|sum)$/) {
		BAD = n " rows match; one is meant, or min(" word "), max(" word "), sum(" word ") of every"
		return 0
	}
	for (i = 1; i <= n; i++) {
		v = CELL[i, word]
		if (fold == "text")
			return v
		if (!rows_number(v)) {
			BAD = "the value is '" v "', no number"
			return 0
		}
		v *= factor
		if (fold == "sum")
			best += v
		else if (i == 1 || (fold == "max" ? v > best : v < best))
			best = v
	}
	return best
}

# columns: the columns that VALUES name.
function columns(values,    n, w, i, out) {
	n = split(values, w, " ")
	for (i = 1; i <= n; i++) {
		sub(/[*\/][0-9.e+-]+$/, "", w[i])
		gsub(/^(min|max|sum|text)\(|\)$/, "", w[i])
		if (w[i] != "rows")
			out = out " " w[i]
	}
	return out
}

# manifest: the value of a key in a manifest.
function manifest(file, key,    line, found) {
	while (!found && (getline line <file) > 0)
		if (match(line, "\"" key "\": *"))
			found = substr(line, RSTART + RLENGTH)
	close(file)
	gsub(/^"|"?,?$/, "", found)
	return found
}

# lines: how many lines of a file match a regular expression.
function lines(file, re,    line, n) {
	while ((getline line <file) > 0)
		if (line ~ re)
			n++
	close(file)
	return n + 0
}

# source_read: have what one line names in CELL. Return: how many rows; 0 or less: BAD says why there are none.
function source_read(source, filter, values,    n) {
	if (source ~ /\/manifest\.json$/) {
		CELL[1, "value"] = manifest(root "/" source, filter)
		if (CELL[1, "value"] != "")
			return 1
		BAD = source " has no key \047" filter "\047"
		return 0
	}
	if (source ~ /^\.\//) {
		CELL[1, "lines"] = lines(tree "/" source, filter)
		if (CELL[1, "lines"])
			return 1
		BAD = "no line of " source " matches " filter
		return 0
	}
	every = sub(/^every */, "", filter)
	n = rows_find(root "/" source, filter, columns(values))
	if (n < 0)
		BAD = ROWS_WRONG
	else if (!n)
		BAD = "no row of " source " matches " filter
	else if (n > 1 && !every)
		BAD = n " rows of " source " match " filter "; one is meant"
	return n
}

# number: one macro.
function number(source, filter, values, format,    n, nv, word, w, i, out, spec, digits) {
	BAD = ""
	n = source_read(source, filter, values)
	nv = split(values, word, " ")
	for (i = 1; i <= nv && BAD == ""; i++)
		w[i] = cell(word[i], n)
	for (i = 1; BAD == "" && match(format, /%(\.[0-9]+)?[fds]/); i++) {
		spec = digits = substr(format, RSTART, RLENGTH)
		out = out substr(format, 1, RSTART - 1)
		format = substr(format, RSTART + RLENGTH)
		gsub(/[^0-9]/, "", digits)
		if (i > nv)
			BAD = "the format has more conversions than there are values"
		else if (word[i] ~ /^text/)
			out = out text(digits == "" ? w[i] : substr(w[i], 1, digits))
		else if (spec ~ /s$/)
			out = out counting(w[i], digits == "" ? 3 : digits)
		else
			out = out decimal(w[i], digits + 0)
	}
	if (BAD == "" && i <= nv)
		BAD = "the format has fewer conversions than there are values"
	if (BAD != "") {
		wrong(BAD)
		return
	}
	if (MACRO !~ /^[A-Za-z]+$/) {
		wrong("a macro's name is made of letters")
		return
	}
	if (seen[MACRO]++) {
		wrong("is there twice")
		return
	}
	printf "\\newcommand{\\%s}{%s%s\\xspace}%% %d\n", MACRO, out, format, FNR
	good++
}

# expand: a macro of each combination of the groups in braces.
function expand(macro, source, filter, values, format,    a, b, na, nb, i, at, len, rest, line, cells) {
	if (!match(macro, /\{[^}]*\}/)) {
		MACRO = macro
		number(source, filter, values, format)
		return
	}
	at = RSTART
	len = RLENGTH
	na = split(substr(macro, at + 1, len - 2), a, ",")
	MACRO = macro
	line = source "\t" filter "\t" values
	if (!match(line, /\{[^}]*\}/)) {
		wrong("has more groups than its source, rows and values")
		return
	}
	nb = split(substr(line, RSTART + 1, RLENGTH - 2), b, ",")
	if (na != nb) {
		wrong("a group of " na " goes with one of " nb)
		return
	}
	rest = substr(line, RSTART + RLENGTH)
	line = substr(line, 1, RSTART - 1)
	for (i = 1; i <= na; i++) {
		split(line b[i] rest, cells, "\t")
		expand(substr(macro, 1, at - 1) a[i] substr(macro, at + len), cells[1], cells[2], cells[3], format)
	}
}

/^#/ || !NF { next }
NF != 5 {
	MACRO = $1
	wrong("a line has five cells, this has " NF)
	next
}
{ expand($1, $2, $3, $4, $5) }

END {
	close("cat 1>&2")
	if (!good && !failed) {
		printf "there is no number in %s\n", FILENAME | "cat 1>&2"
		failed = 1
	}
	exit failed
}
