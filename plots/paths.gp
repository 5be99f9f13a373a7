# SPDX-License-Identifier: GPL-2.0
# paths.gp: what the data paths are worth by block size, at one depth: data moved and CPU time of it, as
# multiples of the stock pair's medians.
DEPTH_MODES = "stock event event@map event@copy spin spin@map spin@copy"
PLACES = 2
BELOW = 2.6
load STYLE
mode_title(mode) = mode eq "stock" ? "stock pair" : mode eq "event" || mode eq "spin" ? mode.", persistent" : \
	mode[1:strstrt(mode, "@") - 1].", ".mode[strstrt(mode, "@") + 1:*]
point_is(b) = strcol("rw") eq PATHS_RW && column("qd") == PATHS_QD && strcol("bs") eq word(PATHS_BS, b)
array BASE_MIB[words(PATHS_BS)]
array BASE_CPU[words(PATHS_BS)]
do for [b = 1:words(PATHS_BS)] {
	stats TABLE using (point_is(b) && strcol("mode") eq "stock" ? column("mib_per_s") : NaN) nooutput
	BASE_MIB[b] = STATS_max
	stats TABLE using (point_is(b) && strcol("mode") eq "stock" ? column("cpu_us_per_io") : NaN) nooutput
	BASE_CPU[b] = STATS_max
}
place(m, b) = mode_is(m) && point_is(b) ? b + 0.07 * (m - 4) : NaN
unset logscale x
set xrange [0.6:words(PATHS_BS) + 0.4]
set xtics () offset 0,0.3
do for [b = 1:words(PATHS_BS)] { set xtics add (unit(word(PATHS_BS, b)) b) }
set grid noxtics
set xlabel "block size"
set multiplot @PLACE title head(sprintf("Data paths: %s, depth %d", rw_name(PATHS_RW), PATHS_QD))
set title "data moved" offset 0,-0.7
set ylabel "stock pair = 1" offset 0.5,0
plot for [m = 1:NMODES] for [b = 1:words(PATHS_BS)] TABLE using (place(m, b)):(column("mib_per_s") / BASE_MIB[b]):(column("mib_per_s_lo") / BASE_MIB[b]):(column("mib_per_s_hi") / BASE_MIB[b]) with yerrorbars ls LS(m) dt 1 notitle
set title "CPU time, both domains" offset 0,-0.7
set ylabel "" offset 0.5,0
KEYS = "for [m = 1:NMODES] NaN with points ls style_of(word(SHOWN, m)) title mode_title(word(SHOWN, m))"
eval KEY
plot for [m = 1:NMODES] for [b = 1:words(PATHS_BS)] TABLE using (place(m, b)):(column("cpu_us_per_io") / BASE_CPU[b]):(column("cpu_us_per_io_lo") / BASE_CPU[b]):(column("cpu_us_per_io_hi") / BASE_CPU[b]) with yerrorbars ls LS(m) dt 1 notitle, @KEYS
unset multiplot
