# SPDX-License-Identifier: GPL-2.0
#
# fault-line.awk: what a campaign says of the cell that it has finished: that of rows.tsv whose fault, arrangement, load
# and repetition -v cell names. Load with table.awk.

BEGIN { FS = "\t" }
FNR == 1 {
	header()
	next
}
col("fault") " " col("arrangement") " " col("load") " " col("repetition") == cell {
	kernel = col("application_kernel")
	printf "application kernel %s, application %s", kernel == "gone" ? "died" : kernel, col("application")
	if (col("arrangement") != "monolithic")
		printf ", driver's kernel %s; outage %s ms, lost %s, misdirected %s, corrupt %s", col("driver_kernel"), \
			col("outage_ms"), col("lost"), col("misdirected"), col("corrupt")
}
END { exit BROKEN }
