# SPDX-License-Identifier: GPL-2.0
# domains.gp: application domains that share a storage domain, by mode, at each depth: requests per second of all of them together, and CPU
# time that a request costs.
NQ = words(FIRST_QD)
PLACES = 2 * NQ
load STYLE
point_is(q) = strcol("rw").":".strcol("bs") eq word(PANELS, 1) && column("qd") == int(word(FIRST_QD, q))
# x: their number, a little aside by mode.
x(m, q) = mode_is(m) && point_is(q) ? column("app_domains") + 0.05 * (m - (NMODES + 1) / 2.0) : NaN
unset logscale x
set xrange [word(DOMAINS, 1) - 0.4:word(DOMAINS, words(DOMAINS)) + 0.4]
set xtics () offset 0,0.3
do for [d in DOMAINS] { set xtics add (d int(d)) }
set xlabel "application domains" offset 0,0.8
set multiplot @PLACE title head("Application domains that share a storage domain: ".panel_title(1))
do for [q = 1:NQ] {
	set title sprintf("all together, depth %s", word(FIRST_QD, q)) offset 0,-0.7
	set ylabel "requests/s" offset -0.7,0
	plot for [m = 1:NMODES] TABLE using (x(m, q)):(column("iops_all")):(column("iops_all_lo")):(column("iops_all_hi")) ls LS(m) notitle
	set title sprintf("CPU time a request, depth %s", word(FIRST_QD, q)) offset 0,-0.7
	set ylabel "ms" offset 0.5,0
	if (q == NQ) { eval KEY }
	plot for [m = 1:NMODES] TABLE using (x(m, q)):(column("cpu_us_per_io") / 1e3):(column("cpu_us_per_io_lo") / 1e3):(column("cpu_us_per_io_hi") / 1e3) ls LS(m) notitle, @KEYS
}
unset multiplot
