# SPDX-License-Identifier: GPL-2.0
#
# report-ratios.awk (with html.awk, stats.awk): ratios.tsv as HTML: a table for each base, a row a mode and point, a column a metric. A
# cell is marked where its interval shows a difference.
#
#	-v label=TESTBED

BEGIN { FS = "\t" }
NR == 1 {
	for (i = 1; i <= NF; i++)
		c[$i] = i
	nk = split("subject" in c ? "subject place load backing bytes depth batch" : "mode rw bs qd jobs backing" ("app_domains" in c ? " app_domains" : ""), key, " ")
	next
}
{
	b = $c["base"]
	if (!(b in nrows)) {
		base[++nbases] = b
		nrows[b] = 0
	}
	k = b
	for (i = 1; i <= nk; i++)
		k = k "\t" $c[key[i]]
	if (!(k in n)) {
		row[b, ++nrows[b]] = k
		n[k] = 0
	}
	if ($c["n"] > n[k])
		n[k] = $c["n"]
	m = $c["metric"]
	if (!known[m]++)
		metric[++nm] = m
	cell[k, m] = ratio($c["n"], $c["ratio"], $c["lo"], $c["hi"], $c["value"], $c["base_value"], m)
}

# short: a ratio with the digits that matter.
function short(x) {
	return x > 0 && x < 0.1 ? sprintf("%.3f", x) : x >= 100 ? sprintf("%.0f", x) : sprintf("%.2f", x)
}

# ratio: the cell of one: its mark says what its interval shows, in words for those who do not see it.
function ratio(n, r, lo, hi, value, base_value, m,    d, good, what) {
	# Where the base is zero there is no ratio: both numbers.
	if (r == "-")
		return "<td class=\"n\">" number(value) " : " number(base_value) "</td>"
	d = beyond(n, lo, hi)
	good = (m ~ /^(iops|rate)/) == (d > 0)
	what = m ~ /^(iops|rate|lat)/ ? (good ? "faster" : "slower") : d > 0 ? "more" : "less"
	return sprintf("<td class=\"n%s\">%s <small>[%s, %s]</small>%s</td>", !d ? "" : good ? " better" : " worse", short(r), short(lo), short(hi), \
		!d ? "" : " <abbr title=\"" what "\">" (d > 0 ? "▲" : "▼") "</abbr>")
}

# table: that of base b.
function table(b,    i, j, f, first, agree, same, show, title) {
	for (i = 1; i <= nk; i++) {
		agree = nrows[b] > 1
		for (j = 1; j <= nrows[b]; j++) {
			split(row[b, j], f, "\t")
			if (j == 1)
				first = f[i + 1]
			agree = agree && f[i + 1] == first
		}
		show[i] = !agree
		if (agree)
			same = same (same == "" ? "" : ", ") heading(key[i]) " <b>" html(first) "</b>"
	}
	title = "Ratios to " b
	printf "<details%s><summary>%s <span class=\"count\">%d rows</span></summary>\n", b == base[1] ? " open=\"open\"" : "", html(title), nrows[b]
	printf "<div class=\"table\" id=\"ratios-%s\">\n<p class=\"about\">%s%d rows.</p>\n", html(b), same == "" ? "" : "In all rows: " same ". ", nrows[b]
	printf "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"%s\"><table>\n<caption>%s <span class=\"label\">%s</span></caption>\n<thead><tr>", \
		html(title), html(title), html(label)
	for (i = 1; i <= nk; i++)
		if (show[i])
			printf "%s", head_cell(key[i], i > 1 && key[i] !~ /^(place|load|backing|rw)$/ ? "n" : "")
	printf "%s", head_cell("n", "n")
	for (i = 1; i <= nm; i++)
		printf "%s", head_cell(metric[i], "n")
	print "</tr></thead>\n<tbody>"
	for (j = 1; j <= nrows[b]; j++) {
		split(row[b, j], f, "\t")
		printf "<tr>"
		for (i = 1; i <= nk; i++)
			if (show[i])
				printf i == 1 ? "<th scope=\"row\">%s</th>" : key[i] ~ /^(place|load|backing|rw)$/ ? "<td>%s</td>" : "<td class=\"n\">%s</td>", html(f[i + 1])
		printf "<td class=\"n\">%d</td>", n[row[b, j]]
		for (i = 1; i <= nm; i++)
			printf "%s", (row[b, j], metric[i]) in cell ? cell[row[b, j], metric[i]] : "<td class=\"n\">-</td>"
		print "</tr>"
	}
	print "</tbody></table></div></div></details>"
}

END {
	for (i_base = 1; i_base <= nbases; i_base++)
		table(base[i_base])
}
