# SPDX-License-Identifier: GPL-2.0
# backing.gp: what is left of a device's requests per second behind the domains, by device, at each depth: as shares of the device
# without isolation.
PLACES = words(FIRST_QD) > 2 ? 2 : words(FIRST_QD)
BELOW = 2.0
load STYLE
point_is(p, b) = strcol("rw").":".strcol("bs") eq word(PANELS, 1) && column("qd") == int(word(FIRST_QD, p)) && strcol("backing") eq word(BACKINGS, b)
backing_title(b) = word(BACKINGS, b) eq "null" ? "null\\_blk" : word(BACKINGS, b) eq "ram" ? "RAM disk" : word(BACKINGS, b) eq "nvme" ? "NVMe" : word(BACKINGS, b)
place(m, p, b) = mode_is(m) && point_is(p, b) ? b + 0.09 * (m - (NMODES + 1) / 2.0) : NaN
unset logscale x
set xrange [0.5:words(BACKINGS) + 0.5]
set xtics () offset 0,0.3
do for [b = 1:words(BACKINGS)] { set xtics add (backing_title(b) b) }
set grid noxtics
unset xlabel
array BASE[words(BACKINGS)]
set multiplot @PLACE title head("By device: ".panel_title(1))
do for [p = 1:PLACES] {
	do for [b = 1:words(BACKINGS)] {
		stats TABLE using (point_is(p, b) && strcol("mode") eq "native" ? column("iops") : NaN) nooutput
		BASE[b] = STATS_max
	}
	set title sprintf("requests/s, depth %s", word(FIRST_QD, p)) offset 0,-0.7
	set ylabel (p == 1 ? "no isolation = 1" : "") offset 0.5,0
	KEYS = "for [m = 1:NMODES] NaN with points ls style_of(word(SHOWN, m)) title mode_title(word(SHOWN, m))"
	if (p == PLACES) { eval KEY }
	plot for [m = 1:NMODES] for [b = 1:words(BACKINGS)] TABLE using (place(m, p, b)):(column("iops") / BASE[b]):(column("iops_lo") / BASE[b]):(column("iops_hi") / BASE[b]) with yerrorbars ls LS(m) dt 1 notitle, @KEYS
}
unset multiplot
