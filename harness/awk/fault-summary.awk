# SPDX-License-Identifier: GPL-2.0
#
# fault-summary.awk: summary.tsv from rows.tsv: a row a fault, arrangement and load. Of what became of something, each outcome with
# how often it came ("survived", or "survived 9 gone 1"); kernels_lost: how often the application's did not survive; sums of
# what was lost; medians of times, and the longest outage.
# Load with stats.awk and table.awk.

BEGIN { FS = OFS = "\t" }
FNR == 1 {
	header()
	next
}
{
	key = col("fault") OFS col("arrangement") OFS col("load") OFS col("backing")
	if (!(key in cells))
		order[++groups] = key
	cells[key]++
	if (col("application_kernel") != "survived")
		kernels_lost[key]++
	count_word("driver_kernel")
	count_word("application_kernel")
	count_word("application")
	for (name in COLUMN)
		if (col(name) ~ /^[0-9]+$/) {
			n[key, name]++
			sum[key, name] += col(name)
			list[key, name, n[key, name]] = col(name)
		}
}
END {
	if (BROKEN)
		exit 1
	print "fault", "arrangement", "load", "backing", "cells", "driver_kernel", "application_kernel", "kernels_lost", "application", "requests", "failed", \
		"unanswered", "lost", "reverted", "misdirected", "corrupt", "detected_ms", "gone_ms", "created_ms", "up_ms", "controller_ms", "device_ms", \
		"answer_ms", "recovery_ms", "outage_ms", "outage_max_ms"
	for (i = 1; i <= groups; i++) {
		key = order[i]
		print key, cells[key], words(key, "driver_kernel"), words(key, "application_kernel"), kernels_lost[key] + 0, words(key, "application"), \
			total(key, "requests"), total(key, "failed"), total(key, "unanswered"), total(key, "lost"), total(key, "reverted"), \
			total(key, "misdirected"), total(key, "corrupt"), median(key, "detected_ms", 0.5), median(key, "gone_ms", 0.5), \
			median(key, "created_ms", 0.5), median(key, "up_ms", 0.5), median(key, "controller_ms", 0.5), \
			median(key, "device_ms", 0.5), \
			median(key, "answer_ms", 0.5), median(key, "recovery_ms", 0.5), median(key, "outage_ms", 0.5), \
			median(key, "outage_ms", 1)
	}
}

# count_word: count the outcome in a column.
function count_word(name) {
	if (!((key, name, col(name)) in times))
		kinds[key, name, ++nr_kinds[key, name]] = col(name)
	times[key, name, col(name)]++
}

function words(key, name,    i, text) {
	if (nr_kinds[key, name] == 1)
		return kinds[key, name, 1]
	for (i = 1; i <= nr_kinds[key, name]; i++)
		text = text (i > 1 ? " " : "") kinds[key, name, i] " " times[key, name, kinds[key, name, i]]
	return text
}

function total(key, name) {
	return n[key, name] ? sum[key, name] : "-"
}

function median(key, name, p,    i, a) {
	if (!n[key, name])
		return "-"
	for (i = 1; i <= n[key, name]; i++)
		a[i] = list[key, name, i]
	sort_num(a, n[key, name])
	return sprintf("%.0f", quantile(a, n[key, name], p))
}
