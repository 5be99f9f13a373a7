# SPDX-License-Identifier: GPL-2.0
#
# fault-timeline.awk: timeline.tsv from the cells of a fault campaign: answers a second in half seconds around the outage, of the
# first repetition of each. Read are their timelines, as iddr-truth writes them (named on the command line); names and the outage's
# begin from beside each. seconds: since the last answer before it, the middle of the half second. (Not since the fault: the
# application domain's clock is not dom0's.) Half seconds before the load began are left out.

BEGIN {
	FS = OFS = "\t"
	BIN = 500
	BEFORE = -5000
	AFTER = 60000
	print "fault", "arrangement", "load", "seconds", "rate"
}

FNR == 1 {
	finish()
	split("", value)
	split("", count)
	dir = FILENAME
	sub(/[^\/]*$/, "", dir)
	read_pairs(dir "outcome.tsv")
	read_pairs(dir "truth.tsv")
	last = BEFORE
	shown = value["repetition"] == 1 && value["arrangement"] != "monolithic" && ("gap_start_ms" in value)
}
FNR > 2 && shown {
	t = $1 - value["gap_start_ms"]
	if (t >= BEFORE && t < AFTER) {
		count[int((t - BEFORE) / BIN)] += $2
		last = t
	}
}
END { finish() }

# finish: the rows of a cell, of its whole half seconds.
function finish(    i) {
	if (!shown)
		return
	for (i = 0; BEFORE + (i + 1) * BIN <= last; i++)
		if (BEFORE + i * BIN >= -value["gap_start_ms"])
			print value["fault"], value["arrangement"], value["load"], (BEFORE + (i + 0.5) * BIN) / 1000, count[i] * 1000 / BIN
	shown = 0
}

# read_pairs: NAME<TAB>VALUE lines of a file.
function read_pairs(file,    line, part) {
	while ((getline line < file) > 0) {
		split(line, part, "\t")
		value[part[1]] = part[2]
	}
	close(file)
}
