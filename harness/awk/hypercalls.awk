# SPDX-License-Identifier: GPL-2.0
#
# hypercalls.awk (with stats.awk, table.awk): hypercalls.tsv of a run from its cells.tsv and the xen.tsv of its cells (harness/guest/cell-xentrace): a row
# a point, mode, domain and kind: how often in a second, and for each request, since a trace is a part of a cell: what it has in a
# second, over the cell's requests per second (which the trace slows: how far off this is shows what the modules count themselves, hypercall.evtchn_op against notify_per_io). Medians over repetitions, with quartiles.
#
# Domains: app, storage, dom0, idle (Xen's own), and unknown, what a processor did before the trace saw it switch. Kinds: switched_in (began to run on a processor), hypercall (all entries by one), by name
# hypercall.NAME, and subcall.NAME what a multicall did in one of them. A kind that a repetition does not have was 0 in it.
# Cells that lost records are left out.

BEGIN { FS = OFS = "\t" }
NR == 1 {
	header()
	next
}
FILENAME == ARGV[1] {
	if (col("status") != "ok")
		next
	p = col("testbed") OFS col("backing") OFS col("rw") OFS col("bs") OFS col("qd")
	m = mode_name(col("front"), col("back"), col("data"), col("queues"))
	group_of[col("cell")] = p OFS m
	iops[col("cell")] = col("iops")
	if (!((p OFS m) in rank)) {
		rank[p OFS m] = point_rank(col("rw"), col("bs"), col("qd"), col("jobs"), 1)
		second[p OFS m] = mode_rank(col("front"), col("back"), col("data"), col("queues"))
		group[++groups] = p OFS m
	}
	next
}
FNR == 1 {
	n = split(FILENAME, part, "/")
	cell = part[n - 1]
}
$1 == "seconds" { seconds[cell] = $2 }
$1 == "lost" && $2 > 0 {
	lost[cell]
	nlost++
}
NF == 3 {
	count[cell, $1 OFS $2] += $3
	kind[$1 OFS $2]
}

# domain_rank: the order of domains in the table.
function domain_rank(d) {
	return d == "app" ? 1 : d == "storage" ? 2 : d == "dom0" ? 3 : 4
}

# kind_after: true if a comes after b in the table.
function kind_after(a, b,    x, y) {
	split(a, x, OFS)
	split(b, y, OFS)
	if (x[1] != y[1])
		return domain_rank(x[1]) > domain_rank(y[1])
	if (x[2] ~ /\./ != y[2] ~ /\./)
		return x[2] ~ /\./
	return x[2] > y[2]
}

END {
	if (BROKEN)
		exit 1
	if (nlost)
		printf "%d cells lost records of the trace and are left out of hypercalls.tsv\n", nlost | "cat 1>&2"
	print "testbed", "backing", "rw", "bs", "qd", "mode", "reps", "domain", "kind", "per_s", "per_io", "per_io_lo", "per_io_hi"
	for (k in kind) {
		for (i = nkinds++; i >= 1 && kind_after(kinds[i], k); i--)
			kinds[i + 1] = kinds[i]
		kinds[i + 1] = k
	}
	sort_ranked(group, groups, rank, second)
	for (i = 1; i <= groups; i++)
		for (j = 1; j <= nkinds; j++) {
			n = most = 0
			for (c in seconds)
				if (group_of[c] == group[i] && !(c in lost) && seconds[c] > 0 && iops[c] > 0) {
					s[++n] = count[c, kinds[j]] / seconds[c]
					r[n] = s[n] / iops[c]
					if (s[n] > most)
						most = s[n]
				}
			if (!n || !most)
				continue
			sort_num(s, n)
			sort_num(r, n)
			print group[i], n, kinds[j], sprintf("%.1f", quantile(s, n, 0.5)), sprintf("%.4f", quantile(r, n, 0.5)), \
				sprintf("%.4f", quantile(r, n, 0.25)), sprintf("%.4f", quantile(r, n, 0.75))
		}
}
