# SPDX-License-Identifier: GPL-2.0
#
# experiment.awk: read an experiment file strictly and print it in normal form, one
# tab-separated line a fact; points belong to the modes before them:
#
#	reps	5
#	modes	event/event@persistent@1q stock/stock@persistent@1q
#	point	randread	4k	8
#
# A mistake is reported as FILE:LINE: WHAT; WHAT IS ALLOWED, and the exit status is 2; -v file=NAME
# is what the file is called there.
# `awk -v keys=1` prints the keys instead.

BEGIN {
	APPS = "untar sqlite sqlite-wal mixed mkfs"
	# The budget of a plain "hybrid": the modules' default.
	HYBRID_US = 200
	if (file == "")
		file = ARGV[1]
	ngroups = 0
	describe("modes", "", "what to compare, at least one. May be repeated: each list is for the points after it", \
		"FRONT/BACK[@PATH][@Nq] or one word for both sides; A|B for either, as in event|spin/event@map|copy;" \
		" FRONT of event spin hybrid hybrid:US adaptive poll, BACK likewise without poll," \
		" PATH of persistent map copy, Nq queues; stock; native")
	describe("data", "persistent", "how data crosses between the domains in modes without @PATH", "persistent map copy")
	describe("backing", "ram", "what the storage domain serves: its RAM disk; null_blk's disk, which answers 100 us after it was asked; a file in its memory" \
		" through the loop driver; or the NVMe controller that is passed through to it", "ram null loop nvme")
	describe("point", "", "`RW BS QD`, each a list with commas, `idle` for no I/O, or `app NAME,...`, applications on ext4; may be repeated", \
		"see rw, bs, qd; NAME of " APPS)
	describe("rw", "", "operations (rw, bs and qd together are one more product)", \
		"randread randwrite read write randrw (of which 70 % are reads)")
	describe("bs", "", "block sizes", "multiples of 512 up to 1m, as 512, 4k, 64k, 1m")
	describe("qd", "", "queue depths", "1 to 1024")
	describe("jobs", "1", "fio threads that share the disk", "1 to 64")
	describe("engine", "libaio", "how fio does its I/O (front end poll needs io_uring)", "libaio io_uring")
	describe("batch", "1", "requests that fio submits at once, and waits for before it submits more (iodepth_batch, iodepth_batch_complete_min)", "1 to the smallest queue depth")
	describe("app_domains", "1", "application domains that load the storage domain at once, each on a disk of its own. The first one's load is measured;" \
		" iops_all is what all of them got, and CPU time that of all", "1 to 4 (more than 1: RAM disk, one queue, persistent; no native, idle, app)")
	describe("app_vcpus", "1", "virtual CPUs of the application domain; a disk has a queue for each unless @Nq", "1 to 2")
	describe("app_cpu", "0", "physical CPU that the application domain runs on; dom0 runs on 0", "0 to 1023")
	describe("storage_cpu", "1", "physical CPU that the storage domain runs on", "0 to 1023")
	describe("hog", "none", "a process that never rests, in dom0", "none dom0")
	describe("trace", "none", "record in every cell, which costs time that is in what is measured: stages: both domains' tracepoints, to tell a request's" \
		" stages (stages.tsv); xen: two seconds of what the hypervisor does, for domain switches and hypercalls by kind (hypercalls.tsv)", \
		"none stages (queue depth 1, one job) xen (runtime_s of 5 or more)")
	describe("reps", "5", "repetitions", "1 to 1000")
	describe("extra_reps", "3", "further repetitions at the most of points where one mode's lie wide apart (by more than half their median);" \
		" in size smoke or quick no more than make 220 cells, or IDDR_EXTRA_CELLS, so that a run takes some 20 minutes, emulated", "0 to 1000")
	describe("runtime_s", "3", "seconds of I/O in a cell", "1 to 3600")
	describe("seed", "1", "of every random choice", "0 to 2147483645")

	words("front", "event spin hybrid adaptive poll")
	words("back", "event spin hybrid adaptive")
	words("data", "persistent map copy")
	words("backing", "ram null loop nvme")
	words("engine", "libaio io_uring")
	words("hog", "none dom0")
	words("trace", "none stages xen")
	words("app", APPS)
	words("rw", "randread randwrite read write randrw")
	if (keys) {
		for (i = 1; i <= nkeys; i++)
			printf "  %-10s %s%s\n  %-10s   allowed: %s\n", key[i], help[key[i]], \
				default_of[key[i]] == "" ? "" : " (default " default_of[key[i]] ")", "", \
				allowed[key[i]]
		exit 0
	}
}

# describe: register a key with its default, its meaning and what it takes.
function describe(k, def, what, allow) {
	key[++nkeys] = k
	known[k] = 1
	default_of[k] = def
	help[k] = what
	allowed[k] = allow
}

# setting: the value of a key, given or by default.
function setting(k) {
	return k in value ? value[k] : default_of[k]
}

# words: register the words that a key takes.
function words(k, list,    n, w, i) {
	n = split(list, w, " ")
	for (i = 1; i <= n; i++)
		word[k, w[i]] = 1
}

# wrong: report a mistake at the present line.
function wrong(what) {
	wrong_at(file ":" FNR, what)
}

# wrong_at: report a mistake at a place.
function wrong_at(place, what) {
	printf "%s: %s\n", place, what | "cat 1>&2"
	bad = 1
}

# whole: check that v is a whole number in lo..hi.
function whole(k, v, lo, hi) {
	if (v !~ /^[0-9]+$/ || length(v) > 10 || v + 0 < lo || v + 0 > hi) {
		wrong(k ": '" v "' is not a whole number from " lo " to " hi)
		return 0
	}
	return 1
}

# size: check a block size and give it in its shortest form, or "".
function size(v,    num, unit, bytes) {
	num = tolower(v)
	unit = 1
	if (num ~ /k$/) unit = 1024
	if (num ~ /m$/) unit = 1048576
	sub(/[km]$/, "", num)
	bytes = num * unit
	if (num !~ /^[0-9]+$/ || bytes < 512 || bytes > 1048576 || bytes % 512) {
		wrong("bs: '" v "' is not a block size; allowed: " allowed["bs"])
		return ""
	}
	if (bytes % 1048576 == 0) return bytes / 1048576 "m"
	if (bytes % 1024 == 0) return bytes / 1024 "k"
	return bytes ""
}

# side: check how one side waits and give it in its shortest form, or "".
function side(which, v,    us) {
	if (v ~ /^hybrid:[1-9][0-9]*$/) {
		us = substr(v, length("hybrid:") + 1)
		if (length(us) <= 6)
			return us + 0 == HYBRID_US ? "hybrid" : v
	}
	return (which, v) in word ? v : ""
}

# modes_add: check one word of modes and add all that it stands for, as FRONT/BACK@PATH@Nq, to the
# present group. What it leaves open is filled in at the end.
function modes_add(v,    part, n, sides, i, j, k, s, f, b, d, nf, nb, nd, q, x, y) {
	if (v == "stock" || v == "native") {
		mode_keep(v "/" v)
		return
	}
	n = split(v, part, "@")
	q = d[1] = ""
	nd = 1
	for (i = 2; i <= n; i++) {
		if (part[i] ~ /^[1-9]q$/ && q == "")
			q = part[i]
		else if (part[i] !~ /q$/ && d[1] == "")
			nd = split(part[i], d, "|")
		else
			nd = 0
		for (j = 1; j <= nd; j++)
			if (d[j] != "" && !(("data", d[j]) in word))
				nd = 0
		if (!nd)
			break
	}
	sides = split(part[1], s, "/")
	nf = split(s[1], f, "|")
	nb = split(sides == 2 ? s[2] : s[1], b, "|")
	if (n < 1 || !nd || sides > 2 || !nf || !nb) {
		mode_wrong(v)
		return
	}
	for (i = 1; i <= nf; i++)
		for (j = 1; j <= nb; j++) {
			if (sides < 2 && i != j)
				continue
			x = side("front", f[i])
			y = side("back", b[j])
			if (x == "" || y == "") {
				mode_wrong(v)
				return
			}
			for (k = 1; k <= nd; k++)
				mode_keep(x "/" y "@" d[k] "@" q)
		}
}

# mode_wrong: report a word of modes.
function mode_wrong(v) {
	wrong("modes: unknown mode '" v "'; allowed: " allowed["modes"])
}

# mode_keep: add a mode to the present group.
function mode_keep(m) {
	mode[ngroups, ++nmodes[ngroups]] = m
}

# modes_resolved: the modes of a group with all defaults filled in.
function modes_resolved(g,    i, m, part, out, has, vcpus, place) {
	vcpus = setting("app_vcpus")
	place = file ":" group_line[g]
	for (i = 1; i <= nmodes[g]; i++) {
		m = mode[g, i]
		split(m, part, "@")
		# The stock pair has persistent grants, and a queue for each vCPU.
		if (m == "stock/stock")
			m = m "@persistent@" vcpus "q"
		else if (m == "native/native")
			m = m "@-@-"
		else {
			if (part[2] == "")
				part[2] = setting("data")
			if (part[3] == "")
				part[3] = vcpus "q"
			m = part[1] "@" part[2] "@" part[3]
			if (part[3] + 0 > vcpus)
				wrong_at(place, "modes: '" m "' has more queues than app_vcpus = " vcpus)
		}
		if (part[1] ~ /^poll/ && setting("engine") != "io_uring")
			wrong_at(place, "modes: '" part[1] "' needs engine = io_uring")
		if (part[1] ~ /^poll/ && group_idle[g])
			wrong_at(place, "modes: '" part[1] "' has nothing to poll for at point 'idle' or 'app'")
		if (m in has)
			wrong_at(place, "modes: '" m "' is named twice")
		has[m] = 1
		out = out (out == "" ? "" : " ") m
	}
	return out
}

# point_add: add one point to the present group.
function point_add(p, name) {
	if (p in seen_point) {
		wrong("point '" name "' is named twice (first in line " seen_point[p] ")")
		return
	}
	seen_point[p] = FNR
	point[++npoints] = p
	group_of[npoints] = ngroups
	group_points[ngroups]++
	# What nobody polls for.
	if (p ~ /^(idle|app-)/)
		group_idle[ngroups] = 1
}

# several_domains: check what cannot be had in more than one application domain.
function several_domains(    g, n, i, m) {
	for (g = 1; g <= ngroups; g++) {
		n = split(resolved[g], m, " ")
		for (i = 1; i <= n; i++)
			if (m[i] !~ /@persistent@1q$/ || m[i] ~ /^poll/)
				wrong_at(file ":" group_line[g], "modes: '" m[i] "' cannot be had in several application domains, as app_domains asks")
		if (group_idle[g])
			wrong_at(file ":" group_line[g], "points 'idle' and 'app' cannot be had in several application domains, as app_domains asks")
	}
	if (setting("backing") != "ram" || setting("app_vcpus") != 1 || setting("trace") != "none")
		wrong_at(file, "app_domains: more than 1 goes neither with another backing than ram, nor with app_vcpus or trace")
}

# product: add the points of one product of lists.
function product(rws, bss, qds,    a, b, c, na, nb, nc, i, j, k, s) {
	na = split(rws, a, /[ ,]+/); nb = split(bss, b, /[ ,]+/); nc = split(qds, c, /[ ,]+/)
	for (i = 1; i <= na; i++) {
		if (!(("rw", a[i]) in word)) {
			wrong("rw: unknown operation '" a[i] "'; allowed: " allowed["rw"])
			continue
		}
		for (j = 1; j <= nb; j++) {
			if ((s = size(b[j])) == "")
				continue
			for (k = 1; k <= nc; k++)
				if (whole("qd", c[k], 1, 1024))
					point_add(a[i] "\t" s "\t" (c[k] + 0), a[i] " " s " " c[k])
		}
	}
}

{
	sub(/\r$/, "")
	sub(/#.*/, "")
	gsub(/^[ \t]+|[ \t]+$/, "")
}
$0 == "" { next }
!/=/ {
	wrong("'" $0 "' is not of the form KEY = VALUE")
	next
}
{
	k = v = $0
	sub(/[ \t]*=.*/, "", k)
	sub(/^[^=]*=[ \t]*/, "", v)
	gsub(/[ \t]+/, " ", v)
	gsub(/ *, */, ",", v)
	if (!(k in known)) {
		list = ""
		for (i = 1; i <= nkeys; i++)
			list = list " " key[i]
		wrong("unknown key '" k "'; known keys:" list)
		next
	}
	if (v == "") {
		wrong(k " has no value; allowed: " allowed[k])
		next
	}
	if (k in line && k != "point" && k != "modes") {
		wrong(k " is set twice (first in line " line[k] ")")
		next
	}
	line[k] = FNR
	if (k == "modes") {
		group_line[++ngroups] = FNR
		n = split(v, f, /[ ,]+/)
		for (i = 1; i <= n; i++)
			modes_add(f[i])
		next
	}
	if (k == "point") {
		if (v == "idle")
			point_add("idle\t-\t0", v)
		else if (split(v, f, " ") == 2 && f[1] == "app") {
			n = split(f[2], f, ",")
			for (i = 1; i <= n; i++)
				if (("app", f[i]) in word)
					point_add("app-" f[i] "\t-\t0", "app " f[i])
				else
					wrong("point: unknown application '" f[i] "'; allowed: " APPS)
		}
		else if (split(v, f, " ") == 3)
			product(f[1], f[2], f[3])
		else
			wrong("point takes three fields, RW BS QD, as in 'point = randread 4k,64k 1,8', or 'idle', or 'app NAME'")
		next
	}
	n = split(v, f, /[ ,]+/)
	out = ""
	for (i = 1; i <= n; i++) {
		w = f[i]
		if ((k == "data" || k == "backing" || k == "rw" || k == "engine" || k == "hog" || k == "trace") && !((k, w) in word)) {
			wrong(k ": unknown value '" w "'; allowed: " allowed[k])
			w = ""
		} else if (k == "jobs")
			w = whole(k, w, 1, 64) ? w + 0 : ""
		else if (k == "app_domains")
			w = whole(k, w, 1, 4) ? w + 0 : ""
		else if (k == "app_vcpus")
			w = whole(k, w, 1, 2) ? w + 0 : ""
		else if (k == "app_cpu" || k == "storage_cpu")
			w = whole(k, w, 0, 1023) ? w + 0 : ""
		else if (k == "reps")
			w = whole(k, w, 1, 1000) ? w + 0 : ""
		else if (k == "extra_reps")
			w = whole(k, w, 0, 1000) ? w + 0 : ""
		else if (k == "runtime_s")
			w = whole(k, w, 1, 3600) ? w + 0 : ""
		else if (k == "seed")
			w = whole(k, w, 0, 2147483645) ? w + 0 : ""
		else if (k == "qd" || k == "batch")
			w = whole(k, w, 1, 1024) ? w + 0 : ""
		else if (k == "bs")
			w = size(w)
		if (w == "")
			continue
		if ((k, w, "twice") in dup) {
			wrong(k ": '" w "' is named twice")
			continue
		}
		dup[k, w, "twice"] = 1
		out = out (out == "" ? "" : " ") w
	}
	if ((k == "reps" || k == "extra_reps" || k == "runtime_s" || k == "seed" || k == "app_vcpus" || k == "batch" || k ~ /_cpu$/) && n > 1)
		wrong(k " takes one number")
	if ((k == "data" || k == "engine" || k == "hog" || k == "trace") && n > 1)
		wrong(k " takes one word")
	value[k] = out
}

END {
	if (keys)
		exit 0
	if (!ngroups)
		wrong_at(file, "modes is missing; allowed: " allowed["modes"])
	n = ("rw" in line) + ("bs" in line) + ("qd" in line)
	if (n == 3 && ngroups > 1)
		wrong_at(file, "rw, bs and qd do not say which modes they are for; use point lines")
	else if (n == 3 && !bad)
		product(value["rw"], value["bs"], value["qd"])
	else if (n && n < 3)
		wrong_at(file, "rw, bs and qd are given together or not at all")
	if (!npoints && !bad)
		wrong_at(file, "no point to measure; add a line like 'point = randread 4k,64k 1,8'")
	# One list is for all points, wherever it stands.
	if (ngroups == 1) {
		group_points[1] = npoints
		group_idle[1] = group_idle[0] || group_idle[1]
	} else if (group_points[0])
		wrong_at(file ":" seen_point[point[1]], "a point before the first of several lists of modes")
	for (g = 1; g <= ngroups; g++) {
		if (ngroups > 1 && !group_points[g])
			wrong_at(file ":" group_line[g], "modes without a point after them")
		resolved[g] = modes_resolved(g)
	}
	for (i = 1; i <= npoints; i++) {
		split(point[i], f, /[ \t]/)
		if ("batch" in value && f[2] != "-" && f[3] < value["batch"] + 0)
			wrong_at(file ":" seen_point[point[i]], "batch: " value["batch"] " is more than the queue depth " f[3])
		if (setting("trace") == "stages" && (f[3] != 1 || setting("jobs") != 1))
			wrong_at(file ":" seen_point[point[i]], "trace = stages wants queue depth 1 and one job")
	}
	if (setting("trace") == "xen" && setting("runtime_s") + 0 < 5)
		wrong_at(file ":" line["trace"], "trace = xen wants runtime_s of 5 or more: the trace begins after the load, and ends before it")
	if (setting("trace") == "xen" && (setting("jobs") setting("backing")) ~ / /)
		wrong_at(file ":" line["trace"], "trace = xen wants one number of jobs and one backing")
	if (setting("app_domains") != 1)
		several_domains()
	if (bad) {
		close("cat 1>&2")
		exit 2
	}
	for (i = 1; i <= nkeys; i++) {
		k = key[i]
		if (k ~ /^(modes|data|point|rw|bs|qd)$/)
			continue
		print k "\t" setting(k)
	}
	for (i = g = 1; g <= ngroups; g++) {
		print "modes\t" resolved[g]
		for (; i <= npoints && (group_of[i] <= g || ngroups == 1); i++)
			print "point\t" point[i]
	}
}
