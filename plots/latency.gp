# SPDX-License-Identifier: GPL-2.0
# latency.gp: latency of a request against queue depth, by mode: the median with its quartiles, and
# the 99th percentile as a small mark above it. The one figure with a logarithmic axis: depths make
# latencies differ by two orders of magnitude, and equal ratios shall be equal distances.
load STYLE
set logscale y
set yrange [*:*]
unset offsets
set multiplot @PLACE title head("Latency against queue depth (small marks: 99th percentile)")
do for [p = 1:NPANELS] {
	set title panel_title(p) offset 0,-0.7
	set ylabel (p % 2 ? "latency (ms)" : "") offset 0.5,0
	if (p == NPANELS) { eval KEY }
	plot for [m = 1:NMODES] TABLE using (X(m, p)):(column("lat_p50_us") / 1e3):(column("lat_p50_us_lo") / 1e3):(column("lat_p50_us_hi") / 1e3) ls LS(m) notitle, \
		for [m = 1:NMODES] TABLE using (X(m, p)):(column("lat_p99_us") / 1e3) with points ls LS(m) lw 0.5 ps 0.3 notitle, @KEYS
}
unset multiplot
