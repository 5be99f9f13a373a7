# SPDX-License-Identifier: GPL-2.0
#
# breakdown.awk (with stats.awk): stages.tsv of a run from those of its cells (stages.awk), each of which says besides of which mode,
# boot it is, and when it was measured (time, in s). A row a mode: medians over repetitions, in microseconds, of what a request spends
#
#	submit_us    in the front end, until it is in the ring
#	signal_us    until the back end's event channel has rung (0 if it looks by itself)
#	take_us      until the back end has it
#	back_us      in the back end        device_us  at the device
#	signal_back_us, take_back_us        the same for the response
#	complete_us  in the front end       total_us   all together
#
# The two clocks' difference is the one with which the quickest request and the quickest response of a cell take equally long, where
# both sides look and neither waits for anybody, nor rings (but for one in ten). So do NTP's clients (RFC 5905); the error is half
# of what the two differ by. Other cells have that of the cell that is nearest in time, since the difference drifts, by
# some microseconds in ten seconds. Without any such cell in the boot the ways there and back are not told.

BEGIN {
	FS = OFS = "\t"
	NAMES = "submit signal take back device signal_back take_back complete total"
}
FNR == 1 { cells++ }
{ v[cells, $1] = $2 }
END {
	for (i = 1; i <= cells; i++)
		if (v[i, "requests"] > 0 && v[i, "there_bells"] + v[i, "again_bells"] < v[i, "requests"] / 10)
			offset_of[i] = (v[i, "there_min"] - v[i, "again_min"]) / 2
	for (i = 1; i <= cells; i++) {
		nearest = ""
		for (j = 1; j <= cells; j++)
			if ((j in offset_of) && v[j, "boot"] == v[i, "boot"] && (nearest == "" || apart(i, j) < apart(i, nearest)))
				nearest = j
		if (!(v[i, "requests"] > 0) || nearest == "")
			continue
		mode = v[i, "mode"]
		if (!(mode in reps))
			order[++modes] = mode
		r = ++reps[mode]
		offset = offset_of[nearest]
		n = v[i, "requests"]
		requests[mode] += n
		x["submit"] = v[i, "submit"]
		x["signal"] = v[i, "there_bells"] > 0 ? (v[i, "there_bell"] - offset) * v[i, "there_bells"] / n : 0
		x["take"] = v[i, "there"] - offset - x["signal"]
		x["back"] = v[i, "back"]
		x["device"] = v[i, "device"]
		x["signal_back"] = v[i, "again_bells"] > 0 ? (v[i, "again_bell"] + offset) * v[i, "again_bells"] / n : 0
		x["take_back"] = v[i, "again"] + offset - x["signal_back"]
		x["complete"] = v[i, "complete"]
		x["total"] = 0
		for (k = 1; k < split(NAMES, name, " "); k++)
			x["total"] += x[name[k]]
		for (k in x)
			list[mode, k, r] = x[k] / 1000
	}
	count = split(NAMES, name, " ")
	line = "mode" OFS "reps" OFS "requests"
	for (k = 1; k <= count; k++)
		line = line OFS name[k] "_us"
	print line
	for (i = 1; i <= modes; i++) {
		line = order[i] OFS reps[order[i]] OFS requests[order[i]]
		for (k = 1; k <= count; k++) {
			for (r = 1; r <= reps[order[i]]; r++)
				a[r] = list[order[i], name[k], r]
			sort_num(a, reps[order[i]])
			line = line OFS sprintf("%.1f", quantile(a, reps[order[i]], 0.5))
		}
		print line
	}
}

# apart: seconds between two cells.
function apart(i, j,    d) {
	d = v[i, "time"] - v[j, "time"]
	return d < 0 ? -d : d
}
