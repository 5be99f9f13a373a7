# SPDX-License-Identifier: GPL-2.0
#
# table.awk: functions for the programs that read our tab-separated tables by column name.

# header: remember the columns of the present line; call it for line 1.
function header(    i) {
	for (i = 1; i <= NF; i++)
		COLUMN[$i] = i
}

# col: the named column of the present line; a missing column ends the program.
function col(name) {
	if (!(name in COLUMN)) {
		printf "%s: no column '%s'; is this one of our tables?\n", FILENAME, name | "cat 1>&2"
		close("cat 1>&2")
		BROKEN = 1
		exit 1
	}
	return $COLUMN[name]
}

# size_bytes: 4k -> 4096.
function size_bytes(s) {
	return s * (s ~ /k$/ ? 1024 : s ~ /m$/ ? 1048576 : 1)
}

# mode_name: how people call a pair of modes: event, spin, event/spin, stock, native.
function mode_name(front, back) {
	return front == back ? front : front "/" back
}

# mode_rank: the order of modes in tables.
function mode_rank(front, back,    m) {
	m = front "/" back
	return m == "native/native" ? 1 : m == "stock/stock" ? 2 : m == "event/event" ? 3 : \
		m == "event/spin" ? 4 : m == "spin/event" ? 5 : m == "spin/spin" ? 6 : 7
}

# point_rank: a number that sorts points by operation, size, depth and jobs.
function point_rank(rw, bs, qd, jobs,    r) {
	r = rw == "randread" ? 1 : rw == "read" ? 2 : rw == "randwrite" ? 3 : 4
	return ((r * 10000000 + size_bytes(bs)) * 10000 + qd) * 100 + jobs
}
