# SPDX-License-Identifier: GPL-2.0
#
# compare.awk: print the rows of ratios.awk (mode b over mode a) as a table for a terminal: a
# line a point, "ratio [lo, hi]" a metric. -v a=NAME -v b=NAME are for the heading.
# Exit status 3 if there is nothing to print.

BEGIN {
	FS = "\t"
	nm = split("iops lat_p50_us cpu_us_per_io irq_per_io ctxsw_per_io", metric, " ")
	split("IOPS|latency p50|CPU/request|interrupts/req|switches/req", title, "|")
}
NR == 1 {
	for (i = 1; i <= NF; i++)
		c[$i] = i
	next
}
{
	p = $c["rw"] "\t" $c["bs"] "\t" $c["qd"] ($c["jobs"] > 1 ? "x" $c["jobs"] : "")
	if (!(p in n)) {
		point[++np] = p
		n[p] = 0
	}
	testbed = $c["testbed"]
	m = $c["metric"]
	if ($c["n"] > n[p])
		n[p] = $c["n"]
	if (m == "iops") {
		value[p] = sprintf("%.0f", $c["value"])
		base[p] = sprintf("%.0f", $c["base_value"])
	}
	# Where the base is zero there is no ratio: show both numbers.
	cell[p, m] = $c["ratio"] == "-" ? sprintf("%.2g : %.2g", $c["value"], $c["base_value"]) : \
		short($c["ratio"]) " [" short($c["lo"]) ", " short($c["hi"]) "]"
}

# short: a ratio with the digits that matter.
function short(x) {
	return x > 0 && x < 0.1 ? sprintf("%.3f", x) : sprintf("%.2f", x)
}

# pad: s in a field of w, to the right.
function pad(s, w) {
	return sprintf("%" w "s", s)
}

# max: the larger one.
function max(x, y) {
	return x > y ? x : y
}

END {
	if (!np)
		exit 3
	wa = max(length(a), 5)
	wb = max(length(b), 5)
	for (i = 1; i <= nm; i++) {
		wm[i] = length(title[i])
		for (j = 1; j <= np; j++)
			wm[i] = max(wm[i], length(cell[point[j], metric[i]]))
	}
	printf "%s : %s   median of the n ratios within repetitions [bootstrap 95 %% interval; up to n = 5 that is their range]\n", b, a
	printf "testbed: %s%s\n\n", testbed, testbed == "tcg" ? " (TCG-emulated: ratios only; absolute times say nothing)" : ""
	printf "%-9s  %5s  %5s  %2s  %s  %s", "", "", "", "", pad("IOPS", wa), pad("IOPS", wb)
	for (i = 1; i <= nm; i++)
		printf "  %s", pad(title[i], wm[i])
	printf "\n%-9s  %5s  %5s  %2s  %s  %s", "operation", "block", "depth", "n", pad(a, wa), pad(b, wb)
	for (i = 1; i <= nm; i++)
		printf "  %s", pad("ratio", wm[i])
	printf "\n"
	for (j = 1; j <= np; j++) {
		split(point[j], f, "\t")
		printf "%-9s  %5s  %5s  %2s  %s  %s", f[1], f[2], f[3], n[point[j]], \
			pad(base[point[j]], wa), pad(value[point[j]], wb)
		for (i = 1; i <= nm; i++)
			printf "  %s", pad((point[j], metric[i]) in cell ? cell[point[j], metric[i]] : "-", wm[i])
		printf "\n"
	}
}
