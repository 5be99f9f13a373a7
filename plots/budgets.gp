# SPDX-License-Identifier: GPL-2.0
# budgets.gp: how long to spin before sleeping: from not at all (event) over hybrid's budgets to for ever
# (spin), both sides alike; and the budget that adapts itself.
PLACES = 2
BELOW = 2.0
load STYLE
# A point has its mode's colour, a depth its mark.
set style line 21 lc rgb "#000000" lw 1.2 dt 1 pt 7 ps 0.55
set style line 22 lc rgb "#000000" lw 1.2 dt 1 pt 4 ps 0.55
set style line 23 lc rgb "#000000" lw 1.2 dt 1 pt 9 ps 0.65
COLOUR(m) = m eq "event" ? 0x0072B2 : m eq "spin" ? 0xD55E00 : m eq "adaptive" ? 0x882255 : 0x009E73
# The modes that lie on a line from less to more; adaptive stands apart.
at(q, m) = strcol("rw") eq MATRIX_RW && strcol("bs") eq MATRIX_BS && column("qd") == q && strcol("mode") eq m
place(q) = index_of(BUDGETS, strcol("mode")) && at(q, strcol("mode")) ? index_of(BUDGETS, strcol("mode")) : NaN
name(m) = m eq "hybrid" ? "200" : m[1:*] eq "event" || m eq "spin" || m eq "adaptive" ? m : m[8:*]
unset logscale x
set xrange [0.5:words(BUDGETS) + 0.5]
set xtics () rotate by 35 right
do for [i = 1:words(BUDGETS)] { set xtics add (name(word(BUDGETS, i)) i) }
set xlabel "budget (µs)" offset 0,0.2
set multiplot @PLACE title head(sprintf("Budgets of hybrid, both sides, %s, %s", rw_name(MATRIX_RW), unit(MATRIX_BS)))
set title "requests/s" offset 0,-0.7
set ylabel "" offset 0.5,0
plot for [i = 1:words(BUDGETS_QD)] TABLE using (place(int(word(BUDGETS_QD, i)))):(column("iops")):(column("iops_lo")):(column("iops_hi")):(COLOUR(strcol("mode"))) with yerrorbars ls 20 + i lc rgb variable notitle
set title "CPU time, both domains (ms)" offset 0,-0.7
set key at screen 0.5, screen (0.3 / HEIGHT) center center vertical maxrows 1 Left reverse
plot for [i = 1:words(BUDGETS_QD)] TABLE using (place(int(word(BUDGETS_QD, i)))):(column("cpu_us_per_io") / 1e3):(column("cpu_us_per_io_lo") / 1e3):(column("cpu_us_per_io_hi") / 1e3):(COLOUR(strcol("mode"))) with yerrorbars ls 20 + i lc rgb variable notitle, \
	for [i = 1:words(BUDGETS_QD)] NaN with points ls 20 + i title "depth ".word(BUDGETS_QD, i)
unset multiplot
