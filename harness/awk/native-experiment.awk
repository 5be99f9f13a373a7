# SPDX-License-Identifier: GPL-2.0
#
# native-experiment.awk: read an experiment file of the testbed `process` strictly and print it in normal form,
# tab-separated: "reps N", "runtime_ms N", "seed N" and
#
#	counts SUBJECT SUBJECT ...	(whose instructions and cache lines are counted)
#	cell POINT SUBJECT PLACE LOAD BACKING BYTES DEPTH BATCH
#
# A mistake is reported as FILE:LINE: WHAT, and the exit status is 2; -v file=NAME is what the file is called there.

BEGIN {
	if (file == "")
		file = ARGV[1]
	OFS = "\t"
	words("subject", "line two-lines pipe eventfd event spin busy hybrid adaptive split-event split-spin split-adaptive spin-ahead split-ahead phase-event phase-spin rte64 rte112 virtio uring uring-sqpoll")
	words("place", "two one")
	words("load", "quiet hog")
	words("backing", "null memcpy file file-sqpoll")
	value["reps"] = 5; value["runtime_ms"] = 200; value["seed"] = 1
	lo["reps"] = 1; hi["reps"] = 1000
	lo["runtime_ms"] = 10; hi["runtime_ms"] = 60000
	lo["seed"] = 0; hi["seed"] = 2147483645
}

# words: what a field may be.
function words(field, list,    n, w, i) {
	allowed[field] = list
	n = split(list, w, " ")
	for (i = 1; i <= n; i++)
		known[field, w[i]] = 1
}

# wrong: report a mistake in the present line.
function wrong(what) {
	printf "%s:%d: %s\n", file, FNR, what | "cat 1>&2"
	bad = 1
}

# whole: is v a whole number in lo..hi?
function whole(what, v, low, high) {
	if (v ~ /^[0-9]+$/ && length(v) <= 10 && v + 0 >= low && v + 0 <= high)
		return 1
	wrong(what ": '" v "' is not a whole number from " low " to " high)
	return 0
}

# list: split a field's list and check each word.
function list(field, text, out,    n, i) {
	n = split(text, out, ",")
	for (i = 1; i <= n; i++)
		if (!((field, out[i]) in known))
			wrong(field ": '" out[i] "' is not one of " allowed[field])
	return n
}

# numbers: the same for numbers.
function numbers(field, text, out, low, high,    n, i) {
	n = split(text, out, ",")
	for (i = 1; i <= n; i++)
		whole(field, out[i], low, high)
	return n
}

# fits: can a subject be measured there? What has no ring has no depth, payload or batch.
function fits(s, backing, bytes, depth, batch) {
	if (s ~ /^(line|two-lines|pipe|eventfd)$/)
		return backing == "null" && bytes == 0 && depth == 1
	if (s ~ /^uring/)
		return backing == "file" && depth > 0
	return 1
}

# points: every cell of a `point` line.
function points(text,    f, n, np, nl, nb, ny, nd, na, p, l, b, y, d, a, s, i1, i2, i3, i4, i5, i6, i7) {
	n = split(text, f, /[ \t]+/)
	if (n != 6) {
		wrong("point takes six fields: PLACE LOAD BACKING BYTES DEPTH BATCH")
		return
	}
	if (!nsubjects) {
		wrong("a point needs a line of subjects before it")
		return
	}
	np = list("place", f[1], p)
	nl = list("load", f[2], l)
	nb = list("backing", f[3], b)
	ny = numbers("bytes", f[4], y, 0, 1048576)
	nd = numbers("depth", f[5], d, 0, 256)
	na = numbers("batch", f[6], a, 1, 256)
	for (i1 = 1; i1 <= np; i1++) for (i2 = 1; i2 <= nl; i2++) for (i3 = 1; i3 <= nb; i3++)
	for (i4 = 1; i4 <= ny; i4++) for (i5 = 1; i5 <= nd; i5++) for (i6 = 1; i6 <= na; i6++) {
		if (d[i5] > 0 && a[i6] + 0 > d[i5] + 0)
			wrong("batch " a[i6] " is more than depth " d[i5])
		npoints++
		for (i7 = 1; i7 <= nsubjects; i7++) {
			s = subject[i7]
			if (!fits(s, b[i3], y[i4], d[i5], a[i6]))
				wrong("subject " s " cannot be measured at " text)
			cell[++ncells] = "p" npoints OFS s OFS p[i1] OFS l[i2] OFS b[i3] OFS y[i4] OFS d[i5] OFS a[i6]
		}
	}
}

{
	sub(/#.*/, "")
	gsub(/^[ \t]+|[ \t\r]+$/, "")
	if ($0 == "")
		next
	at = index($0, "=")
	if (!at) {
		wrong("'" $0 "' is not KEY = VALUE")
		next
	}
	key = substr($0, 1, at - 1)
	text = substr($0, at + 1)
	gsub(/[ \t]+$/, "", key)
	gsub(/^[ \t]+/, "", text)
	if (key == "testbed") {
		if (text != "process")
			wrong("testbed: '" text "' is not process")
	} else if (key in value) {
		if (whole(key, text, lo[key], hi[key]))
			value[key] = text
	} else if (key == "counts") {
		n = split(text, w, /[ \t]+/)
		for (i = 1; i <= n; i++)
			if (!(("subject", w[i]) in known) || w[i] ~ /^(line|two-lines|pipe|eventfd|uring|uring-sqpoll)$/)
				wrong("counts: '" w[i] "' is not a ring")
		counts = text
	} else if (key == "subjects") {
		nsubjects = split(text, subject, /[ \t]+/)
		for (i = 1; i <= nsubjects; i++)
			if (!(("subject", subject[i]) in known))
				wrong("subjects: '" subject[i] "' is not one of " allowed["subject"])
	} else if (key == "point") {
		points(text)
	} else {
		wrong("there is no key '" key "'; there are testbed, counts, reps, runtime_ms, seed, subjects, point")
	}
}

END {
	if (!bad && !ncells)
		wrong("no point: nothing to measure")
	close("cat 1>&2")
	if (bad)
		exit 2
	print "reps", value["reps"]
	print "runtime_ms", value["runtime_ms"]
	print "seed", value["seed"]
	print "counts", counts
	for (i = 1; i <= ncells; i++)
		print "cell", cell[i]
}
