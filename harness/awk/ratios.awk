# SPDX-License-Identifier: GPL-2.0
#
# ratios.awk (with stats.awk, table.awk): make ratios.tsv from cells.tsv. A ratio is taken within
# a block (same point, same repetition, minutes apart at most) and within one boot; the table
# has the median over the blocks and its 95 % interval (median_interval() in stats.awk; of five blocks, their range).
#
#	-v bases="stock ..."       what to divide by, as table.awk names modes; default stock, native and event
#	-v modes="spin event@map"  what to divide; default all others

BEGIN {
	FS = OFS = "\t"
	if (bases == "") bases = "stock native event"
	nbases = split(bases, base, " ")
	nmetrics = split("iops lat_p50_us lat_p99_us cpu_us_per_io notify_per_io irq_per_io ctxsw_per_io", metric, " ")
	if (modes != "") {
		nmodes = split(modes, mode, " ")
		chosen = 1
	}
	print "testbed", "backing", "rw", "bs", "qd", "jobs", "mode", "base", "metric", "n", "ratio", "lo", "hi", "value", "base_value", \
		"front", "back", "data", "queues", "app_domains"
}

NR == 1 {
	header()
	next
}

col("status") == "ok" && col("rw") != "idle" {
	domains = col_or("app_domains", 1)
	p = col("testbed") OFS col("backing") OFS col("rw") OFS col("bs") OFS col("qd") OFS col("jobs") OFS domains
	m = mode_name(col("front"), col("back"), col("data"), col("queues"))
	if (!(p in rank)) {
		point[++npoints] = p
		shown[p] = substr(p, 1, length(p) - length(OFS domains))
		domains_of[p] = domains
		rank[p] = point_rank(col("rw"), col("bs"), col("qd"), col("jobs"), domains)
	}
	if (!(m in known)) {
		known[m] = col("front") OFS col("back") OFS col("data") OFS col("queues")
		if (!chosen) {
			mode[++nmodes] = m
			mrank[m] = mode_rank(col("front"), col("back"), col("data"), col("queues"))
		}
	}
	b = col("block") SUBSEP col("boot")
	if (!((p, b) in has)) {
		has[p, b] = 1
		block[p, ++nblocks[p]] = b
	}
	for (i = 1; i <= nmetrics; i++)
		value[p, b, m, metric[i]] = col(metric[i])
}

# known_value: true if a number was measured there.
function known_value(p, b, m, x) {
	return (p, b, m, x) in value && value[p, b, m, x] != "-"
}

# ratio_row: print the ratio of mode m to mode d at point p.
function ratio_row(p, m, d, x,    i, n, k, nv, r, va, vd, b) {
	n = nv = 0
	for (i = 1; i <= nblocks[p]; i++) {
		b = block[p, i]
		if (!known_value(p, b, m, x) || !known_value(p, b, d, x))
			continue
		nv++
		va[nv] = value[p, b, m, x]
		vd[nv] = value[p, b, d, x]
		if (vd[nv] > 0)
			r[++n] = va[nv] / vd[nv]
	}
	if (!nv)
		return
	sort_num(va, nv)
	sort_num(vd, nv)
	if (n < nv || !n) {
		print shown[p], m, d, x, n, "-", "-", "-", quantile(va, nv, 0.5), quantile(vd, nv, 0.5), known[m], domains_of[p]
		return
	}
	sort_num(r, n)
	median_interval(r, n)
	print shown[p], m, d, x, n, sprintf("%.4f", quantile(r, n, 0.5)), \
		sprintf("%.4f", MEDIAN_LO), sprintf("%.4f", MEDIAN_HI), quantile(va, nv, 0.5), quantile(vd, nv, 0.5), known[m], domains_of[p]
}

END {
	if (BROKEN)
		exit 1
	sort_ranked(point, npoints, rank, rank)
	if (!chosen)
		sort_ranked(mode, nmodes, mrank, mrank)
	for (d = 1; d <= nbases; d++)
		for (i = 1; i <= npoints; i++)
			for (m = 1; m <= nmodes; m++)
				if (mode[m] != base[d])
					for (x = 1; x <= nmetrics; x++)
						ratio_row(point[i], mode[m], base[d], metric[x])
}
