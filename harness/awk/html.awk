# SPDX-License-Identifier: GPL-2.0
#
# html.awk: functions for the programs that make the report's page. It is XML as well as HTML, so that every reader, and a test, can parse it.

# html: s as text of a page.
function html(s) {
	gsub(/&/, "\\&amp;", s)
	gsub(/</, "\\&lt;", s)
	gsub(/>/, "\\&gt;", s)
	gsub(/"/, "\\&quot;", s)
	return s
}

# number: a number of a table for the eye: no exponent where it can be helped, digits in groups of three.
function number(x,    whole, rest, sign, at) {
	if (x !~ /^-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?$/)
		return html(x)
	if (x ~ /e\+/)
		x = sprintf("%.0f", x)
	sign = sub(/^-/, "", x) ? "-" : ""
	at = index(x, ".")
	whole = at ? substr(x, 1, at - 1) : x
	rest = at ? substr(x, at) : ""
	if (whole !~ /^[0-9]+$/ || length(whole) < 5)
		return sign x
	for (at = length(whole) - 3; at > 0; at -= 3)
		whole = substr(whole, 1, at) "\342\200\257" substr(whole, at + 1)
	return sign whole rest
}

# heading: what people call a column; its own name where there is none.
function heading(name,    list, n, i, pair) {
	if (!HEADINGS++) {
		n = split("bs=block|qd=depth|app_domains=application domains|iops_all=IOPS of all domains|rw=operation|bytes=payload (B)|reps=n|iops=IOPS|mib_per_s=MiB/s|lat_mean_us=latency, mean (µs)|" \
			"lat_p50_us=latency p50 (µs)|lat_p90_us=latency p90 (µs)|lat_p99_us=latency p99 (µs)|lat_p999_us=latency p99.9 (µs)|cpu_us_per_io=CPU/request (µs)|" \
			"cpu_app_us_per_io=CPU/request, application (µs)|cpu_storage_us_per_io=CPU/request, storage (µs)|cpu_dom0_us_per_io=CPU/request, dom0 (µs)|" \
			"notify_per_io=notifications/request|notify_front_per_io=notifications/request, front|notify_back_per_io=notifications/request, back|" \
			"irq_per_io=interrupts/request|irq_app_per_io=interrupts/request, application|irq_storage_per_io=interrupts/request, storage|" \
			"ctxsw_per_io=switches/request|ctxsw_app_per_io=switches/request, application|ctxsw_storage_per_io=switches/request, storage|" \
			"rate=requests/s|rate_slice=requests/s, median ms|lat_mean_ns=latency, mean (ns)|lat_p50_ns=latency p50 (ns)|lat_p90_ns=latency p90 (ns)|" \
			"lat_p99_ns=latency p99 (ns)|lat_p999_ns=latency p99.9 (ns)|cpu_ns_per_req=CPU/request (ns)|cpu_front_ns_per_req=CPU/request, front (ns)|" \
			"cpu_back_ns_per_req=CPU/request, back (ns)|switches_per_req=switches/request|doorbells_per_req=doorbells/request|" \
			"instructions_per_req=instructions/request|transfers_per_req=lines handed over/request", list, "|")
		for (i = 1; i <= n; i++) {
			split(list[i], pair, "=")
			HEADING[pair[1]] = pair[2]
		}
	}
	if (name in HEADING)
		return HEADING[name]
	gsub(/_/, " ", name)
	sub(/ per (io|req)$/, "/request", name)
	return html(name)
}

# head_cell: the head of a column that can be sorted by.
function head_cell(name, class) {
	return "<th scope=\"col\"" (class == "" ? "" : " class=\"" class "\"") " title=\"" html(name) "\">" heading(name) "</th>"
}
