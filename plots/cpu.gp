# SPDX-License-Identifier: GPL-2.0
# cpu.gp: CPU time that one request costs in the application and storage domains, from the hypervisor, by mode.
load STYLE
set multiplot @PLACE title head("CPU time per request, both domains")
do for [p = 1:NPANELS] {
	set title panel_title(p) offset 0,-0.7
	set ylabel (p % 2 ? "CPU time (ms)" : "") offset 0.5,0
	if (p == NPANELS) { eval KEY }
	plot for [m = 1:NMODES] TABLE using (X(m, p)):(column("cpu_us_per_io") / 1e3):(column("cpu_us_per_io_lo") / 1e3):(column("cpu_us_per_io_hi") / 1e3) ls LS(m) notitle, @KEYS
}
unset multiplot
