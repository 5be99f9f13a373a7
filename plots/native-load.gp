# SPDX-License-Identifier: GPL-2.0
# native-load.gp: where spinning is put to the test: payloads that take time to copy, a third process on the back end's
# core, a file behind the ring; and nothing to do at all.
PLACES = 4
BELOW = 1.4
load STYLE
SUBJECTS = "event spin adaptive"
unset logscale x
unset xlabel
set logscale y
unset offsets
GROUPS = "payload,_depth_1 beside_a_busy_process file,_4_KiB idle"
what(g, k) = word(g == 1 ? "512_B 4_KiB 64_KiB" : g == 2 ? "depth_1 depth_32" : g == 3 ? "depth_1 depth_32" : "both_sides", k)
load_(g) = g == 2 ? "hog" : "quiet"
backing(g) = g == 1 ? "memcpy" : g == 3 ? "file" : "null"
bytes(g, k) = g == 1 ? int(word("512 4096 65536", k)) : g == 3 ? 4096 : 0
depth(g, k) = g == 1 ? 1 : g == 4 ? 0 : int(word("1 32", k))
row(i, g, k) = at(word(SUBJECTS, i), "two", load_(g), backing(g), bytes(g, k)) && column("depth") == depth(g, k) && column("batch") == 1 ? k + (i - 2) * 0.15 : NaN
set multiplot @PLACE title head("What spinning is worth where it has company")
do for [g = 1:4] {
	N = g == 1 ? 3 : g == 4 ? 1 : 2
	X = g == 4 ? "cpu_pct" : "rate"
	set xrange [0.4:N + 0.6]
	set xtics () offset 0,0.3
	do for [k = 1:N] { set xtics add (system("echo ".what(g, k)." | tr _ ' '") k) }
	set format y (g == 4 ? "%g" : "10^{%L}")
	set yrange [(g == 4 ? 0.01 : 100):(g == 4 ? 1000 : 1e7)]
	set title system("echo ".word(GROUPS, g)." | tr _ ' '").(g == 4 ? ": CPU time (% of a core)" : ": requests/s") offset 0,-0.7
	if (g == 4) { set key at screen 0.5, screen (0.35 / HEIGHT) center center vertical maxrows 1 Left reverse }
	plot for [i = 1:words(SUBJECTS)] for [k = 1:N] TABLE using (row(i, g, k)):(column(X)):(column(X."_lo")):(column(X."_hi")) with yerrorbars ls style_of(word(SUBJECTS, i)) dt 1 title (k == 1 ? word(SUBJECTS, i) : "")
}
unset multiplot
