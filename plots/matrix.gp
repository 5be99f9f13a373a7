# SPDX-License-Identifier: GPL-2.0
# matrix.gp: every front end against every back end: requests per second and CPU time of a request, as
# multiples of event/event's medians, with their quartiles beneath, by depth.
FRONTS = "event spin hybrid adaptive".(POLLED ? " poll" : "")
BACKS = "event spin hybrid adaptive"
PLACES = 2 * words(MATRIX_QD)
BELOW = 0.9
load STYLE
here(q) = strcol("rw") eq MATRIX_RW && strcol("bs") eq MATRIX_BS && column("qd") == q && strcol("data") eq "persistent" && column("queues") == 1 && index_of(FRONTS, strcol("front")) && index_of(BACKS, strcol("back"))
array BASE[PLACES]
do for [p = 1:PLACES] {
	NAME = p % 2 ? "iops" : "cpu_us_per_io"
	Q = int(word(MATRIX_QD, (p + 1) / 2))
	stats TABLE using (here(Q) && strcol("mode") eq "event" ? column(NAME) : NaN) nooutput
	BASE[p] = STATS_max
}
unset logscale x
unset grid
unset offsets
set border 0
set tics scale 0
set xrange [0.5:words(FRONTS) + 0.5]
set yrange [0.5:words(BACKS) + 0.5]
set xtics () offset 0,0.3 font SMALL
set ytics () font SMALL
do for [i = 1:words(FRONTS)] { set xtics add (word(FRONTS, i) i) }
do for [i = 1:words(BACKS)] { set ytics add (word(BACKS, i) i) }
set xlabel "front end" offset 0,0.8
unset colorbox
# White is event/event, blue better, orange worse, on a logarithmic scale.
set palette defined (-1 "#E69F00", 0 "#ffffff", 1 "#56B4E9")
set cbrange [-1:1]
set style fill solid 1 border rgb "#d8d8d8"
set multiplot @PLACE title head(sprintf("Front and back ends, %s, %s (event/event = 1)", rw_name(MATRIX_RW), unit(MATRIX_BS)))
do for [p = 1:PLACES] {
	NAME = p % 2 ? "iops" : "cpu_us_per_io"
	SIGN = p % 2 ? 1 : -1
	Q = int(word(MATRIX_QD, (p + 1) / 2))
	set title (p % 2 ? "requests/s" : "CPU time per request").sprintf(", depth %d", Q) offset 0,-0.7
	set ylabel (p % 2 ? "back end" : "") offset 2.6,0
	REL(suffix) = here(Q) ? column(NAME.suffix) / BASE[p] : NaN
	plot TABLE using (index_of(FRONTS, strcol("front"))):(index_of(BACKS, strcol("back"))):(0.5):(0.5):(SIGN * log(REL("")) / log(3)) with boxxyerror lc palette notitle, \
		TABLE using (here(Q) ? index_of(FRONTS, strcol("front")) : NaN):(index_of(BACKS, strcol("back")) + 0.14):(sprintf("%.2f", REL(""))) with labels notitle, \
		TABLE using (here(Q) ? index_of(FRONTS, strcol("front")) : NaN):(index_of(BACKS, strcol("back")) - 0.24):(sprintf("%.2f–%.2f", REL("_lo"), REL("_hi"))) with labels font TINY notitle
}
unset multiplot
