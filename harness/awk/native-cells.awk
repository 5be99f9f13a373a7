# SPDX-License-Identifier: GPL-2.0
#
# native-cells.awk (with stats.awk): one row of cells.tsv for each cell.tsv and the raw.tsv after it. The raw data are facts,
# NAME<TAB>NUMBER, time slices of one millisecond, `slice<TAB>REQUESTS`, and the histogram of the latencies,
# `bucket<TAB>FROM<TAB>TO<TAB>COUNT`, which are nanoseconds. A percentile is the middle of its bucket.

BEGIN {
	FS = OFS = "\t"
	print "testbed", "block", "rep", "order", "subject", "place", "load", "backing", "bytes", "depth", "batch", \
		"status", "reason", "cell", "requests", "rate", "rate_slice", "lat_mean_ns", "lat_p50_ns", "lat_p90_ns", \
		"lat_p99_ns", "lat_p999_ns", "cpu_ns_per_req", "cpu_front_ns_per_req", "cpu_back_ns_per_req", "switches_per_req", \
		"doorbells_per_req", "sleeps_per_req", "looks_per_req", "yields_per_req", "cpu_pct", "cpu_front_pct", "cpu_back_pct", "steal_ppm"
}

FNR == 1 {
	n = split(FILENAME, path, "/")
	if (path[n] == "cell.tsv") {
		finish()
		cell = path[n - 1]
		# mawk keeps what split() does not overwrite.
		split("", fact); split("", lo); split("", hi); split("", hits); split("", slice)
		nb = ns = 0
		total = 0
	}
}

path[n] == "cell.tsv" { about[$1] = $2; next }
$1 == "slice" { slice[++ns] = $2; next }
$1 == "bucket" { nb++; lo[nb] = $2; hi[nb] = $3; hits[nb] = $4; total += $4; next }
{ fact[$1] = $2 }

# percentile: in the histogram; - if it is empty.
function percentile(p,    i, sum) {
	for (i = 1; i <= nb; i++) {
		sum += hits[i]
		if (sum >= p * total)
			return sprintf("%.1f", (lo[i] + hi[i] - 1) / 2)
	}
	return "-"
}

# mean: of the histogram.
function mean(    i, sum) {
	for (i = 1; i <= nb; i++)
		sum += hits[i] * (lo[i] + hi[i] - 1) / 2
	return total ? sprintf("%.1f", sum / total) : "-"
}

# per: x for one of n, or - where there is none.
function per(x, n) {
	return n > 0 ? sprintf("%.5g", x / n) : "-"
}

# both: what the two sides have together.
function both(name) {
	return fact["front_" name] + fact["back_" name]
}

# finish: print the row of the cell that has been read.
function finish(    r, t, why, idle) {
	if (cell == "")
		return
	r = fact["requests"] + 0
	t = fact["elapsed_ns"] + 0
	idle = about["depth"] == 0
	why = "-"
	if (cell ~ /\.failed-/)
		why = "it failed when it was measured"
	else if (t <= 0)
		why = "there is no measurement"
	else if (!idle && !r)
		why = "no request was answered"
	else if (idle && r)
		why = "an idle ring had requests"
	sort_num(slice, ns)
	print "process", about["block"], about["rep"], about["order"], about["subject"], about["place"], about["load"], about["backing"], \
		about["bytes"], about["depth"], about["batch"], why == "-" ? "ok" : "failed", why, cell, r, \
		idle ? "-" : per(1e9 * r, t), idle || !ns ? "-" : sprintf("%.5g", quantile(slice, ns, 0.5) * 1000), mean(), \
		percentile(0.5), percentile(0.9), percentile(0.99), percentile(0.999), \
		per(both("cpu_ns"), r), per(fact["front_cpu_ns"], r), per(fact["back_cpu_ns"], r), per(both("switches"), r), \
		per(both("doorbells"), r), per(both("sleeps"), r), per(both("looks"), r), per(both("yields"), r), \
		per(100 * both("cpu_ns"), t), per(100 * fact["front_cpu_ns"], t), per(100 * fact["back_cpu_ns"], t), per(1e6 * fact["steal_ns"], t)
}

END { finish() }
