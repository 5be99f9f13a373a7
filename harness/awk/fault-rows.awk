# SPDX-License-Identifier: GPL-2.0
#
# fault-rows.awk: rows.tsv from the cells of a fault campaign: a row a cell. Read are their outcome.tsv (named on the command
# line) and, from beside each, the supervisor's row and messages, the load's figures, and what was left afterwards. The names of faults
# after which a supervisor has nothing to do are in -v passing=NAMES, with blanks between.
#
#	driver_kernel        died (or was destroyed), hung or survived, as the supervisor saw it; - where it is the application's own
#	application_kernel   survived, silent (its domain is there and does not answer) or gone
#	application          unaware (nothing but delay), errors, damaged (the disk did not hold what it should), stuck (requests that
#	                     never ended, or no verdict) or gone
#	failed, unanswered   requests that the application saw fail; that never ended
#	lost                 blocks without an acknowledged write, found while it ran or in the end
#	reverted             of these, blocks in which an older write was carried out once more
#	misdirected, corrupt blocks of elsewhere; torn, changed or foreign ones; these four are - unless every block was read in the end
#	..._ms               from the stage before to this one; outage_ms: the longest time without a successful read or write, or
#	                     unended: there was none any more; slowest_ms: the slowest request
#	app_..., dom0_...    what there was after the cell, when the disk was detached: threads, memory of the kernel that it cannot
#	                     give back (KiB), pages in quarantine, nodes in xenstore; domains: that Xen knows, dom0 too
#	alarms               incidents that the supervisor has begun, beyond the one that the fault is; - where there is none
#	order, boot          in which order cells ran; which boot of the application domain it was
#	rate_before          answers a second of the load before the outage, its first second left out

BEGIN {
	FS = OFS = "\t"
	n = split(passing, name, " ")
	for (i = 1; i <= n; i++)
		passes[name[i]]
	REST = "app_threads app_kernel_kib app_quarantined dom0_threads dom0_kernel_kib xenstore_nodes domains"
	print "fault", "arrangement", "load", "repetition", "backing", "driver_kernel", "application_kernel", "application", "requests", \
		"failed", "unanswered", "lost", "reverted", "misdirected", "corrupt", "detected_ms", "gone_ms", "created_ms", \
		"up_ms", "controller_ms", "device_ms", "answer_ms", "recovery_ms", "outage_ms", "slowest_ms", "restarts", "alarms", words(REST, 1), words("order boot rate_before", 1)
}

FNR == 1 {
	row()
	split("", value)
	dir = FILENAME
	sub(/[^\/]*$/, "", dir)
}
{ value[$1] = $2 }
END { row() }

# read_pairs: NAME<TAB>VALUE lines of a file.
function read_pairs(file,    line, part) {
	while ((getline line < file) > 0) {
		split(line, part, "\t")
		value[part[1]] = part[2]
	}
	close(file)
}

# read_messages: how many incidents the supervisor has begun, and of what, if it has ended none.
function read_messages(file,    line) {
	while ((getline line < file) > 0)
		if (line ~ /^iddr-supervise: [^ ]+ \([0-9]+\): (death|hang|disk|unfinished)$/) {
			value["incidents"]++
			if (!("cause" in value)) {
				value["cause"] = line
				sub(/.*: /, "", value["cause"])
			}
		}
	close(file)
}

# read_incident: the supervisor's first row, by its header.
function read_incident(file,    line, name, part, n, i) {
	if ((getline line < file) > 0) {
		n = split(line, name, "\t")
		if ((getline line < file) > 0) {
			split(line, part, "\t")
			for (i = 1; i <= n; i++)
				value[name[i] == "fault" ? "fault_at" : name[i]] = part[i]
		}
	}
	close(file)
}

# read_rate: how fast the load was before the outage, from its timeline (fault-timeline.awk).
function read_rate(file,    line, part, n, answers, bins) {
	while ("gap_start_ms" in value && (getline line < file) > 0) {
		if (split(line, part, "\t") < 3 || part[1] !~ /^[0-9]+$/ || part[1] < 1000 || part[1] + 100 > value["gap_start_ms"])
			continue
		answers += part[2]
		bins++
	}
	close(file)
	if (bins >= 10)
		value["rate_before"] = sprintf("%.1f", answers * 10 / bins)
}

# alarms: incidents that there should not have been.
function alarms(    due) {
	due = !(value["fault"] in passes)
	return value["arrangement"] == "monolithic" ? "-" : value["incidents"] > due ? value["incidents"] - due : 0
}

# between: milliseconds from one stage to another, - if either is unknown.
function between(from, to) {
	return value[from] ~ /^[0-9]+$/ && value[to] ~ /^[0-9]+$/ ? value[to] - value[from] : "-"
}

# figure: the sum of figures of iddr-truth, - if there are none.
function figure(names,    name, n, i, sum) {
	if (!("violations" in value))
		return "-"
	n = split(names, name, " ")
	for (i = 1; i <= n; i++)
		sum += value[name[i]]
	return sum + 0
}

# damage: the same of what only who has read every block knows, or who has found it.
function damage(names,    sum) {
	sum = figure(names)
	return sum > 0 || value["verified"] == value["blocks"] ? sum : "-"
}

function row(    driver, application, failed, outage) {
	if (!("fault" in value))
		return
	read_pairs(dir "truth.tsv")
	read_incident(dir "supervise.tsv")
	read_messages(dir "supervise.log")
	read_pairs(dir "rest.tsv")
	read_rate(dir "timeline.tsv")
	driver = "survived"
	if (value["arrangement"] == "monolithic")
		driver = "-"
	else if (value["cause"] == "hang")
		driver = value["fault"] == "destroy" ? "died" : "hung"
	else if (value["cause"] == "death")
		driver = "died"
	failed = figure("writes_failed reads_failed flushes_failed")
	if (value["application_kernel"] != "survived")
		application = "gone"
	else if ("violations" in value && value["violations"] > 0)
		application = "damaged"
	else if (!("violations" in value) || value["exit"] !~ /^[0-9]+$/ || value["unanswered"] > 0)
		application = "stuck"
	else
		application = failed > 0 || value["unreadable"] > 0 ? "errors" : "unaware"
	outage = figure("gap_ms")
	if ("gap_ended" in value && !value["gap_ended"])
		outage = "unended"
	print value["fault"], value["arrangement"], value["load"], value["repetition"], value["backing"], driver, \
		value["application_kernel"], application, figure("requests"), failed, figure("unanswered"), damage("lost stale"), \
		damage("reverted"), damage("misdirected"), damage("torn foreign corrupt"), between("fault_at", "detected"), \
		between("detected", "gone"), between("gone", "created"), between("created", "up"), between("gone", "controller"), \
		between(value["controller"] ~ /^[0-9]/ ? "controller" : value["up"] == "-" ? "gone" : "up", "device"), \
		between("device", "completed"), between("detected", "completed"), outage, \
		"slowest_ms" in value ? figure("slowest_ms") : "-", \
		"attempts" in value ? value["attempts"] : "-", alarms(), words(REST, 0), words("order boot rate_before", 0)
}

# words: the names of a list as columns, or what each is.
function words(list, names,    name, n, i, text) {
	n = split(list, name, " ")
	for (i = 1; i <= n; i++)
		text = text (i > 1 ? OFS : "") (names ? name[i] : name[i] in value ? value[name[i]] : "-")
	return text
}
