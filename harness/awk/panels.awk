# SPDX-License-Identifier: GPL-2.0
#
# panels.awk (with table.awk): what the figures must know of summary.tsv before they are drawn, as gnuplot
# assignments, and which of them its rows can fill:
#
#	PANELS      "RW:BS ..." that have several depths (any, if none has), in the table's order
#	DEPTHS      the depths on their axis, "(1, 8)", with DEPTH_MIN and DEPTH_MAX
#	DEPTH_MODES the modes that have most depths in one panel
#	PATHS_QD    the depth at which data paths meet several block sizes PATHS_BS; PATHS_RW the operation
#	MATRIX_QD   the depths at which at least nine pairs of modes met; MATRIX_RW, MATRIX_BS the point
#	POLLED      whether there is a front end whose application polls
#	BUDGETS_QD  the depths of that point that have at least two budgets of hybrid; BUDGETS the modes from none
#	            to unlimited, and adaptive
#	IDLE_MODES  the modes of idle disks
#	BACKINGS    what the storage domain served, if there was more than one
#	DOMAINS     how many application domains loaded the storage domain, if there was more than one number
#	CALL_MODES  all modes
#	FIRST_QD    the depths of the first panel
#	APPS        the applications, APP_MODES how their disks waited
#	FIGURES     the figures

BEGIN { FS = "\t" }
NR == 1 {
	header()
	next
}
col("rw") == "idle" {
	idle = idle (idle == "" ? "" : " ") col("mode")
	next
}
col("rw") ~ /^app-/ {
	app = substr(col("rw"), 5)
	if (!known_app[app]++)
		apps = apps (apps == "" ? "" : " ") app
	if (!known_app_mode[col("mode")]++)
		app_modes = app_modes (app_modes == "" ? "" : " ") col("mode")
	next
}
{
	panel = col("rw") ":" col("bs")
	qd = col("qd") + 0
	mode = col("mode")
	if (mode ~ /^poll/)
		polled = 1
	domain = col_or("app_domains", 1)
	if (!known_domains[domain]++)
		domains = domains (ndomains++ ? " " : "") domain
	known_backing[col("backing")]++
	if (!npanels && !panel_depths || panel == order[1]) {
		if (!first_depth[qd]++)
			panel_depths = panel_depths (panel_depths == "" ? "" : " ") qd
	}
	if (!(panel in depths))
		order[++npanels] = panel
	if (!seen[panel, qd]++)
		depths[panel]++
	if (!seen_mode[panel, mode, qd]++ && ++mode_depths[panel, mode] > most[mode])
		most[mode] = mode_depths[panel, mode]
	row_panel[++rows] = panel
	row_qd[rows] = qd
	row_mode[rows] = mode
	if (!known[mode]++)
		modes[++nmodes] = mode
	# The plain budget is a budget as well.
	if (col("data") == "persistent" && col("queues") == 1 && panel == order[1]) {
		if (mode ~ /^hybrid(:[0-9]+)?$/ && ++budgets[qd] == 2)
			budget_list = budget_list (budget_list == "" ? "" : " ") qd
		if (mode ~ /^hybrid(:[0-9]+)?$/ && !budget_seen[mode]++)
			budget_modes = budget_modes (budget_modes == "" ? "" : " ") mode
		if (mode !~ /^(stock|hybrid:)/ && ++pairs[qd] == 9)
			matrix_list = matrix_list (matrix_list == "" ? "" : " ") qd
	}
	if (col("data") == "map" || col("data") == "copy") {
		if (!path_seen[col("rw"), qd, col("bs")]++) {
			path_bs[col("rw"), qd] = path_bs[col("rw"), qd] (path_sizes[col("rw"), qd] ? " " : "") col("bs")
			if (++path_sizes[col("rw"), qd] == 2 && path_rw == "") {
				path_rw = col("rw")
				path_qd = qd
			}
		}
	}
}

# quoted: a gnuplot assignment of a string.
function quoted(name, value) {
	return name " = '" value "'; "
}

END {
	for (i = 1; i <= npanels; i++)
		if (depths[order[i]] > 1)
			several = 1
	for (i = 1; i <= npanels; i++)
		if (depths[order[i]] > 1 || !several) {
			panels = panels (panels == "" ? "" : " ") order[i]
			chosen[order[i]] = 1
		}
	for (i = 1; i <= nmodes; i++)
		if (most[modes[i]] > deepest)
			deepest = most[modes[i]]
	for (i = 1; i <= rows; i++) {
		if (!(row_panel[i] in chosen))
			continue
		q = row_qd[i]
		if (!depth[q]++)
			list = list (list == "" ? "" : ", ") q
		if (min == "" || q < min)
			min = q
		if (q > max)
			max = q
	}
	for (i = 1; i <= nmodes; i++)
		all_modes = all_modes (i > 1 ? " " : "") modes[i]
	for (i = 1; i <= nmodes; i++)
		if (most[modes[i]] == deepest)
			depth_modes = depth_modes (depth_modes == "" ? "" : " ") modes[i]
	if (npanels)
		figures = "iops latency cpu events"
	if (path_rw != "" && ("stock" in known))
		figures = figures " paths"
	if (matrix_list != "")
		figures = figures " matrix"
	if (budget_list != "")
		figures = figures " budgets"
	if (idle)
		figures = figures " idle"
	if (apps != "")
		figures = figures " applications"
	# In one order, whichever the run came to first.
	nevery = split("ram loop null nvme", every, " ")
	for (i = 1; i <= nevery; i++)
		if (every[i] in known_backing)
			backings = backings (nbackings++ ? " " : "") every[i]
	# The others do not tell backings or numbers of domains apart.
	if (nbackings > 1)
		figures = "backing"
	if (ndomains > 1)
		figures = "domains"
	sub(/^ /, "", figures)
	split(order[1], point, ":")
	print quoted("FIGURES", figures) quoted("PANELS", panels) quoted("DEPTHS", "(" list ")") \
		"DEPTH_MIN = " min + 0 "; DEPTH_MAX = " max + 0 "; " quoted("DEPTH_MODES", depth_modes) \
		quoted("PATHS_RW", path_rw) quoted("PATHS_BS", path_bs[path_rw, path_qd]) "PATHS_QD = " path_qd + 0 "; " quoted("MATRIX_RW", point[1]) \
		quoted("MATRIX_BS", point[2]) quoted("MATRIX_QD", matrix_list) "POLLED = " polled + 0 "; " quoted("BUDGETS_QD", budget_list) \
		quoted("BUDGETS", (("event" in known) ? "event " : "") budget_modes (("spin" in known) ? " spin" : "") \
		(("adaptive" in known) ? " adaptive" : "")) quoted("IDLE_MODES", idle) \
		quoted("APPS", apps) quoted("APP_MODES", app_modes) quoted("BACKINGS", backings) quoted("FIRST_QD", panel_depths) \
		quoted("CALL_MODES", all_modes) quoted("DOMAINS", domains)
}
