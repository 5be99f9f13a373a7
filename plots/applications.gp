# SPDX-License-Identifier: GPL-2.0
# applications.gp: applications on the isolated disk, by mode: how fast, and at what CPU time, as multiples of what they take on the device
# without isolation.
PLACES = 2
BELOW = 2.0
DEPTH_MODES = APP_MODES
load STYLE
app_is(a) = strcol("rw") eq "app-".word(APPS, a)
place(m, a) = mode_is(m) && app_is(a) ? a + 0.12 * (m - (NMODES + 1) / 2.0) : NaN
unset logscale x
set xrange [0.5:words(APPS) + 0.5]
set xtics () rotate by 25 right offset 0,0
do for [a = 1:words(APPS)] { set xtics add (word(APPS, a) a) }
set grid noxtics
unset xlabel
array RATE[words(APPS)]
array CPU[words(APPS)]
do for [a = 1:words(APPS)] {
	stats TABLE using (app_is(a) && strcol("mode") eq "native" ? column("iops") : NaN) nooutput
	RATE[a] = STATS_max
	stats TABLE using (app_is(a) && strcol("mode") eq "native" ? column("cpu_us_per_io") : NaN) nooutput
	CPU[a] = STATS_max
}
set multiplot @PLACE title head("Applications on the isolated disk")
set title "speed" offset 0,-0.7
set ylabel "no isolation = 1" offset 0.5,0
plot for [m = 1:NMODES] for [a = 1:words(APPS)] TABLE using (place(m, a)):(column("iops") / RATE[a]):(column("iops_lo") / RATE[a]):(column("iops_hi") / RATE[a]) with yerrorbars ls LS(m) dt 1 notitle
set title "CPU time, both domains" offset 0,-0.7
set ylabel "" offset 0.5,0
KEYS = "for [m = 1:NMODES] NaN with points ls style_of(word(SHOWN, m)) title mode_title(word(SHOWN, m))"
eval KEY
plot for [m = 1:NMODES] for [a = 1:words(APPS)] TABLE using (place(m, a)):(column("cpu_us_per_io") / CPU[a]):(column("cpu_us_per_io_lo") / CPU[a]):(column("cpu_us_per_io_hi") / CPU[a]) with yerrorbars ls LS(m) dt 1 notitle, @KEYS
unset multiplot
