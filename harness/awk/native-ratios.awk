# SPDX-License-Identifier: GPL-2.0
#
# native-ratios.awk (with stats.awk, table.awk, native-table.awk): make ratios.tsv from cells.tsv. A ratio is
# taken within a block (same point, same repetition, seconds apart); the table has the median over the
# blocks and its 95 % interval (median_interval() in stats.awk). The base `better` is the faster of event and spin in that block.
#
#	-v bases="event ..."	what to divide by; default most
#	-v modes="spin ..."	which subjects to divide; default all

BEGIN {
	FS = OFS = "\t"
	if (bases == "") bases = "line two-lines pipe eventfd rte64 rte112 virtio uring event spin split-spin better"
	nbases = split(bases, base, " ")
	nmetrics = split("rate rate_slice lat_p50_ns lat_p99_ns cpu_ns_per_req", metric, " ")
	print "testbed", "subject", "base", "place", "load", "backing", "bytes", "depth", "batch", "metric", "n", "ratio", "lo", "hi", "value", "base_value"
}

NR == 1 {
	header()
	next
}

col("status") == "ok" && col("depth") > 0 {
	p = col("place") OFS col("load") OFS col("backing") OFS col("bytes") OFS col("depth") OFS col("batch")
	testbed = col("testbed")
	s = col("subject")
	if (!(p in rank)) {
		point[++npoints] = p
		rank[p] = native_point_rank()
	}
	if (!((p, s) in has)) {
		has[p, s] = 1
		subject[p, ++nsubjects[p]] = s
	}
	b = col("rep")
	if (!((p, b) in has_block)) {
		has_block[p, b] = 1
		block[p, ++nblocks[p]] = b
	}
	for (i = 1; i <= nmetrics; i++)
		if (col(metric[i]) != "-")
			value[p, b, s, metric[i]] = col(metric[i])
}

# base_value: of a base in a block, "" if it was not measured there.
function base_value(p, b, d, x,    e, s) {
	if (d != "better")
		return (p, b, d, x) in value ? value[p, b, d, x] : ""
	if (!((p, b, "event", x) in value) || !((p, b, "spin", x) in value))
		return ""
	e = value[p, b, "event", x]
	s = value[p, b, "spin", x]
	return (x ~ /^rate/) == (e + 0 > s + 0) ? e : s
}

# ratio_row: the ratio of subject s to base d at point p.
function ratio_row(p, s, d, x,    i, n, va, vd, r, b, w) {
	n = 0
	for (i = 1; i <= nblocks[p]; i++) {
		b = block[p, i]
		w = base_value(p, b, d, x)
		if (!((p, b, s, x) in value) || w == "" || w + 0 <= 0)
			continue
		va[++n] = value[p, b, s, x]
		vd[n] = w
		r[n] = va[n] / w
	}
	if (!n)
		return
	sort_num(va, n)
	sort_num(vd, n)
	sort_num(r, n)
	median_interval(r, n)
	print testbed, s, d, p, x, n, sprintf("%.4f", quantile(r, n, 0.5)), sprintf("%.4f", MEDIAN_LO), sprintf("%.4f", MEDIAN_HI), \
		sprintf("%.5g", quantile(va, n, 0.5)), sprintf("%.5g", quantile(vd, n, 0.5))
}

END {
	if (BROKEN)
		exit 1
	for (i = 2; i <= npoints; i++) {
		p = point[i]
		for (j = i - 1; j >= 1 && rank[point[j]] > rank[p]; j--)
			point[j + 1] = point[j]
		point[j + 1] = p
	}
	for (i = 1; i <= npoints; i++) {
		p = point[i]
		for (d = 1; d <= nbases; d++)
			for (m = 1; m <= nsubjects[p]; m++)
				if (subject[p, m] != base[d] && (modes == "" || index(" " modes " ", " " subject[p, m] " ")))
					for (x = 1; x <= nmetrics; x++)
						ratio_row(p, subject[p, m], base[d], metric[x])
	}
}
