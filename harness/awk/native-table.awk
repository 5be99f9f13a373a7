# SPDX-License-Identifier: GPL-2.0
#
# native-table.awk (with table.awk): the order of points and subjects in the tables of the testbed `process`.

# subject_rank: peers first, from the bare machine up, then ours.
function subject_rank(s,    list, n, i, w) {
	list = "line two-lines pipe eventfd uring uring-sqpoll rte64 rte112 virtio event spin busy hybrid adaptive spin-ahead split-event split-spin split-adaptive split-ahead phase-event phase-spin"
	n = split(list, w, " ")
	for (i = 1; i <= n; i++)
		if (w[i] == s)
			return i
	return n + 1
}

# native_point_rank: a number that sorts points: place, load, backing, payload, depth, batch.
function native_point_rank() {
	return ((((((col("place") == "one") * 2 + (col("load") == "hog")) * 4 + \
		index("null memcpy file file-sqpoll", col("backing")) / 5) * 2000 + col("bytes") / 512) * 300) + col("depth")) * 300 + col("batch")
}

# subject_point_rank: of the present line.
function subject_point_rank() {
	return native_point_rank() * 20 + subject_rank(col("subject"))
}
