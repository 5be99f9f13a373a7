# SPDX-License-Identifier: GPL-2.0
# native-latency.gp: a round trip with one request in flight, on two cores and on one: the median, and to the 99th percentile.
# Logarithmic: it spans from a cache line to a scheduler's slice.
PLACES = 2
BELOW = 2.9
load STYLE
SUBJECTS = "line two-lines phase-spin split-spin spin split-adaptive adaptive hybrid busy rte64 rte112 virtio eventfd pipe event"
row(i, p) = at(word(SUBJECTS, i), p, "quiet", "null", 0) && column("depth") == 1 ? i : NaN
unset logscale x
unset xlabel
set logscale y
set yrange [0.1:20000]
unset offsets
set xrange [0.4:words(SUBJECTS) + 0.6]
set xtics () rotate by 55 right offset 0,0.2
do for [i = 1:words(SUBJECTS)] { set xtics add (subject_title(word(SUBJECTS, i)) i) }
set style fill solid 0.85 noborder
set boxwidth 0.7
us(x) = x >= 100 ? sprintf("%.0f", x) : x >= 10 ? sprintf("%.1f", x) : sprintf("%.2f", x)
set multiplot @PLACE title head("A round trip, one request in flight (bar: median; line: to the 99th percentile)")
do for [p = 1:2] {
	P = word("two one", p)
	set title (p == 1 ? "two cores" : "one core") offset 0,-0.7
	set ylabel (p == 1 ? "{/Symbol m}s" : "") offset 0.5,0
	plot for [i = 1:words(SUBJECTS)] TABLE using (row(i, P)):(column("lat_p50_ns") / 1e3) with boxes lc rgb colour(word(SUBJECTS, i)) notitle, \
		for [i = 1:words(SUBJECTS)] TABLE using (row(i, P)):(column("lat_p50_ns") / 1e3):(0):((column("lat_p99_ns") - column("lat_p50_ns")) / 1e3) with vectors nohead lw 0.8 lc rgb "#000000" notitle, \
		for [i = 1:words(SUBJECTS)] TABLE using (row(i, P)):(column("lat_p99_ns") / 1e3 * 1.7):(us(column("lat_p50_ns") / 1e3)) with labels font ",5" notitle
}
unset multiplot
