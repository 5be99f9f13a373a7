# SPDX-License-Identifier: GPL-2.0
#
# wide.awk (with stats.awk and table.awk): the points of cells.tsv, as plan.awk numbers them ("p3"), whose
# repetitions up to -v upto=N lie wide apart: some mode's largest and smallest IOPS differ by more than half of
# their median. They are worth further repetitions, of all modes alike.

BEGIN { FS = "\t" }
NR == 1 {
	header()
	next
}
col("status") == "ok" && col("rw") != "idle" && col("rep") <= upto {
	p = col("block")
	sub(/^r[0-9]+/, "", p)
	k = p SUBSEP mode_name(col("front"), col("back"), col("data"), col("queues"))
	point[k] = p
	value[k, ++n[k]] = col("iops")
}
END {
	for (k in n) {
		for (i = 1; i <= n[k]; i++)
			v[i] = value[k, i]
		sort_num(v, n[k])
		if (v[n[k]] - v[1] > quantile(v, n[k], 0.5) / 2)
			wide[point[k]]
	}
	for (p in wide)
		print p
}
