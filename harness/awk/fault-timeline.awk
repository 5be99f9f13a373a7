# SPDX-License-Identifier: GPL-2.0
#
# fault-timeline.awk: timeline.tsv from the cells of a fault campaign: answers a second in half seconds around the moment of the
# fault, of the first repetition of each. Read are their timelines, as iddr-truth writes them (named on the command line); names
# and times from beside each. seconds: since the fault, the middle of the half second.

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
	offset = ""
	last = BEFORE
	if (value["repetition"] == 1 && value["arrangement"] != "monolithic" && (at = fault_at(dir "supervise.tsv")) != "" &&
	    match($0, /CLOCK_REALTIME [0-9]+/))
		# Nanoseconds since 1970 are too many digits for a number.
		offset = substr($0, RSTART + 15, RLENGTH - 15 - 6) - at
}
FNR > 2 && offset != "" {
	t = $1 + offset
	if (t >= BEFORE && t < AFTER) {
		count[int((t - BEFORE) / BIN)] += $2
		last = t
	}
}
END { finish() }

# finish: the rows of a cell, of its whole half seconds.
function finish(    i) {
	if (offset == "")
		return
	for (i = 0; BEFORE + (i + 1) * BIN <= last; i++)
		print value["fault"], value["arrangement"], value["load"], (BEFORE + (i + 0.5) * BIN) / 1000, count[i] * 1000 / BIN
	offset = ""
}

# read_pairs: NAME<TAB>VALUE lines of a file.
function read_pairs(file,    line, part) {
	while ((getline line < file) > 0) {
		split(line, part, "\t")
		value[part[1]] = part[2]
	}
	close(file)
}

# fault_at: the time of the first incident's fault, in ms, or "".
function fault_at(file,    line, name, part, n, i, found) {
	if ((getline line < file) > 0) {
		n = split(line, name, "\t")
		if ((getline line < file) > 0) {
			split(line, part, "\t")
			for (i = 1; i <= n; i++)
				if (name[i] == "fault" && part[i] ~ /^[0-9]+$/)
					found = part[i]
		}
	}
	close(file)
	return found
}
