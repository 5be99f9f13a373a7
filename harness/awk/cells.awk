# SPDX-License-Identifier: GPL-2.0
#
# cells.awk (with raw.awk): make one row of cells.tsv out of the raw data of each cell. Files, in this order:
#
#	meta.tsv   from cell.jq
#	fio.tsv    from fio.jq
#	DIR/run.txt DIR/storage.txt DIR/cpu.txt ...
#
# A cell whose requests do not add up, or during which a kernel complained, gets the
# status "failed" and the reason; it takes no part in any other table.
#
# cpu_us_per_io is the time of the domains that have a part in a request; dom0's, where the harness's agent is and maybe a busy neighbour, is by itself.
#
# An application (rw is app-NAME) has operations in place of requests; whatever is counted "per_io" is per operation.
#
# Where several application domains load the storage domain (app_domains), what is measured is the first one's, save iops_all and CPU time,
# which are all of theirs, as is what the storage domain does where it cannot be told whom it does it for: interrupts, context
# switches. What the others did is counted by their back ends. All this from `begin` to `end`, which is longer than the measured load:
# where domains starve each other, by the time that fio takes to start.
#
# Windows: counters of the ring run from `prep` (nothing else uses the disk between then and
# the first request) to `end`; context switches, CPU time, and what others did, from `begin` to `end`; so does all of an application's,
# which makes its file system before.

BEGIN {
	FS = OFS = "\t"
	print "testbed", "block", "rep", "order", "front", "back", "data", "backing", "rw", "bs", "qd", \
		"jobs", "queues", "status", "reason", "boot", "cell", "ios", "runtime_ms", "iops", "mib_per_s", \
		"lat_mean_us", "lat_p50_us", "lat_p99_us", \
		"cpu_us_per_io", "cpu_app_us_per_io", "cpu_storage_us_per_io", "cpu_dom0_us_per_io", \
		"notify_per_io", "notify_front_per_io", "notify_back_per_io", \
		"irq_per_io", "irq_app_per_io", "irq_storage_per_io", \
		"ctxsw_per_io", "ctxsw_app_per_io", "ctxsw_storage_per_io", \
		"ring_requests_per_io", "suppressed_per_io", "spins_per_io", "sleeps_per_io", \
		"copied_bytes_per_io", "grant_ops_per_io", "spin_hits_per_io", "arms_per_io", \
		"cpu_app_pct", "cpu_storage_pct", "cpu_dom0_pct", "thread_front_pct", "thread_back_pct", \
		"irq_device_per_io", "app_domains", "iops_all"
}

# The rules of raw.awk run first; none of them matches a line of fio.tsv.
FILENAME ~ /(^|\/)fio\.tsv$/ {
	has_fio[$1] = 1
	error[$1] = $2; ios[$1] = $3; bytes[$1] = $4; iops[$1] = $5; ms[$1] = $6
	mean[$1] = $7; p50[$1] = $8; p99[$1] = $9
	next
}

# fio_verdict: what fio itself says, or "".
function fio_verdict(c) {
	if (status[c] == 124 || status[c] == 137)
		return "fio did not end in time"
	if (status[c] != 0 || !(c in has_fio) || error[c] != 0)
		return "fio failed with status " status[c] ", error " (c in error ? error[c] : "-")
	return ios[c] == 0 ? "fio did no request" : ""
}

# verdict: why the cell cannot be used, or "".
function verdict(c,    req, back_req, why, app) {
	if (rw[c] == "idle" && status[c] != 0)
		return "the idle cell failed with status " status[c]
	if (rw[c] != "idle" && (why = fio_verdict(c)) != "")
		return why
	if (!((c, "run", "begin") in seen) || !((c, "run", "end") in seen))
		return rw[c] == "idle" ? "the application domain's snapshots are missing" : "fio's hooks did not run"
	if (!((c, "storage", "begin") in seen) || !((c, "storage", "end") in seen))
		return "the storage domain's snapshots are missing"
	if (!((c, "cpu", "begin") in seen) || !((c, "cpu", "end") in seen))
		return "the CPU times are missing"
	if (c in complaint)
		return "the kernel said: " complaint[c]
	if ((why = rivals_verdict(c)) != "")
		return why
	if (front[c] == "native")
		return ""
	if (rw[c] == "idle") {
		req = delta(c, "run", "disk_ios", "begin", "end")
		return req == 0 ? "" : "the idle disk had " (req == "" ? "no counters" : req " requests")
	}
	app = rw[c] ~ /^app-/
	if (!app && delta(c, "run", "disk_sectors", "prep", "end") * 512 != bytes[c])
		return "fio moved " bytes[c] " bytes, the disk " delta(c, "run", "disk_sectors", "prep", "end") * 512
	if (front[c] == "stock") {
		req = delta(c, "run", "disk_ios", "prep", "end")
		back_req = add(delta(c, "storage", "back_rd_req", "prep", "end"), \
			delta(c, "storage", "back_wr_req", "prep", "end"))
		if (back_req == "" || !app && back_req < ios[c])
			return "fio did " ios[c] " requests, the back end " back_req
		return ""
	}
	req = delta(c, "run", "front_requests", "prep", "end")
	back_req = delta(c, "storage", "back_requests", "prep", "end")
	if (req == "" || back_req == "")
		return "the counters of our pair are missing"
	if (req != back_req)
		return "the front end sent " req " requests, the back end saw " back_req
	if (!app && req < ios[c])
		return "fio did " ios[c] " requests, the front end sent only " req
	if (delta(c, "run", "front_responses", "prep", "end") != req)
		return "the front end sent " req " requests and got " delta(c, "run", "front_responses", "prep", "end") " responses"
	return ""
}

# rivals_verdict: what the other application domains have done wrong, or "".
function rivals_verdict(c,    k) {
	if (c in rival_failed)
		return "the load of another application domain failed (" rival_failed[c] ")"
	for (k = 2; k <= domains[c]; k++) {
		if (!((c, "rival" k, "exit") in seen))
			return "the load of another application domain broke off (rival" k ")"
		if (delta(c, "cpu", "iddr-app" k, "begin", "end") == "")
			return "the CPU time of application domain " k " is missing"
		if (!(rival_requests(c, "rival" k) > 0))
			return "application domain " k " did no request"
	}
	return ""
}

# rival_requests: requests that the back ends of others' disks served during the cell; who: rival2, or rivals for all.
function rival_requests(c, who,    n) {
	n = front[c] == "stock" ? add(delta(c, "storage", who "_rd_req", "begin", "end"), delta(c, "storage", who "_wr_req", "begin", "end")) : \
		delta(c, "storage", who "_requests", "begin", "end")
	return n + 0
}

# usable: "", or why the cell is not used. A cell that failed when it was measured stays failed.
function usable(c,    why) {
	why = verdict(c)
	return why == "" && c ~ /\.failed-/ ? "it failed when it was measured" : why
}

# from: where the ring's counters begin.
function from(c) {
	return rw[c] ~ /^app-/ ? "begin" : "prep"
}

# both: how much a counter of our pair moved on both sides together.
function both(c, pair, name) {
	return pair ? add(delta(c, "run", "front_" name, from(c), "end"), delta(c, "storage", "back_" name, from(c), "end")) : ""
}

# both_sides: what happened in the first application domain and, for n of its `all` requests, in the storage domain.
function both_sides(app, storage, n, all) {
	return add(app, storage == "" || !all ? storage : storage * n / all)
}

# percent: 100 x of y, or - where there is no x or y.
function percent(x, y) {
	return x == "" || y <= 0 ? "-" : sprintf("%.3f", 100 * x / y)
}

# idle_ms: how long an idle cell took.
function idle_ms(c,    t) {
	t = rw[c] == "idle" ? delta(c, "run", "time", "begin", "end") : ""
	return t == "" ? "-" : sprintf("%.0f", t * 1000)
}

END {
	for (i = 1; i <= ncells; i++) {
		c = order[i]
		why = usable(c)
		gsub(/[\t"]/, " ", why)
		n = ios[c]
		others = domains[c] > 1 ? rival_requests(c, "rivals") : 0
		all = n + others
		pair = front[c] != "native" && front[c] != "stock"
		requests = pair ? delta(c, "run", "front_requests", from(c), "end") : \
			add(delta(c, "storage", "back_rd_req", from(c), "end"), delta(c, "storage", "back_wr_req", from(c), "end"))
		notify_f = pair ? delta(c, "run", "front_notify_sent", from(c), "end") : ""
		notify_b = pair ? delta(c, "storage", "back_notify_sent", from(c), "end") : ""
		native = front[c] == "native"
		irq_a = native ? "" : delta(c, "run", "irq", from(c), "end")
		irq_s = native ? "" : delta(c, "storage", "irq", domains[c] > 1 ? "begin" : from(c), "end")
		sw_a = native ? "" : delta(c, "run", "ctxt", "begin", "end")
		sw_s = delta(c, "storage", "ctxt", "begin", "end")
		cpu_a = delta(c, "cpu", "app", "begin", "end")
		for (k = 2; k <= domains[c]; k++)
			cpu_a += delta(c, "cpu", "iddr-app" k, "begin", "end")
		cpu_s = delta(c, "cpu", "storage", "begin", "end")
		cpu_0 = delta(c, "cpu", "dom0", "begin", "end")
		wall = delta(c, "cpu", "time", "begin", "end")
		gsub(/[\t"]/, " ", why)
		print meta[c], why == "" ? "ok" : "failed", why == "" ? "-" : why, boot[c], c, \
			c in has_fio ? n : rw[c] == "idle" ? 0 : "-", c in has_fio ? ms[c] : idle_ms(c), \
			c in has_fio ? sprintf("%.2f", iops[c]) : "-", \
			c in has_fio ? sprintf("%.3f", ms[c] ? bytes[c] / 1048.576 / ms[c] : 0) : "-", \
			c in has_fio ? sprintf("%.1f", mean[c]) : "-", c in has_fio && rw[c] !~ /^app-/ ? sprintf("%.1f", p50[c]) : "-", \
			c in has_fio && rw[c] !~ /^app-/ ? sprintf("%.1f", p99[c]) : "-", \
			per_io(add(cpu_a, cpu_s) == "" ? "" : add(cpu_a, cpu_s) / 1000, all), \
			per_io(cpu_a == "" ? "" : cpu_a / 1000, all), per_io(cpu_s == "" ? "" : cpu_s / 1000, all), \
			per_io(cpu_0 == "" ? "" : cpu_0 / 1000, all), \
			per_io(add(notify_f, notify_b), n), per_io(notify_f, n), per_io(notify_b, n), \
			per_io(both_sides(irq_a, irq_s, n, all), n), per_io(irq_a, n), per_io(irq_s, all), \
			per_io(both_sides(sw_a, sw_s, n, all), n), per_io(sw_a, n), per_io(sw_s, all), \
			per_io(requests, n), \
			per_io(both(c, pair, "notify_suppressed"), n), \
			per_io(both(c, pair, "spin_iterations"), n), \
			per_io(both(c, pair, "sleeps"), n), \
			per_io(both(c, pair, "copied_bytes"), n), \
			per_io(both(c, pair, "grant_ops"), n), \
			per_io(both(c, pair, "spin_hits"), n), per_io(both(c, pair, "arms"), n), \
			percent(cpu_a, wall), percent(cpu_s, wall), percent(cpu_0, wall), \
			percent(delta(c, "run", "front_thread_cpu_ns", "begin", "end"), 1e9 * delta(c, "run", "time", "begin", "end")), \
			percent(delta(c, "storage", "back_thread_cpu_ns", "begin", "end"), 1e9 * delta(c, "storage", "time", "begin", "end")), \
			per_io(delta(c, native ? "run" : "storage", "irq_device", from(c), "end"), n), \
			domains[c], c in has_fio ? sprintf("%.2f", iops[c] + (others ? others / delta(c, "storage", "time", "begin", "end") : 0)) : "-"
	}
}
