# SPDX-License-Identifier: GPL-2.0
#
# status.awk: iddr-report's lines as a table, for 'iddr status'.

BEGIN {
	FS = "\t"
	columns = split("requests responses notify_sent notify_received notify_suppressed spin_iterations sleeps wakeups grant_ops copied_bytes", counter, " ")
	split("requests responses sent received suppressed spins sleeps wakeups grants copied", title, " ")
	printf "%-6s %-16s %-6s %5s %-6s", "side", "disk", "driver", "queue", "mode"
	for (i = 1; i <= columns; i++)
		printf " %11s", title[i]
	printf "\n"
}

NF >= 5 {
	split("", value)
	for (i = 6; i <= NF; i++) {
		at = index($i, "=")
		value[substr($i, 1, at - 1)] = substr($i, at + 1)
	}
	printf "%-6s %-16s %-6s %5s %-6s", $1, $2, $3, $4, $5
	for (i = 1; i <= columns; i++)
		printf " %11s", (counter[i] in value) ? value[counter[i]] : "-"
	printf "\n"
	rows++
}

END {
	if (!rows)
		print "(no disk is attached)"
}
