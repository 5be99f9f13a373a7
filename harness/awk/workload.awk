# SPDX-License-Identifier: GPL-2.0
#
# workload.awk (with stats.awk, table.awk, raw.awk): the table that run-workload prints: for each mode the
# medians over its repetitions. Reads meta.tsv and the raw data of the cells.

BEGIN {
	FS = OFS = "\t"
	ncols = split("time_s cpu_app_s cpu_storage_s cpu_dom0_s requests notifications interrupts switches", column_name, " ")
}

# note_value: add a value of one repetition to a mode's column; "" is left out.
function note_value(m, x, v) {
	if (v != "")
		value[m, x, ++count[m, x]] = v
}

END {
	for (i = 1; i <= ncells; i++) {
		c = order[i]
		m = mode_name(front[c], back[c], data[c], queues[c])
		if (!(m in rank)) {
			mode[++nmodes] = m
			rank[m] = mode_rank(front[c], back[c], data[c], queues[c])
		}
		runs[m]++
		if (status[c] != 0)
			failed[m]++
		pair = front[c] != "stock"
		note_value(m, "time_s", delta(c, "run", "time", "begin", "end"))
		for (d = 1; d <= split("app storage dom0", dom, " "); d++) {
			x = delta(c, "cpu", dom[d], "begin", "end")
			note_value(m, "cpu_" dom[d] "_s", x == "" ? "" : x / 1e9)
		}
		note_value(m, "requests", pair ? delta(c, "run", "front_requests", "begin", "end") : \
			add(delta(c, "storage", "back_rd_req", "prep", "end"), delta(c, "storage", "back_wr_req", "prep", "end")))
		note_value(m, "notifications", pair ? add(delta(c, "run", "front_notify_sent", "begin", "end"), \
			delta(c, "storage", "back_notify_sent", "begin", "end")) : "")
		note_value(m, "interrupts", add(delta(c, "run", "irq", "begin", "end"), delta(c, "storage", "irq", "begin", "end")))
		note_value(m, "switches", add(delta(c, "run", "ctxt", "begin", "end"), delta(c, "storage", "ctxt", "begin", "end")))
	}
	for (i = 2; i <= nmodes; i++) {
		m = mode[i]
		for (j = i - 1; j >= 1 && rank[mode[j]] > rank[m]; j--)
			mode[j + 1] = mode[j]
		mode[j + 1] = m
	}
	printf "%-11s  %5s  %9s  %9s  %9s  %9s  %9s  %9s  %9s  %9s\n", "front/back", "runs", "time (s)", "CPU app", \
		"storage", "dom0", "requests", "notified", "interr.", "switches"
	for (i = 1; i <= nmodes; i++) {
		m = mode[i]
		printf "%-11s  %5s", m, runs[m]
		for (x = 1; x <= ncols; x++) {
			k = column_name[x]
			n = count[m, k]
			for (j = 1; j <= n; j++)
				v[j] = value[m, k, j]
			sort_num(v, n)
			printf "  %9s", n ? sprintf(k ~ /_s$/ ? "%.3f" : "%.0f", quantile(v, n, 0.5)) : "-"
		}
		printf "%s\n", failed[m] ? "  FAILED in " failed[m] : ""
	}
}
