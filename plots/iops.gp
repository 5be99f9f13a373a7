# SPDX-License-Identifier: GPL-2.0
# iops.gp: requests per second against queue depth, by mode.
load STYLE
set multiplot @PLACE title head("Requests per second against queue depth")
do for [p = 1:NPANELS] {
	set title panel_title(p) offset 0,-0.7
	set ylabel (p % 2 ? "requests/s" : "") offset -0.7,0
	if (p == NPANELS) { eval KEY }
	plot for [m = 1:NMODES] TABLE using (X(m, p)):(column("iops")):(column("iops_lo")):(column("iops_hi")) ls LS(m) notitle, @KEYS
}
unset multiplot
