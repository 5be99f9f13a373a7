# SPDX-License-Identifier: GPL-2.0
#
# report-notes.awk (with stats.awk, table.awk, html.awk): of cells.tsv, how much was measured and what did not go as planned, as items of an
# HTML list.
#
#	-v planned=N	the repetitions that the plan has; default the most that a point got

BEGIN { FS = "\t" }
NR == 1 {
	header()
	native = "subject" in COLUMN
	nk = split(native ? "subject place load backing bytes depth batch" : "rw bs qd jobs backing app_domains", key, " ")
	next
}
{
	k = native ? "" : mode_name(col("front"), col("back"), col("data"), col("queues"))
	modes[native ? col("subject") : k]
	for (i = 1; i <= nk; i++) {
		if (key[i] == "app_domains" && col_or(key[i], 1) == 1)
			continue
		k = k (k == "" ? "" : " ") (key[i] ~ /^(qd|jobs|app_domains|bytes|depth|batch)$/ ? heading(key[i]) " " : "") col(key[i])
	}
	p = k
	sub(/^[^ ]+ /, "", p)
	points[p]
	if (!(k in reps)) {
		group[++groups] = k
		reps[k] = 0
	}
	cells++
	status = col("status")
	if (status == "failed")
		failed[++nfailed] = k ", repetition " col("rep") ": " col("reason")
	else if (status == "unused")
		unused[++nunused] = k ", repetition " col("rep") ": " col("reason")
	else {
		rate = col(native ? "rate" : "iops")
		value[k, ++reps[k]] = rate
		if (reps[k] > most)
			most = reps[k]
	}
}

# count: how many there are in an array.
function count(a,    n, i) {
	for (i in a)
		n++
	return n + 0
}

# list: an item with its lines beneath.
function list(class, what, lines, n,    i) {
	if (!n)
		return
	printf "<li class=\"%s\"><details%s><summary>%s</summary><ul>", class, n <= 12 ? " open=\"open\"" : "", html(what)
	for (i = 1; i <= n; i++)
		printf "<li>%s</li>", html(lines[i])
	print "</ul></details></li>"
}

END {
	if (BROKEN)
		exit 1
	if (planned == "")
		planned = most
	for (g = 1; g <= groups; g++) {
		k = group[g]
		n = reps[k]
		if (n < planned)
			few[++nfew] = k ": " n
		for (i = 1; i <= n; i++)
			v[i] = value[k, i]
		sort_num(v, n)
		# As wide.awk sees it.
		if (n > 1 && v[1] != "-" && v[n] - v[1] > quantile(v, n, 0.5) / 2)
			wide[++nwide] = k ": " number(v[1] "") " to " number(v[n] "")
	}
	printf "<li>%d cells of %d %s at %d points%s</li>\n", cells, count(modes), native ? "subjects" : "modes", count(points), \
		nfailed + nunused ? ", of which " nfailed + 0 " failed and " nunused + 0 " are not used" : ", all of them used"
	list("bad", nfailed " cells failed and are in no other table", failed, nfailed)
	list("note", nunused " cells are not used: another boot has more of their blocks", unused, nunused)
	list("bad", nfew " medians of " groups " are of fewer than " planned " repetitions", few, nfew)
	list("note", nwide " medians of " groups " are of repetitions that lie wide apart: the fastest and the slowest differ by more than half of it", wide, nwide)
	if (!nfailed && !nfew)
		printf "<li class=\"good\">No cell failed; every median is of %d repetitions or more.</li>\n", planned
}
