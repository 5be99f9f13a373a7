# SPDX-License-Identifier: GPL-2.0
# hypercalls.gp: the hypercalls of the application and the storage domain for each request, by kind and mode, at each depth: hypercalls.tsv as
# stacked bars.
PLACES = words(FIRST_QD)
BELOW = 1.3
DEPTH_MODES = CALL_MODES
load STYLE
# By Linux's use of them: what switches between threads is two hypercalls.
KINDS = "evtchn_op sched_op.block vcpu_op.set_singleshot_timer grant_table_op stack_switch iret"
COLOURS = "0x0072B2 0xD55E00 0xE69F00 0x009E73 0x56B4E9 0xBBBBBB 0x777777"
NK = words(KINDS) + 1
title_of(k) = k == 1 ? "event channel" : k == 2 ? "block" : k == 3 ? "set timer" : k == 4 ? "grant table" : k == 5 ? "switch of threads" : k == 6 ? "iret" : "other"
is_call(s) = strstrt(strcol("kind"), "hypercall.".s) == 1
kind_is(k) = k == NK ? strcol("kind") eq "hypercall" : is_call(word(KINDS, k)) || (k == 5 && is_call("set_segment_base"))
row_is(m, q) = strcol("mode") eq word(SHOWN, m) && strcol("rw").":".strcol("bs") eq word(PANELS, 1) && column("qd") == int(word(FIRST_QD, q)) && \
	(strcol("domain") eq "app" || strcol("domain") eq "storage")
# A line a depth and mode: where each kind's bar ends. (Before there are ranges, which stats would heed.)
unset logscale x
unset xrange
unset yrange
set print $BARS
do for [q = 1:PLACES] {
	do for [m = 1:NMODES] {
		line = sprintf("%d\t%d", q, m)
		at = 0.0
		do for [k = 1:NK] {
			stats CALLS using (row_is(m, q) && kind_is(k) ? column("per_io") : 0) nooutput
			# The last is what is left of all of them.
			at = k == NK ? (STATS_sum > at ? STATS_sum : at) : at + STATS_sum
			line = line.sprintf("\t%g", at)
		}
		print line
	}
}
unset print

set style fill solid 1.0 border lc rgb "#ffffff"
set yrange [NMODES + 0.6:0.4]
set xrange [0:*]
set offsets 0, 0, 0, 0
set grid noytics
set xtics autofreq offset 0,0.3
set format x "%.10g"
set xlabel "hypercalls a request" offset 0,0.6
set ytics ("" 1)
do for [m = 1:NMODES] { set ytics add (mode_title(word(SHOWN, m)) m) }
set datafile nocolumnheaders
PLACE = sprintf("layout 1, %d margins screen %g, %g, %g, %g spacing screen %g, 0", PLACES, 2.2 / WIDTH, 1 - 0.3 / WIDTH, (BELOW + 0.6) / HEIGHT, \
	1 - 1.4 / HEIGHT, 0.6 / WIDTH)
set multiplot @PLACE title head("Hypercalls of both domains: ".panel_title(1))
do for [q = 1:PLACES] {
	set title sprintf("depth %s", word(FIRST_QD, q)) offset 0,-0.7
	if (q > 1) { do for [m = 1:NMODES] { set ytics add ("" m) } }
	if (q == PLACES) { set key at screen 0.5, screen (0.55 / HEIGHT) center center vertical maxrows 2 Left reverse samplen 1 width -1 }
	plot for [k = 1:NK] $BARS using ($1 == q ? (k == 1 ? 0 : column(k + 1)) : NaN):2:(k == 1 ? 0 : column(k + 1)):(column(k + 2)):($2 - 0.3):($2 + 0.3) \
		with boxxyerror fc rgb int(word(COLOURS, k)) title title_of(k)
}
unset multiplot
