# SPDX-License-Identifier: GPL-2.0
#
# fault-table.awk (with table.awk): the paper's table of fault campaigns from their summary.tsv: a row a fault under the load
# that knows what the disk must hold, with what became of both sides, isolated and with the driver in the application's kernel; the
# rows of a TeX table, in the order of the list that -v order=NAMES gives (with blanks between), those that are there. A fault is
# the first campaign's that has it; one of a later one has a star.

BEGIN { FS = "\t" }
FNR == 1 {
	header()
	campaign++
	next
}
col("load") == "truth" && (!(col("fault") in there) || there[col("fault")] == campaign) {
	key = col("fault") SUBSEP col("arrangement")
	there[col("fault")] = campaign
	driver[key] = col("driver_kernel")
	kernel[key] = col("application_kernel")
	application[key] = col("application")
	outage[key] = col("outage_ms")
}
END {
	if (BROKEN)
		exit 1
	n = split(order, name, " ")
	for (i = 1; i <= n; i++) {
		if (!(name[i] in there))
			continue
		a = name[i] SUBSEP "isolated"
		m = name[i] SUBSEP "monolithic"
		s = name[i] SUBSEP "standby"
		printf "%s%s & %s & %s & %s & %s & %s & %s \\\\\n", name[i], (there[name[i]] > 1 ? "$^\\ast$" : ""), \
			text(driver, a), text(application, a), seconds(a), seconds(s), text(kernel, m), text(application, m)
	}
}

# text: an entry, or a dash where that was not run.
function text(list, key) {
	return key in list ? list[key] : "---"
}

# seconds: an outage.
function seconds(key) {
	if (key in outage && outage[key] == "unended")
		return "no end"
	return key in outage && outage[key] != "-" ? sprintf("%.1f\\,s", outage[key] / 1000) : "---"
}
