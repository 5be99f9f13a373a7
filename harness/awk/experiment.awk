# SPDX-License-Identifier: GPL-2.0
#
# experiment.awk: read an experiment file strictly and print it in normal form, one
# tab-separated line a fact:
#
#	modes	event/event spin/spin stock
#	reps	5
#	point	randread	4k	8
#
# A mistake is reported as FILE:LINE: WHAT; WHAT IS ALLOWED, and the exit status is 2.
# `awk -v keys=1` prints the keys instead.

BEGIN {
	describe("modes", "", "front/back pairs to compare, at least one", \
		"each of event spin, as front/back or both in one word; stock; native")
	describe("data", "persistent", "how data crosses between the domains", "persistent")
	describe("backing", "ram", "what the storage domain serves", "ram")
	describe("point", "", "`RW BS QD`, each a list with commas; may be repeated", "see rw, bs, qd")
	describe("rw", "", "operations (rw, bs and qd together are one more product)", \
		"randread randwrite read write")
	describe("bs", "", "block sizes", "multiples of 512 up to 1m, as 512, 4k, 64k, 1m")
	describe("qd", "", "queue depths", "1 to 1024")
	describe("jobs", "1", "fio threads that share the disk", "1 to 64")
	describe("reps", "5", "repetitions", "1 to 1000")
	describe("runtime_s", "3", "seconds of I/O in a cell", "1 to 3600")
	describe("seed", "1", "of every random choice", "0 to 2147483645")

	words("modes", "event spin")
	words("data", "persistent")
	words("backing", "ram")
	words("rw", "randread randwrite read write")
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

# words: register the words that a key takes.
function words(k, list,    n, w, i) {
	n = split(list, w, " ")
	for (i = 1; i <= n; i++)
		word[k, w[i]] = 1
}

# wrong: report a mistake at the present line.
function wrong(what) {
	wrong_at(FILENAME ":" FNR, what)
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

# mode: check one mode and give it as front/back, or "".
function mode(v,    p, n) {
	if (v == "stock" || v == "native")
		return v "/" v
	n = split(v, p, "/")
	if (n == 1)
		p[2] = p[1]
	if (n < 1 || n > 2 || !(("modes", p[1]) in word) || !(("modes", p[2]) in word)) {
		wrong("modes: unknown mode '" v "'; allowed: " allowed["modes"])
		return ""
	}
	return p[1] "/" p[2]
}

# product: add the points of one product of lists.
function product(rws, bss, qds,    a, b, c, na, nb, nc, i, j, k, s, p) {
	na = split(rws, a, /[ ,]+/); nb = split(bss, b, /[ ,]+/); nc = split(qds, c, /[ ,]+/)
	for (i = 1; i <= na; i++) {
		if (!(("rw", a[i]) in word)) {
			wrong("rw: unknown operation '" a[i] "'; allowed: " allowed["rw"])
			continue
		}
		for (j = 1; j <= nb; j++) {
			if ((s = size(b[j])) == "")
				continue
			for (k = 1; k <= nc; k++) {
				if (!whole("qd", c[k], 1, 1024))
					continue
				p = a[i] "\t" s "\t" (c[k] + 0)
				if (p in seen_point) {
					wrong("point '" a[i] " " s " " c[k] "' is named twice (first in line " seen_point[p] ")")
					continue
				}
				seen_point[p] = FNR
				point[++npoints] = p
			}
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
	if (k in line && k != "point") {
		wrong(k " is set twice (first in line " line[k] ")")
		next
	}
	line[k] = FNR
	if (k == "point") {
		if (split(v, f, " ") != 3) {
			wrong("point takes three fields, RW BS QD, as in 'point = randread 4k,64k 1,8'")
			next
		}
		product(f[1], f[2], f[3])
		next
	}
	n = split(v, f, /[ ,]+/)
	out = ""
	for (i = 1; i <= n; i++) {
		w = f[i]
		if (k == "modes")
			w = mode(f[i])
		else if ((k == "data" || k == "backing" || k == "rw") && !((k, w) in word)) {
			wrong(k ": unknown value '" w "'; allowed: " allowed[k])
			w = ""
		} else if (k == "jobs")
			w = whole(k, w, 1, 64) ? w + 0 : ""
		else if (k == "reps")
			w = whole(k, w, 1, 1000) ? w + 0 : ""
		else if (k == "runtime_s")
			w = whole(k, w, 1, 3600) ? w + 0 : ""
		else if (k == "seed")
			w = whole(k, w, 0, 2147483645) ? w + 0 : ""
		else if (k == "qd")
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
	if ((k == "reps" || k == "runtime_s" || k == "seed") && n > 1)
		wrong(k " takes one number")
	value[k] = out
}

END {
	if (keys)
		exit 0
	file = FILENAME
	if (!("modes" in line))
		wrong_at(file, "modes is missing; allowed: " allowed["modes"])
	n = ("rw" in line) + ("bs" in line) + ("qd" in line)
	if (n == 3 && !bad)
		product(value["rw"], value["bs"], value["qd"])
	else if (n && n < 3)
		wrong_at(file, "rw, bs and qd are given together or not at all")
	if (!npoints && !bad)
		wrong_at(file, "no point to measure; add a line like 'point = randread 4k,64k 1,8'")
	if (bad) {
		close("cat 1>&2")
		exit 2
	}
	for (i = 1; i <= nkeys; i++) {
		k = key[i]
		if (k == "point" || k == "rw" || k == "bs" || k == "qd")
			continue
		print k "\t" ((k in value) ? value[k] : default_of[k])
	}
	for (i = 1; i <= npoints; i++)
		print "point\t" point[i]
}
