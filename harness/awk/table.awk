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

# col_or: the named column of the present line, or value in a table from before there was such a column.
function col_or(name, value) {
	return name in COLUMN ? $COLUMN[name] : value
}

# sort_ranked: sort list[1..n] by rank[], where that is equal by second[].
function sort_ranked(list, n, rank, second,    i, j, k) {
	for (i = 2; i <= n; i++) {
		k = list[i]
		for (j = i - 1; j >= 1 && (rank[list[j]] > rank[k] || rank[list[j]] == rank[k] && second[list[j]] > second[k]); j--)
			list[j + 1] = list[j]
		list[j + 1] = k
	}
}

# size_bytes: 4k -> 4096.
function size_bytes(s) {
	return s * (s ~ /k$/ ? 1024 : s ~ /m$/ ? 1048576 : 1)
}

# mode_name: how people call a mode: event, spin, event/spin, stock, native; event@map, event@2q where the
# data path is not persistent, the queues not one.
function mode_name(front, back, data, queues,    name) {
	name = front == back ? front : front "/" back
	if (front == "stock" || front == "native")
		return name
	return name (data == "persistent" ? "" : "@" data) (queues == 1 ? "" : "@" queues "q")
}

# side_rank: the order of ways to wait in tables: event, spin, hybrid by budget, adaptive, poll.
function side_rank(s) {
	if (s ~ /^hybrid/)
		return 3 + (s == "hybrid" ? 200 : substr(s, 8)) / 1e7
	return s == "event" ? 1 : s == "spin" ? 2 : s == "adaptive" ? 4 : 5
}

# mode_rank: the order of modes in tables.
function mode_rank(front, back, data, queues) {
	if (front == "native" || front == "stock")
		return front == "native" ? 1 : 2
	return 100 * (10 * queues + (data == "persistent" ? 1 : data == "map" ? 2 : 3)) + 10 * side_rank(front) + side_rank(back)
}

# point_rank: a number that sorts points by operation, size, depth, jobs and application domains.
function point_rank(rw, bs, qd, jobs, domains,    r) {
	r = rw == "randread" ? 1 : rw == "read" ? 2 : rw == "randwrite" ? 3 : rw == "write" ? 4 : rw == "randrw" ? 5 : 6
	return ((r * 10000000 + size_bytes(bs)) * 10000 + qd) * 100 + jobs + (domains - 1) / 10
}
