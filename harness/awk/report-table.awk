# SPDX-License-Identifier: GPL-2.0
#
# report-table.awk (with html.awk): one of our tables as HTML, a row a row. X, X_lo and X_hi are one column, "X [lo, hi]". Columns in which all
# rows agree are said once, above; those that few need have the class "more".
#
#	-v id=NAME -v title=TEXT -v label=TESTBED

BEGIN { FS = "\t" }
NR == 1 {
	for (i = 1; i <= NF; i++) {
		name[i] = $i
		c[$i] = i
	}
	nf = NF
	next
}
{
	row[++rows] = $0
	for (i = 1; i <= nf; i++) {
		if (rows == 1)
			first[i] = $i
		else if ($i != first[i])
			differs[i] = 1
		if ($i !~ /^-?[0-9.]+(e[+-]?[0-9]+|[km])?$/ && $i != "-")
			word[i] = 1
	}
}

# agree: do all rows agree in a column, and in its quartiles?
function agree(i,    lo, hi) {
	lo = name[i] "_lo"
	hi = name[i] "_hi"
	return rows > 1 && !differs[i] && !(lo in c && differs[c[lo]]) && !(hi in c && differs[c[hi]])
}

# add: one more column to show, if it is one that differs.
function add(i,    base) {
	if (placed[i]++)
		return
	base = name[i]
	if (sub(/_(lo|hi)$/, "", base) && base in c)
		return
	if (agree(i)) {
		if (name[i] == "reason")
			return
		if (first[i] == "-")
			missing = missing (missing == "" ? "" : ", ") heading(name[i])
		else
			same = same (same == "" ? "" : ", ") heading(name[i]) " <b>" html(first[i]) "</b>"
		return
	}
	show[++shown] = i
	class[i] = word[i] ? "" : "n"
	if (index(" " FEW " ", " " name[i] " ") == 0)
		class[i] = class[i] (class[i] == "" ? "" : " ") "more"
}

# cell: what column i says in the present row f.
function cell(i, f,    lo, hi, s) {
	s = number(f[i])
	lo = name[i] "_lo"
	hi = name[i] "_hi"
	return f[i] != "-" && lo in c && hi in c ? s " <small>[" number(f[c[lo]]) ", " number(f[c[hi]]) "]</small>" : s
}

END {
	IDS = "mode subject place load backing data rw bs bytes qd depth batch jobs app_domains queues front back target block rep order status reason reps"
	FEW = "mode subject place load backing rw bs bytes qd depth batch jobs app_domains queues target rep status reason reps iops lat_p50_us lat_p99_us cpu_us_per_io" \
		" notify_per_io ctxsw_per_io irq_per_io mib_per_s rate lat_p50_ns lat_p99_ns cpu_ns_per_req switches_per_req doorbells_per_req" \
		" iterations findings seconds instructions_per_req transfers_per_req upgrades_per_req corpus_files commit" \
		" submit_us signal_us take_us back_us device_us signal_back_us take_back_us complete_us total_us domain kind per_io"
	# Where there is no mode, its parts say which row it is.
	if (!("mode" in c))
		FEW = FEW " front back data"
	n = split(IDS, id_name, " ")
	for (i = 1; i <= n; i++)
		if (id_name[i] in c)
			add(c[id_name[i]])
	for (i = 1; i <= nf; i++)
		add(i)
	printf "<div class=\"table\" id=\"%s\">\n<p class=\"about\">%s%s%s</p>\n", id, \
		same == "" ? "" : "In all rows: " same ". ", missing == "" ? "" : "Not measured: " missing ". ", rows " rows."
	printf "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"%s\"><table>\n<caption>%s <span class=\"label\">%s</span></caption>\n<thead><tr>", \
		html(title), html(title), html(label)
	for (k = 1; k <= shown; k++)
		printf "%s", head_cell(name[show[k]], class[show[k]])
	print "</tr></thead>\n<tbody>"
	for (r = 1; r <= rows; r++) {
		split(row[r], f, "\t")
		printf "<tr>"
		for (k = 1; k <= shown; k++) {
			i = show[k]
			if (k == 1)
				printf "<th scope=\"row\"%s>%s</th>", class[i] == "" ? "" : " class=\"" class[i] "\"", cell(i, f)
			else
				printf "<td%s>%s</td>", class[i] == "" ? "" : " class=\"" class[i] "\"", cell(i, f)
		}
		print "</tr>"
	}
	print "</tbody></table></div></div>"
}
