# SPDX-License-Identifier: GPL-2.0
#
# fault-table.awk (with table.awk): the paper's table of a fault campaign from its summary.tsv: a row a fault under the load
# that knows what the disk must hold, with what became of both sides, isolated and with the driver in the application's kernel; the
# rows of a TeX table, in the order of the list that -v order=NAMES gives (with blanks between), those that are there.

BEGIN { FS = "\t" }
FNR == 1 {
	header()
	next
}
col("load") == "truth" {
	key = col("fault") SUBSEP col("arrangement")
	there[col("fault")]
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
		printf "%s & %s & %s & %s & %s & %s & %s \\\\\n", name[i], text(driver, a), text(application, a), seconds(a), seconds(s), \
			text(kernel, m), text(application, m)
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
