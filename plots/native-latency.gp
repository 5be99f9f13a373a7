# SPDX-License-Identifier: GPL-2.0
# native-latency.gp: a round trip with one request in flight, on two cores and on one: the median, and a line to the 99th
# percentile. Logarithmic: it spans from a cache line to a scheduler's slice.
PLACES = 2
BELOW = 1.9
load STYLE
SUBJECTS(p) = p == 1 ? "line two-lines split-spin phase-spin spin busy hybrid adaptive split-adaptive virtio rte64 rte112 eventfd pipe event split-event" : \
	"spin split-spin hybrid adaptive event eventfd pipe busy"
row(i, p) = at(word(SUBJECTS(p), i), word("two one", p), "quiet", "null", 0) && column("depth") == 1 ? i : NaN
unset logscale x
unset xlabel
set logscale y
set yrange [0.03:30000]
set ytics ("0.1" 0.1, "1" 1, "10" 10, "100" 100, "1000" 1000, "10000" 10000)
unset offsets
us(x) = x >= 100 ? sprintf("%.0f", x) : x >= 10 ? sprintf("%.1f", x) : sprintf("%.2f", x)
p50(x) = column("lat_p50_ns") / 1e3
p99(x) = column("lat_p99_ns") / 1e3
set multiplot @PLACE title head("A round trip, one in flight: median, line to the 99th percentile")
do for [p = 1:2] {
	set xrange [0.4:words(SUBJECTS(p)) + 0.6]
	set xtics () rotate by 55 right offset 0,0.2 font SMALL
	do for [i = 1:words(SUBJECTS(p))] { set xtics add (subject_title(word(SUBJECTS(p), i)) i) }
	set title (p == 1 ? "two cores" : "one core") offset 0,-0.7
	set ylabel (p == 1 ? "µs" : "") offset 0.5,0
	plot for [i = 1:words(SUBJECTS(p))] TABLE using (row(i, p)):(p50(0)):(0):(p99(0) - p50(0)) with vectors nohead lc rgb colour(word(SUBJECTS(p), i)) notitle, \
		for [i = 1:words(SUBJECTS(p))] TABLE using (row(i, p)):(p50(0)) with points pt 7 ps 0.5 lc rgb colour(word(SUBJECTS(p), i)) notitle, \
		for [i = 1:words(SUBJECTS(p))] TABLE using (row(i, p)):(i % 2 ? p99(0) * 2 : p50(0) / 2):(us(p50(0))) with labels font TINY notitle
}
unset multiplot
