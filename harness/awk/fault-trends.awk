# SPDX-License-Identifier: GPL-2.0
#
# fault-trends.awk (with stats.awk, table.awk): trends.tsv from rows.tsv: does anything grow, or become slower, from one fault to the next? A row
# a boot of the application domain, load and figure (rows.tsv says what these are), of its cells in the order in which they ran. Different faults
# leave different figures behind, so only cells of the same fault and arrangement are compared, as months are in the seasonal Kendall test of Hirsch,
# Slack and Smith (Water Resources Research 18(1), 1982, 107-121):
#
#	cells, first, last, least, most
#	slope_per_cell   the median of the slopes between any two cells of the same fault (Theil and Sen), per cell of all that ran
#	z                Mann and Kendall's statistic, summed over the faults, normal where there is no trend, with the correction for ties
#	trend            up or down, if |z| > 1.96 (5 % of what has no trend seems to have one); none shown; few: less than 8 cells have
#	                 another one of the same fault

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
	season[g, i] = col("fault") SUBSEP col("arrangement")
	for (j = 1; j <= names; j++)
		figure[g, i, name[j]] = col(name[j])
}

# kendall_variance: of Kendall's statistic of n values, ties[V] of which are V.
function kendall_variance(n, ties,    t, var) {
	var = n * (n - 1) * (2 * n + 5)
	for (t in ties)
		var -= ties[t] * (ties[t] - 1) * (2 * ties[t] + 5)
	return var / 18
}

# trend: of v[1..n], in order, where s[i] is the season of v[i]: sets TREND_Z, TREND_SLOPE and TREND_CELLS, of those with another one of their season.
function trend(v, s, n,    i, j, k, d, all, var, slope, size, ties, t) {
	TREND_Z = TREND_SLOPE = TREND_CELLS = 0
	for (i = 1; i <= n; i++) {
		size[s[i]]++
		for (j = i + 1; j <= n; j++)
			if (s[i] == s[j]) {
				d = v[j] - v[i]
				all += d > 0 ? 1 : d < 0 ? -1 : 0
				slope[++k] = d / (j - i)
			}
	}
	for (t in size) {
		split("", ties)
		for (i = 1; i <= n; i++)
			if (s[i] == t)
				ties[v[i]]++
		var += kendall_variance(size[t], ties)
		if (size[t] > 1)
			TREND_CELLS += size[t]
	}
	if (var > 0 && all)
		TREND_Z = (all > 0 ? all - 1 : all + 1) / sqrt(var)
	if (k) {
		sort_num(slope, k)
		TREND_SLOPE = quantile(slope, k, 0.5)
	}
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
					s[n] = season[g, place[k]]
					sorted[n] = v[n]
				}
			if (!n)
				continue
			sort_num(sorted, n)
			trend(v, s, n)
			print g, name[j], n, v[1], v[n], sorted[1], sorted[n], sprintf("%.4g", TREND_SLOPE), sprintf("%.2f", TREND_Z), \
				(TREND_CELLS < 8 ? "few" : TREND_Z > 1.96 ? "up" : TREND_Z < -1.96 ? "down" : "none shown")
		}
	}
}
