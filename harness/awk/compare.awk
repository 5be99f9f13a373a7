# SPDX-License-Identifier: GPL-2.0
#
# compare.awk (with stats.awk): print ratios, rows of ratios.awk, native-ratios.awk or runs.awk, as a table for a terminal: a line a point,
# "ratio [lo, hi]" a metric, and what the interval of the first metric, a rate, shows.
#
#	-v a=NAME -v b=NAME	for the heading
#	-v how=TEXT		what the ratios are
#	-v named=1		say which mode or subject a line is of
#
# Exit status 3 if there is nothing to print.

BEGIN { FS = "\t" }
NR == 1 {
	for (i = 1; i <= NF; i++)
		c[$i] = i
	if ("subject" in c) {
		nk = split("subject place load backing bytes depth batch", key, " ")
		split("subject place load backing bytes depth batch", heading, " ")
		nm = split("rate lat_p50_ns lat_p99_ns cpu_ns_per_req", metric, " ")
		split("requests/s|latency p50|latency p99|CPU/request", title, "|")
	} else {
		nk = split("mode backing rw bs qd app_domains", key, " ")
		split("mode backing operation block depth domains", heading, " ")
		nm = split("iops lat_p50_us cpu_us_per_io irq_per_io ctxsw_per_io", metric, " ")
		split("IOPS|latency p50|CPU/request|interrupts/req|switches/req", title, "|")
	}
	next
}
{
	p = ""
	for (i = 1; i <= nk; i++) {
		x = key[i] == "app_domains" && !(key[i] in c) ? 1 : $c[key[i]]
		p = p (i > 1 ? "\t" : "") x (key[i] == "qd" && $c["jobs"] > 1 ? "x" $c["jobs"] : "")
	}
	if (!(p in n)) {
		point[++np] = p
		n[p] = 0
	}
	testbed = $c["testbed"]
	m = $c["metric"]
	if ($c["n"] > n[p])
		n[p] = $c["n"]
	if (m == metric[1]) {
		value[p] = sprintf("%.0f", $c["value"])
		base[p] = sprintf("%.0f", $c["base_value"])
		shows[p] = verdict($c["n"], $c["ratio"], $c["lo"], $c["hi"])
	}
	# Where the base is zero there is no ratio: show both numbers.
	cell[p, m] = $c["ratio"] == "-" ? sprintf("%.2g : %.2g", $c["value"], $c["base_value"]) : \
		short($c["ratio"]) " [" short($c["lo"]) ", " short($c["hi"]) "]"
}

# verdict: what the interval of a rate shows, in words.
function verdict(n, ratio, lo, hi,    d) {
	d = ratio == "-" ? 0 : beyond(n, lo, hi)
	return d > 0 ? "faster" : d < 0 ? "slower" : "no difference shown" (n < 5 ? " (n < 5)" : "")
}

# short: a ratio with the digits that matter.
function short(x) {
	return x > 0 && x < 0.1 ? sprintf("%.3f", x) : sprintf("%.2f", x)
}

# pad: s in a field of w, to the right; to the left if w is negative.
function pad(s, w) {
	return sprintf("%" w "s", s)
}

# max: the larger one.
function max(x, y) {
	return x > y ? x : y
}

# fields: the columns of the key that are shown, of f[1..nk].
function fields(f,    i, s) {
	for (i = 1; i <= nk; i++)
		if (wk[i])
			s = s (s == "" ? "" : "  ") pad(f[i], wk[i])
	return s
}

END {
	if (!np)
		exit 3
	# A column in which all lines agree is said once, above, save those that everybody looks for.
	for (i = 1; i <= nk; i++) {
		agree = key[i] !~ /^(rw|bs|qd|place|depth)$/
		w = max(length(heading[i]), 5)
		for (j = 1; j <= np; j++) {
			split(point[j], f, "\t")
			if (j == 1)
				first = f[i]
			agree = agree && f[i] == first
			w = max(w, length(f[i]))
		}
		if (i == 1 && !named)
			continue
		# One application domain is what everybody takes for granted.
		if (agree && key[i] == "app_domains" && first == 1)
			continue
		if (agree)
			common = common (common == "" ? "" : ", ") heading[i] " " first
		else
			wk[i] = key[i] ~ /^(bs|qd|app_domains|bytes|depth|batch)$/ ? w : -w
	}
	wa = max(length(a), 5)
	wb = max(length(b), 5)
	for (j = 1; j <= np; j++) {
		wa = max(wa, length(base[point[j]]))
		wb = max(wb, length(value[point[j]]))
	}
	for (i = 1; i <= nm; i++) {
		wm[i] = length(title[i])
		for (j = 1; j <= np; j++)
			if ((point[j], metric[i]) in cell)
				wm[i] = max(wm[i], length(cell[point[j], metric[i]]))
	}
	printf "%s : %s   %s\n", b, a, how
	printf "testbed: %s%s\n", testbed, testbed == "tcg" ? " (TCG-emulated: ratios only; absolute times say nothing)" : ""
	printf "%s\n", common == "" ? "" : "all lines: " common "\n"
	printf "%s  %2s  %s  %s", fields(none), "", pad(title[1], wa), pad(title[1], wb)
	for (i = 1; i <= nm; i++)
		printf "  %s", pad(title[i], wm[i])
	printf "\n%s  %2s  %s  %s", fields(heading), "n", pad(a, wa), pad(b, wb)
	for (i = 1; i <= nm; i++)
		printf "  %s", pad("ratio", wm[i])
	printf "  verdict\n"
	for (j = 1; j <= np; j++) {
		p = point[j]
		split(p, f, "\t")
		printf "%s  %2s  %s  %s", fields(f), n[p], pad(base[p], wa), pad(value[p], wb)
		for (i = 1; i <= nm; i++)
			printf "  %s", pad((p, metric[i]) in cell ? cell[p, metric[i]] : "-", wm[i])
		printf "  %s\n", shows[p]
	}
}
