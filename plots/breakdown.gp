# SPDX-License-Identifier: GPL-2.0
# breakdown.gp: where a request's time goes, by mode: stages.tsv as stacked bars.
PLACES = 1
BELOW = 2.0
load STYLE
WIDTH_OF = 0.6
COLUMNS = "submit_us signal_us take_us back_us device_us signal_back_us take_back_us complete_us"
TITLES = "submit signal take backend device signalback takeback complete"
COLOURS = "0xBBBBBB 0x0072B2 0x56B4E9 0xE69F00 0x000000 0xD55E00 0xF0A070 0x777777"
title_of(i) = i == 4 ? "back end" : i == 6 ? "signal (response)" : i == 7 ? "take (response)" : i == 2 ? "signal (request)" : i == 3 ? "take (request)" : word(TITLES, i)
unset logscale x
set style fill solid 1.0 border lc rgb "#ffffff"
set style data boxxyerror
stats STAGES using 0 nooutput
N = STATS_records
set yrange [0.4:N + 0.6] reverse
set xrange [0:*]
set format x "%.10g"
set xtics autofreq offset 0,0.3
set ytics ("" 1)
set xlabel "µs (with tracing)" offset 0,0.6
set grid noytics
base(i) = i == 1 ? 0 : base(i - 1) + column(word(COLUMNS, i - 1))
set lmargin at screen 2.2 / WIDTH
set rmargin at screen 1 - 0.4 / WIDTH
set tmargin at screen 1 - 1.2 / HEIGHT
set bmargin at screen (BELOW + 0.6) / HEIGHT
set title sprintf("{/:Bold Where a request's time goes, one in flight}\n{/*0.85 %s: medians; %s}", EXPERIMENT, TESTBED)
set key at screen 0.5, screen (0.75 / HEIGHT) center center vertical maxrows 2 Left reverse samplen 1 width -1
plot for [i = 1:8] STAGES using (base(i)):($0 + 1):(base(i)):(base(i) + column(word(COLUMNS, i))):($0 + 1 - WIDTH_OF / 2):($0 + 1 + WIDTH_OF / 2) with boxxyerror fc rgb int(word(COLOURS, i)) title title_of(i), \
	STAGES using (0):($0 + 1):ytic(1) with points pt -1 notitle
