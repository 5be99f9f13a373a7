# SPDX-License-Identifier: GPL-2.0
# faults.gp: what the application gets around a fault in its driver's domain: answers a second, with a storage domain that is
# booted anew and with a standby. Set before: TABLE (timeline.tsv), FAULTS (their names), TESTBED, KIND, OUT.
set encoding utf8
set datafile separator "\t"
set datafile columnheaders
N = words(FAULTS)
COLUMNS = N > 1 ? 2 : 1
ROWS = (N + COLUMNS - 1) / COLUMNS
BOTTOM = 1.9
WIDTH = 11.0
HEIGHT = 3.8 * ROWS + BOTTOM
if (KIND eq "pdf") set terminal pdfcairo size WIDTH cm, HEIGHT cm font "Liberation Sans,8"
if (KIND eq "svg") set terminal svg size int(WIDTH * 50.4), int(HEIGHT * 50.4) font "Liberation Sans,10.7" linewidth 1.33 background rgb "white"
if (KIND eq "png") set terminal pngcairo size int(WIDTH * 120), int(HEIGHT * 120) font "Liberation Sans,8" fontscale 2.4 linewidth 3.17 pointscale 3.17
set output OUT
set grid back lc rgb "#d8d8d8" lt 1 lw 0.5
set border 3 lw 0.7
set tics nomirror scale 0.5
set style line 1 lc rgb "#0072B2" lw 1.4 dt 1
set style line 2 lc rgb "#D55E00" lw 1.4 dt (6,2)
shown(f, a) = strcol("fault") eq f && strcol("arrangement") eq a && strcol("load") eq "truth" ? column("rate") : NaN
set yrange [0:*]
set xrange [-5:*]
set xlabel "seconds since the last answer" offset 0,0.6
set ylabel "answers/s" offset 1,0
set multiplot layout ROWS, COLUMNS margins screen 1.4 / WIDTH, 1 - 0.25 / WIDTH, BOTTOM / HEIGHT, 1 - 1.3 / HEIGHT spacing screen 1.6 / WIDTH, 1.7 / HEIGHT \
	title sprintf("The application's disk around a fault (%s)", TESTBED)
unset key
do for [i = 1:N] {
	set title word(FAULTS, i) offset 0,-0.7
	set arrow 1 from first 0, graph 0 to first 0, graph 1 nohead lc rgb "#666666" dt (2,2) lw 1
	if (i == N) { set key at screen 0.5, screen 0.45 / HEIGHT center center vertical maxrows 1 Left reverse samplen 4 }
	plot TABLE using (column("seconds")):(shown(word(FAULTS, i), "isolated")) with lines ls 1 title "storage domain booted anew", \
		TABLE using (column("seconds")):(shown(word(FAULTS, i), "standby")) with lines ls 2 title "standby takes over"
}
unset multiplot
