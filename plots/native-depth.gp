# SPDX-License-Identifier: GPL-2.0
# native-depth.gp: requests per second and what they cost, by how both sides wait and how many requests are in flight; two cores
# and one. Logarithmic: waking costs a hundred times a hand-over.
PLACES = 4
BELOW = 1.4
load STYLE
SUBJECTS = "event spin hybrid adaptive"
row(i, p) = at(word(SUBJECTS, i), p, "quiet", "null", 0) && column("depth") > 0 && column("batch") == 1 ? column("depth") : NaN
set xtics (1, 2, 4, 8, 32, 256) offset 0,0.3
set xlabel "requests in flight"
set logscale y
unset offsets
set format y "10^{%L}"
set multiplot @PLACE title head("Ways of waiting, from two cores to one")
do for [n = 1:4] {
	P = word("two one", (n + 1) / 2)
	X = word("rate cpu_ns_per_req", 2 - n % 2)
	set yrange [(n % 2 ? 1e4 : 10):(n % 2 ? 1e8 : 1e5)]
	set title (n % 2 ? "requests/s" : "CPU time/request (ns)").(P eq "two" ? ", two cores" : ", one core") offset 0,-0.7
	if (n == 4) { set key at screen 0.5, screen (0.35 / HEIGHT) center center vertical maxrows 1 Left reverse samplen 4 }
	plot for [i = 1:words(SUBJECTS)] TABLE using (row(i, P)):(column(X)):(column(X."_lo")):(column(X."_hi")) with yerrorlines ls style_of(word(SUBJECTS, i)) title word(SUBJECTS, i)
}
unset multiplot
