# SPDX-License-Identifier: GPL-2.0
#
# fault-summary.awk: summary.tsv from rows.tsv: a row a fault, arrangement and load. Of what became of something, each outcome with
# how often it came ("survived", or "survived 9 gone 1"); kernels_lost: how often the application's did not survive; sums of
# what was lost and of alarms, - if of some cell that is not known; medians of times; the longest outage and request of any cell, - if that is not known of some.
# An outage that did not end is longer than any that did. cold_boot_ms: what a storage domain took to be created and to boot, the median of
# the run's cells without a standby; outage_per_boot, outage_max_per_boot, recovery_per_boot: those times as parts of it.
# Load with stats.awk and table.awk.

BEGIN {
	FS = OFS = "\t"
	UNENDED = 1e15
}
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
	if (col("arrangement") == "isolated" && col("created_ms") ~ /^[0-9]+$/ && col("up_ms") ~ /^[0-9]+$/)
		list["boot", "", ++n["boot", ""]] = col("created_ms") + col("up_ms")
	for (name in COLUMN)
		if (col(name) ~ /^[0-9]+$/ || col(name) == "unended") {
			n[key, name]++
			sum[key, name] += col(name)
			list[key, name, n[key, name]] = col(name) == "unended" ? UNENDED : col(name)
		}
}
END {
	if (BROKEN)
		exit 1
	print "fault", "arrangement", "load", "backing", "cells", "driver_kernel", "application_kernel", "kernels_lost", "application", "requests", "failed", \
		"unanswered", "lost", "reverted", "misdirected", "corrupt", "detected_ms", "gone_ms", "created_ms", "up_ms", "controller_ms", "device_ms", \
		"answer_ms", "recovery_ms", "outage_ms", "outage_max_ms", "slowest_max_ms", \
		"cold_boot_ms", "outage_per_boot", "outage_max_per_boot", "recovery_per_boot", "alarms"
	boot = median("boot", "", 0.5)
	for (i = 1; i <= groups; i++) {
		key = order[i]
		print key, cells[key], words(key, "driver_kernel"), words(key, "application_kernel"), kernels_lost[key] + 0, words(key, "application"), \
			total(key, "requests"), total(key, "failed"), total(key, "unanswered"), total(key, "lost"), total(key, "reverted"), \
			total(key, "misdirected"), total(key, "corrupt"), median(key, "detected_ms", 0.5), median(key, "gone_ms", 0.5), \
			median(key, "created_ms", 0.5), median(key, "up_ms", 0.5), median(key, "controller_ms", 0.5), \
			median(key, "device_ms", 0.5), \
			median(key, "answer_ms", 0.5), median(key, "recovery_ms", 0.5), median(key, "outage_ms", 0.5), \
			most(key, "outage_ms"), most(key, "slowest_ms"), boot, part(median(key, "outage_ms", 0.5)), part(most(key, "outage_ms")), \
			part(median(key, "recovery_ms", 0.5)), total(key, "alarms")
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
	return n[key, name] == cells[key] ? sum[key, name] : "-"
}

function most(key, name) {
	return n[key, name] == cells[key] ? median(key, name, 1) : "-"
}

# part: a time as a part of a boot's.
function part(ms) {
	return ms ~ /^[0-9]+$/ && boot > 0 ? sprintf("%.3f", ms / boot) : "-"
}

function median(key, name, p,    i, a, m) {
	if (!n[key, name])
		return "-"
	for (i = 1; i <= n[key, name]; i++)
		a[i] = list[key, name, i]
	sort_num(a, n[key, name])
	m = quantile(a, n[key, name], p)
	return m >= UNENDED / 4 ? "unended" : sprintf("%.0f", m)
}
