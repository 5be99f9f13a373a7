# SPDX-License-Identifier: GPL-2.0
# native-style.gp: style.gp for the tables of the testbed `process`, whose rows have a subject and a place. A figure sets
# PLACES (panels) before it is loaded, and may set BELOW; harness/lib/native.sh sets TABLE, TESTBED, KIND, OUT and EXPERIMENT.
PANELS = ""
DEPTHS = "(1, 2, 4, 8, 16, 32, 64, 128, 256)"
DEPTH_MIN = 1
DEPTH_MAX = 256
DEPTH_MODES = "event spin hybrid adaptive"
load STYLE_BASE
# Who is no mode of ours: signals in grey, DPDK's in black, virtio's in yellow; our other layouts as spin, with other dashes.
set style line 31 lc rgb "#000000" lw 1.2 dt 1     pt 6  ps 0.55
set style line 32 lc rgb "#000000" lw 1.2 dt 1     pt 5  ps 0.5
set style line 33 lc rgb "#000000" lw 1.2 dt (4,2) pt 4  ps 0.5
set style line 34 lc rgb "#E69F00" lw 1.2 dt 1     pt 9  ps 0.65
set style line 35 lc rgb "#D55E00" lw 1.2 dt 1     pt 12 ps 0.7
set style line 36 lc rgb "#D55E00" lw 1.2 dt (2,2) pt 2  ps 0.6
OTHERS = "line rte64 rte112 virtio split-spin phase-spin"
style_of(s) = index_of(MODES, s) ? index_of(MODES, s) : index_of(OTHERS, s) ? 30 + index_of(OTHERS, s) : 10
colour(s) = word("#777777 #0072B2 #D55E00 #009E73 #882255 #000000 #E69F00", \
	s[1:3] eq "rte" ? 6 : s eq "virtio" ? 7 : s eq "event" || s eq "split-event" ? 2 : \
	strstrt(s, "spin") || s eq "busy" ? 3 : s eq "hybrid" ? 4 : strstrt(s, "adaptive") ? 5 : 1)
subject_title(s) = s eq "line" ? "cache line, bare" : s eq "two-lines" ? "two lines, bare" : s eq "rte64" ? "DPDK, 64 B" : s eq "rte112" ? "DPDK, 112 B" : \
	s eq "split-spin" ? "spin, split rings" : s eq "split-adaptive" ? "adaptive, split" : s eq "split-event" ? "event, split" : s eq "phase-spin" ? "spin, phase" : s eq "busy" ? "spin, no yield" : s
at(s, p, l, b, y) = strcol("subject") eq s && strcol("place") eq p && strcol("load") eq l && strcol("backing") eq b && column("bytes") == y
