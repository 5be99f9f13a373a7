# SPDX-License-Identifier: GPL-2.0
# events.gp: what wakes and what switches, for one request: event channel interrupts that the two
# domains take (for both pairs from /proc/interrupts), and context switches in them.
PARTS = 2
load STYLE
set multiplot @PLACE title head("Notifications and context switches per request")
do for [p = 1:NPANELS] {
	do for [part = 1:PARTS] {
		NAME = word("irq_per_io ctxsw_per_io", part)
		set title panel_title(p) offset 0,-0.7
		set ylabel (part == 1 ? "notifications taken" : "context switches") offset 0.5,0
		if (p == NPANELS && part == PARTS) { eval KEY }
		plot for [m = 1:NMODES] TABLE using (X(m, p)):(column(NAME)):(column(NAME."_lo")):(column(NAME."_hi")) ls LS(m) notitle, @KEYS
	}
}
unset multiplot
