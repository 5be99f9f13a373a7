# SPDX-License-Identifier: GPL-2.0
#
# native-summary.awk (with stats.awk, table.awk): make summary.tsv from cells.tsv: one row a point and subject; medians
# over the repetitions, with the quartiles as NAME_lo and NAME_hi.

BEGIN {
	FS = OFS = "\t"
	nout = split("rate rate_slice lat_mean_ns lat_p50_ns lat_p90_ns lat_p99_ns lat_p999_ns cpu_ns_per_req cpu_front_ns_per_req" \
		" cpu_back_ns_per_req switches_per_req doorbells_per_req sleeps_per_req looks_per_req yields_per_req cpu_pct" \
		" cpu_front_pct cpu_back_pct steal_ppm", out, " ")
	line = "testbed" OFS "subject" OFS "place" OFS "load" OFS "backing" OFS "bytes" OFS "depth" OFS "batch" OFS "reps"
	for (i = 1; i <= nout; i++)
		line = line OFS out[i] OFS out[i] "_lo" OFS out[i] "_hi"
	print line
}

NR == 1 {
	header()
	next
}

col("status") == "ok" {
	k = col("testbed") OFS col("subject") OFS col("place") OFS col("load") OFS col("backing") OFS col("bytes") OFS \
		col("depth") OFS col("batch")
	if (!(k in reps)) {
		group[++ngroups] = k
		rank[k] = subject_point_rank()
	}
	reps[k]++
	for (i = 1; i <= nout; i++)
		if (col(out[i]) != "-")
			value[k, i, ++count[k, i]] = col(out[i])
}

# number: with the digits that matter.
function number(x) {
	return sprintf("%.5g", x)
}

END {
	if (BROKEN)
		exit 1
	for (i = 2; i <= ngroups; i++) {
		k = group[i]
		for (j = i - 1; j >= 1 && rank[group[j]] > rank[k]; j--)
			group[j + 1] = group[j]
		group[j + 1] = k
	}
	for (g = 1; g <= ngroups; g++) {
		k = group[g]
		line = k OFS reps[k]
		for (i = 1; i <= nout; i++) {
			n = count[k, i]
			for (j = 1; j <= n; j++)
				v[j] = value[k, i, j]
			sort_num(v, n)
			line = line OFS (n ? number(quantile(v, n, 0.5)) OFS number(quantile(v, n, 0.25)) OFS number(quantile(v, n, 0.75)) : "-" OFS "-" OFS "-")
		}
		print line
	}
}
