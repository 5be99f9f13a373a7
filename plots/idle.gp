# SPDX-License-Identifier: GPL-2.0
# idle.gp: what a disk costs that has nothing to do, by how both its ends wait: CPU time of its threads,
# and of the whole domains, which also run their timers and the measurement.
PLACES = 2
BELOW = 1.4
load STYLE
place(d) = strcol("rw") eq "idle" && index_of(IDLE_MODES, strcol("mode")) ? index_of(IDLE_MODES, strcol("mode")) + d : NaN
number(x) = x >= 10 ? sprintf("%.0f", x) : x >= 1 ? sprintf("%.1f", x) : sprintf("%.2f", x)
unset logscale x
set grid noxtics
set xrange [0.5:words(IDLE_MODES) + 0.5]
set yrange [0:115]
set ytics 0, 25, 100
set xtics () offset 0,0.3 font SMALL
do for [i = 1:words(IDLE_MODES)] { set xtics add (word(IDLE_MODES, i) i) }
unset xlabel
set boxwidth 0.36
set style fill solid 1 noborder
set style data boxes
set multiplot @PLACE title head("An idle disk: share of one virtual CPU")
do for [p = 1:2] {
	A = p == 1 ? "thread_front_pct" : "cpu_app_pct"
	B = p == 1 ? "thread_back_pct" : "cpu_storage_pct"
	set title (p == 1 ? "the disk's threads" : "whole domains") offset 0,-0.7
	set ylabel (p == 1 ? "percent" : "") offset 0.5,0
	if (p == 2) { set key at screen 0.5, screen (0.4 / HEIGHT) center center horizontal Left reverse }
	plot TABLE using (place(-0.19)):(column(A)) lc rgb "#8c8c8c" title "front end, application domain", \
		TABLE using (place(0.19)):(column(B)) lc rgb "#cfcfcf" title "back end, storage domain", \
		TABLE using (place(-0.19)):(column(A)):(column(A."_lo")):(column(A."_hi")) with yerrorbars lc rgb "#000000" lw 0.8 pt 0 notitle, \
		TABLE using (place(0.19)):(column(B)):(column(B."_lo")):(column(B."_hi")) with yerrorbars lc rgb "#000000" lw 0.8 pt 0 notitle, \
		TABLE using (place(-0.25)):(column(A."_hi") + 5):(number(column(A))) with labels font TINY notitle, \
		TABLE using (place(0.25)):(column(B."_hi") + 5):(number(column(B))) with labels font TINY notitle
}
unset multiplot
