# SPDX-License-Identifier: GPL-2.0
#
# summary.awk (with stats.awk, table.awk): make summary.tsv from cells.tsv: one row a point and
# mode; medians over the repetitions, with the quartiles as NAME_lo and NAME_hi.

BEGIN {
	FS = OFS = "\t"
	# The columns that everybody needs come first, then the rest.
	nout = split("iops iops_lo iops_hi lat_p50_us lat_p99_us cpu_us_per_io notify_per_io ctxsw_per_io" \
		" irq_per_io lat_mean_us mib_per_s lat_p50_us_lo lat_p50_us_hi lat_p99_us_lo lat_p99_us_hi" \
		" cpu_us_per_io_lo cpu_us_per_io_hi cpu_app_us_per_io cpu_storage_us_per_io cpu_dom0_us_per_io" \
		" notify_per_io_lo notify_per_io_hi notify_front_per_io notify_back_per_io" \
		" irq_per_io_lo irq_per_io_hi irq_app_per_io irq_storage_per_io" \
		" ctxsw_per_io_lo ctxsw_per_io_hi ctxsw_app_per_io ctxsw_storage_per_io" \
		" ring_requests_per_io suppressed_per_io spins_per_io sleeps_per_io copied_bytes_per_io grant_ops_per_io" \
		" spin_hits_per_io arms_per_io cpu_app_pct cpu_app_pct_lo cpu_app_pct_hi cpu_storage_pct cpu_storage_pct_lo" \
		" cpu_storage_pct_hi cpu_dom0_pct thread_front_pct thread_front_pct_lo thread_front_pct_hi thread_back_pct" \
		" thread_back_pct_lo thread_back_pct_hi mib_per_s_lo mib_per_s_hi irq_device_per_io iops_all iops_all_lo iops_all_hi", \
		out, " ")
	line = "testbed" OFS "front" OFS "back" OFS "data" OFS "backing" OFS "rw" OFS "bs" OFS "qd" OFS "reps"
	for (i = 1; i <= nout; i++)
		line = line OFS out[i]
	print line, "jobs", "queues", "mode", "app_domains"
}

NR == 1 {
	header()
	next
}

col("status") == "ok" {
	g = col("testbed") OFS col("front") OFS col("back") OFS col("data") OFS col("backing") OFS \
		col("rw") OFS col("bs") OFS col("qd")
	k = g SUBSEP col("jobs") SUBSEP col("queues") SUBSEP col_or("app_domains", 1)
	if (!(k in reps)) {
		group[++ngroups] = k
		name[k] = g
		jobs[k] = col("jobs")
		queues[k] = col("queues")
		domains[k] = col_or("app_domains", 1)
		mode[k] = mode_name(col("front"), col("back"), col("data"), col("queues"))
		prank[k] = point_rank(col("rw"), col("bs"), col("qd"), col("jobs"), domains[k])
		mrank[k] = mode_rank(col("front"), col("back"), col("data"), col("queues"))
	}
	reps[k]++
	for (i = 1; i <= nout; i++) {
		m = out[i]
		if (m ~ /_(lo|hi)$/)
			continue
		x = m == "iops_all" ? col_or(m, col("iops")) : col(m)
		if (x != "-")
			value[k, m, ++count[k, m]] = x
	}
}

# digits: a number without needless decimals.
function digits(x) {
	return x >= 1000 ? sprintf("%.0f", x) : x >= 10 ? sprintf("%.2f", x) : sprintf("%.4f", x)
}

END {
	if (BROKEN)
		exit 1
	sort_ranked(group, ngroups, prank, mrank)
	for (g = 1; g <= ngroups; g++) {
		k = group[g]
		line = name[k] OFS reps[k]
		for (i = 1; i <= nout; i++) {
			m = out[i]
			p = 0.5
			if (m ~ /_lo$/) p = 0.25
			if (m ~ /_hi$/) p = 0.75
			sub(/_(lo|hi)$/, "", m)
			n = count[k, m]
			for (j = 1; j <= n; j++)
				v[j] = value[k, m, j]
			sort_num(v, n)
			line = line OFS (n ? digits(quantile(v, n, p)) : "-")
		}
		print line, jobs[k], queues[k], mode[k], domains[k]
	}
}
