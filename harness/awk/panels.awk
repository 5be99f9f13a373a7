# SPDX-License-Identifier: GPL-2.0
#
# panels.awk: what a figure must know of summary.tsv before it draws it, as gnuplot assignments: its
# panels ("RW:BS", in the table's order) and the depths on its axis.
BEGIN { FS = "\t" }
NR == 1 {
	for (i = 1; i <= NF; i++)
		c[$i] = i
	next
}
!seen[$c["rw"], $c["bs"]]++ {
	panels = panels sep $c["rw"] ":" $c["bs"]
	sep = " "
}
{
	q = $c["qd"] + 0
	if (!depth[q]++)
		list = list (list == "" ? "" : ", ") q
	if (min == "" || q < min)
		min = q
	if (q > max)
		max = q
}
END { printf "PANELS = '%s'; DEPTHS = '(%s)'; DEPTH_MIN = %d; DEPTH_MAX = %d", panels, list, min, max }
