# SPDX-License-Identifier: GPL-2.0
#
# fault-trends.awk (with stats.awk, table.awk): trends.tsv from rows.tsv: does anything grow, or become slower, from one fault to the next? A row
# a boot of the application domain, load and figure (rows.tsv says what these are), of its cells in the order in which they ran:
#
#	cells, first, last, least, most
#	slope_per_cell   the median of the slopes between any two cells (Theil and Sen)
#	z                Mann and Kendall's statistic, normal where there is no trend, with the correction for ties
#	trend            up or down, if |z| > 1.96 (5 % of what has no trend seems to have one); none shown; few: of less than 8 cells

BEGIN {
	FS = OFS = "\t"
	NAMES = "app_threads app_kernel_kib app_quarantined dom0_threads dom0_kernel_kib xenstore_nodes domains rate_before"
	names = split(NAMES, name, " ")
	print "boot", "load", "figure", "cells", "first", "last", "least", "most", "slope_per_cell", "z", "trend"
}
NR == 1 {
	header()
	next
}
col("arrangement") == "monolithic" { next }
{
	g = col("boot") OFS col("load")
	if (!(g in cells))
		group[++groups] = g
	i = ++cells[g]
	order[g, i] = col("order") + 0
	for (j = 1; j <= names; j++)
		figure[g, i, name[j]] = col(name[j])
}

# mann_kendall: z of v[1..n], in order.
function mann_kendall(v, n,    i, j, s, d, var, ties, t) {
	for (i = 1; i < n; i++)
		for (j = i + 1; j <= n; j++) {
			d = v[j] - v[i]
			s += d > 0 ? 1 : d < 0 ? -1 : 0
		}
	for (i = 1; i <= n; i++)
		ties[v[i]]++
	var = n * (n - 1) * (2 * n + 5)
	for (t in ties)
		var -= ties[t] * (ties[t] - 1) * (2 * ties[t] + 5)
	var /= 18
	return var <= 0 || s == 0 ? 0 : (s > 0 ? s - 1 : s + 1) / sqrt(var)
}

# theil_sen: the median of the slopes between any two of v[1..n].
function theil_sen(v, n,    i, j, k, slope) {
	for (i = 1; i < n; i++)
		for (j = i + 1; j <= n; j++)
			slope[++k] = (v[j] - v[i]) / (j - i)
	sort_num(slope, k)
	return k ? quantile(slope, k, 0.5) : 0
}

# by_order: the cells of group g as place[1..n], in the order in which they ran.
function by_order(g, n, place,    i, j) {
	for (i = 1; i <= n; i++) {
		for (j = i - 1; j >= 1 && order[g, place[j]] > order[g, i]; j--)
			place[j + 1] = place[j]
		place[j + 1] = i
	}
}

END {
	if (BROKEN)
		exit 1
	for (i = 1; i <= groups; i++) {
		g = group[i]
		split("", place)
		by_order(g, cells[g], place)
		for (j = 1; j <= names; j++) {
			n = 0
			for (k = 1; k <= cells[g]; k++)
				if (figure[g, place[k], name[j]] ~ /^-?[0-9.]+$/) {
					v[++n] = figure[g, place[k], name[j]]
					sorted[n] = v[n]
				}
			if (!n)
				continue
			sort_num(sorted, n)
			z = mann_kendall(v, n)
			print g, name[j], n, v[1], v[n], sorted[1], sorted[n], sprintf("%.4g", theil_sen(v, n)), sprintf("%.2f", z), \
				(n < 8 ? "few" : z > 1.96 ? "up" : z < -1.96 ? "down" : "none shown")
		}
	}
}
