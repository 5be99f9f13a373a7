# SPDX-License-Identifier: GPL-2.0
#
# blocks.awk (with table.awk; reads cells.tsv twice): a block that was begun in one boot and
# repeated in another counts once, in the boot that has more of it (the first one if equal): cells of
# different boots must not be paired. The other boot's cells get the status "unused".

BEGIN { FS = OFS = "\t" }
FNR == 1 {
	pass++
	if (pass == 1)
		header()
	else
		print
	next
}
pass == 1 {
	if (col("status") != "ok")
		next
	b = col("block")
	k = b SUBSEP col("boot")
	have[k]++
	if (!(b in best) || have[k] > have[b, best[b]])
		best[b] = col("boot")
	next
}
{
	if (col("status") == "ok" && col("boot") != best[col("block")]) {
		$COLUMN["status"] = "unused"
		$COLUMN["reason"] = "another boot has more of this block"
	}
	print
}
