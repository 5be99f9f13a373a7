# SPDX-License-Identifier: GPL-2.0
# native-rings.gp: requests and responses per second where several are published together: our ring in its layouts,
# two DPDK rings, and a virtio-style split queue. The median millisecond: time that the machine took away does
# not count. The hand-overs are counted by a model of two caches (harness/awk/native-lines.awk).
PLACES = 2
BELOW = 1.8
load STYLE
SUBJECTS = "split-spin phase-spin spin rte64 rte112 virtio"
here(i) = at(word(SUBJECTS, i), "two", "quiet", "null", 0)
bulk(i) = here(i) && (column("batch") > 1 || column("depth") == 1) && column("batch") <= 32
set xrange [0.8:40]
set xtics (1, 4, 32) offset 0,0.3
name(s) = s eq "spin" ? "spin, Xen's layout" : subject_title(s)
set multiplot @PLACE title head("Rings against each other, two cores, both sides polling")
set title "throughput" offset 0,-0.7
set xlabel "requests published together"
set ylabel "million requests/s" offset 0.5,0
plot for [i = 1:words(SUBJECTS)] TABLE using (bulk(i) ? column("batch") : NaN):(column("rate") / 1e6):(column("rate_lo") / 1e6):(column("rate_hi") / 1e6) with yerrorlines ls style_of(word(SUBJECTS, i)) notitle
set title "lines handed over for a request" offset 0,-0.7
set ylabel ""
set key at screen 0.5, screen (0.45 / HEIGHT) center center vertical maxrows 2 Left reverse samplen 3 width -2
plot for [i = 1:words(SUBJECTS)] COUNTS using (strcol("subject") eq word(SUBJECTS, i) ? column("batch") : NaN):(column("transfers_per_req")) with linespoints ls style_of(word(SUBJECTS, i)) title name(word(SUBJECTS, i))
unset multiplot
