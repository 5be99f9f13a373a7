# SPDX-License-Identifier: GPL-2.0
#
# runs.awk (with stats.awk, table.awk, native-table.awk): set one run against another: reads cells.tsv of run A, then of run B, both of
# domains or both of the testbed `process`, and prints rows as ratios.awk or native-ratios.awk does, B's over A's, for each mode and
# point that both have. The two were not interleaved, so that no cell of one has a partner in the other: a ratio is the median of those of all pairs.
#
#	-v per=MODE		take each cell relative to this mode's in the same block; points without it are left out

BEGIN {
	FS = OFS = "\t"
}

FNR == 1 {
	header()
	native = "subject" in COLUMN
	if (++run == 1) {
		nkeys = split(native ? "testbed place load backing bytes depth batch" : "testbed backing rw bs qd jobs app_domains", key, " ")
		nmetrics = split(native ? "rate rate_slice lat_p50_ns lat_p99_ns cpu_ns_per_req" : \
			"iops lat_p50_us lat_p99_us cpu_us_per_io notify_per_io irq_per_io ctxsw_per_io", metric, " ")
	}
	next
}

col("status") == "ok" && (native ? col("depth") > 0 : col("rw") != "idle") {
	p = col(key[1])
	for (i = 2; i <= nkeys; i++)
		p = p OFS (key[i] == "app_domains" ? col_or(key[i], 1) : col(key[i]))
	m = native ? col("subject") : mode_name(col("front"), col("back"), col("data"), col("queues"))
	k = p OFS m
	if (run == 1 && !(k in rank)) {
		row[++nrows] = k
		point[k] = p
		rank[k] = native ? native_point_rank() : point_rank(col("rw"), col("bs"), col("qd"), col("jobs"), col_or("app_domains", 1))
		second[k] = native ? subject_rank(m) : mode_rank(col("front"), col("back"), col("data"), col("queues"))
	}
	b = native ? col("rep") : col("block") SUBSEP col("boot")
	for (i = 1; i <= nmetrics; i++)
		if (col(metric[i]) != "-") {
			value[run, k, metric[i], ++count[run, k, metric[i]]] = col(metric[i])
			block[run, k, metric[i], count[run, k, metric[i]]] = b
			if (m == per)
				base[run, p, metric[i], b] = col(metric[i])
		}
}

# values: what run r has of metric x in row k, as a[1..n], returned; those that have no base, or 0 as base, are left out.
function values(r, k, x, a,    i, n, d) {
	for (i = 1; i <= count[r, k, x]; i++) {
		d = per == "" ? 1 : (r, point[k], x, block[r, k, x, i]) in base ? base[r, point[k], x, block[r, k, x, i]] : 0
		if (d > 0)
			a[++n] = value[r, k, x, i] / d
	}
	sort_num(a, n)
	return n + 0
}

# raw_median: the median of what was measured, whatever it is taken relative to.
function raw_median(r, k, x,    i, n, v) {
	n = count[r, k, x]
	for (i = 1; i <= n; i++)
		v[i] = value[r, k, x, i]
	sort_num(v, n)
	return quantile(v, n, 0.5)
}

# ratio_row: print the ratio of metric x in row k.
function ratio_row(k, x,    na, nb, a, b, n, both) {
	na = values(1, k, x, a)
	nb = values(2, k, x, b)
	if (!na || !nb)
		return
	n = na < nb ? na : nb
	both = raw_median(2, k, x) OFS raw_median(1, k, x)
	if (a[1] <= 0) {
		print k, per == "" ? "A" : per, x, n, "-", "-", "-", both
		return
	}
	ratio_interval(a, na, b, nb)
	print k, per == "" ? "A" : per, x, n, sprintf("%.4f", RATIO), sprintf("%.4f", RATIO_LO), sprintf("%.4f", RATIO_HI), both
}

END {
	if (BROKEN)
		exit 1
	for (i = 1; i <= nkeys; i++)
		printf "%s\t", key[i]
	print native ? "subject" : "mode", "base", "metric", "n", "ratio", "lo", "hi", "value", "base_value"
	sort_ranked(row, nrows, rank, second)
	for (i = 1; i <= nrows; i++)
		if (per == "" || row[i] != point[row[i]] OFS per)
			for (x = 1; x <= nmetrics; x++)
				ratio_row(row[i], metric[x])
}
