# SPDX-License-Identifier: GPL-2.0
# style.gp: what all figures share. Set before it is loaded (harness/lib/figures.sh does):
#   TABLE  summary.tsv      PANELS  "RW:BS RW:BS ..."   TESTBED  what to say of the testbed
#   DEPTHS  the depths measured, "(1, 8)"  DEPTH_MIN, DEPTH_MAX   DEPTH_MODES  the modes to show over them
#   KIND   pdf, svg, png    OUT     the file to write   EXPERIMENT  its name
#   and what harness/awk/panels.awk says besides, for the figures that are not over depth
# Before it, a figure may set PARTS (panels a point), or PLACES (panels, where they are not PANELS).
#
# Colours are Okabe and Ito's, fixed per mode; point and dash differ too, so that figures survive
# grey and colour-blind readers.

set encoding utf8
set datafile separator "\t"
set datafile columnheaders
set datafile missing NaN

MODES = "native stock event event/spin spin/event spin hybrid adaptive poll/spin"
set style line 1 lc rgb "#000000" lw 1.2 dt 1         pt 6  ps 0.55
set style line 2 lc rgb "#E69F00" lw 1.2 dt 1         pt 5  ps 0.5
set style line 3 lc rgb "#0072B2" lw 1.2 dt 1         pt 7  ps 0.55
set style line 4 lc rgb "#56B4E9" lw 1.2 dt (6,3)     pt 8  ps 0.65
set style line 5 lc rgb "#CC79A7" lw 1.2 dt (2,2)     pt 10 ps 0.65
set style line 6 lc rgb "#D55E00" lw 1.2 dt (8,2,2,2) pt 13 ps 0.7
set style line 7 lc rgb "#009E73" lw 1.2 dt (4,2)     pt 9  ps 0.65
set style line 8 lc rgb "#882255" lw 1.2 dt (6,2,1,2) pt 11 ps 0.65
set style line 9 lc rgb "#666666" lw 1.2 dt (1,2)     pt 4  ps 0.5
# What is in no list above, and the data paths: the mode's colour, another point and dash.
set style line 10 lc rgb "#999999" lw 1 dt 1     pt 1 ps 0.5
set style line 11 lc rgb "#0072B2" lw 1.2 dt (6,3) pt 8 ps 0.65
set style line 12 lc rgb "#0072B2" lw 1.2 dt (2,2) pt 4 ps 0.5
set style line 13 lc rgb "#D55E00" lw 1.2 dt (6,3) pt 8 ps 0.65
set style line 14 lc rgb "#D55E00" lw 1.2 dt (2,2) pt 4 ps 0.5

# With several queues (MODE@2q): the mode's colour, an open mark, dots.
set style line 33 lc rgb "#0072B2" lw 1.2 dt (2,2) pt 6  ps 0.55
set style line 36 lc rgb "#D55E00" lw 1.2 dt (2,2) pt 12 ps 0.7
set style line 37 lc rgb "#009E73" lw 1.2 dt (2,2) pt 8  ps 0.65
set style line 38 lc rgb "#882255" lw 1.2 dt (2,2) pt 10 ps 0.65

# index_of: the place of word w in a list, 0 if it is not there.
index_of(list, w) = sum [i = 1:words(list)] (word(list, i) eq w ? i : 0)
# style_of: a mode's line style.
queues_of(mode) = mode[strlen(mode):*] eq "q" && strstrt(mode, "@") ? mode[strlen(mode) - 1:strlen(mode) - 1] : ""
one_queue(mode) = queues_of(mode) eq "" ? mode : mode[1:strlen(mode) - 3]
style_of(mode) = queues_of(mode) ne "" && index_of("event spin hybrid adaptive", one_queue(mode)) ? 30 + index_of(MODES, one_queue(mode)) : \
	index_of(MODES, mode) ? index_of(MODES, mode) : \
	index_of("event@map event@copy spin@map spin@copy", mode) ? 10 + index_of("event@map event@copy spin@map spin@copy", mode) : 10
# mode_title: what the key calls a mode.
pair_title(mode) = mode eq "stock" ? "stock pair" : mode eq "event" || mode eq "spin" ? mode."/".mode : mode
mode_title(mode) = pair_title(one_queue(mode)).(queues_of(mode) eq "" ? "" : ", ".queues_of(mode)." queues")
# SHOWN: the modes of this figure, in the order of MODES, then the others.
SHOWN = ""
do for [m in MODES] { if (index_of(DEPTH_MODES, m)) { SHOWN = SHOWN." ".m } }
do for [m in DEPTH_MODES] { if (!index_of(MODES, m)) { SHOWN = SHOWN." ".m } }
NMODES = words(SHOWN)

# One page, in cm: two panels a row. The key is in the place that an odd number of panels leaves
# free, else below them. A figure with several PARTS has as many panels for each point.
NPANELS = words(PANELS)
if (!exists("PARTS")) PARTS = 1
if (!exists("PLACES")) PLACES = NPANELS * PARTS
ROWS = (PLACES + 1) / 2
FREE = PLACES % 2
if (!exists("BELOW")) BELOW = NMODES > 6 ? 2.4 : 2.0
BOTTOM = FREE ? 1.0 : BELOW
WIDTH = 11.0
HEIGHT = 4.2 * ROWS + BOTTOM
PLACE = sprintf("layout %d, 2 margins screen %g, %g, %g, %g spacing screen %g, %g", ROWS, \
	1.4 / WIDTH, 1 - 0.25 / WIDTH, BOTTOM / HEIGHT, 1 - 1.5 / HEIGHT, 1.5 / WIDTH, 1.4 / HEIGHT)
# Fonts for what has little room; in points, SVG's in pixels.
SMALL = sprintf(",%g", (KIND eq "svg" ? 10.7 : 8) * 0.78)
TINY = sprintf(",%g", (KIND eq "svg" ? 10.7 : 8) * 0.62)
if (KIND eq "pdf") set terminal pdfcairo size WIDTH cm, HEIGHT cm font "Liberation Sans,8"
if (KIND eq "svg") set terminal svg size int(WIDTH * 50.4), int(HEIGHT * 50.4) font "Liberation Sans,10.7" linewidth 1.33 background rgb "white"
if (KIND eq "png") set terminal pngcairo size int(WIDTH * 120), int(HEIGHT * 120) font "Liberation Sans,8" fontscale 2.4 linewidth 3.17 pointscale 3.17
set output OUT

set grid back lc rgb "#d8d8d8" lt 1 lw 0.5
set border 3 lw 0.7
set tics nomirror scale 0.5
set logscale x 2
set xtics @DEPTHS offset 0,0.3
set xrange [DEPTH_MIN / 1.4:DEPTH_MAX * 1.4]
set xlabel "queue depth" offset 0,0.8
set yrange [0:*]
set offsets 0, 0, graph 0.05, 0
set format y "%.10g"
set style data yerrorlines
set bars 0.5
# Of the white disc that error bars stop at; points have sizes of their own.
set pointsize 0.3
# A figure says "eval KEY" before its last panel, and plots @KEYS with every one.
unset key
KEY = FREE ? sprintf("set key at screen 0.76, screen %g center center vertical maxrows 10 Left reverse samplen 4 spacing 1.2 title 'front end/back end'", \
	(BOTTOM + 1.35) / HEIGHT) : \
	sprintf("set key at screen 0.5, screen %g center center vertical maxrows %d Left reverse samplen 4 spacing 1.2", \
	BELOW / 4 / HEIGHT, NMODES > 6 ? 3 : 2)
KEYS = "for [m = 1:NMODES] NaN with linespoints ls style_of(word(SHOWN, m)) title mode_title(word(SHOWN, m))"

# here: whether the present row belongs to mode m, panel p.
mode_is(m) = strcol("mode") eq word(SHOWN, m)
panel_is(p) = strcol("rw").":".strcol("bs") eq word(PANELS, p)
here(m, p) = mode_is(m) && panel_is(p)
# X: the depth, a little aside by mode so that error bars do not cover each other.
X(m, p) = here(m, p) ? column("qd") * 1.035 ** (m - 0.5 - NMODES / 2.0) : NaN
LS(m) = style_of(word(SHOWN, m))

# panel_title: "random read, 4 KiB".
rw_name(s) = s eq "randread" ? "random read" : s eq "randwrite" ? "random write" : s eq "randrw" ? "random, 70 % reads" : s
panel_rw(p) = rw_name(word(PANELS, p)[1:strstrt(word(PANELS, p), ":") - 1])
panel_bs(p) = word(PANELS, p)[strstrt(word(PANELS, p), ":") + 1:*]
unit(s) = s[strlen(s):*] eq "k" ? s[1:strlen(s) - 1]." KiB" : s[strlen(s):*] eq "m" ? s[1:strlen(s) - 1]." MiB" : s." B"
panel_title(p) = panel_rw(p).", ".unit(panel_bs(p))

# head: a figure's title, always with the testbed.
head(s) = "{/:Bold ".s."}\n{/*0.85 ".EXPERIMENT.": medians and quartiles; ".TESTBED."}"
