# SPDX-License-Identifier: GPL-2.0
#
# native-plan.awk (with stats.awk): from the normal form, the cells of all repetitions in running order: a
# block, one repetition of all subjects of a point, in random order, the blocks of a repetition likewise. Prints
#
#	ORDER REP BLOCK SUBJECT PLACE LOAD BACKING BYTES DEPTH BATCH

BEGIN { FS = OFS = "\t" }
$1 == "reps" { reps = $2 }
$1 == "seed" { seed = $2 }
$1 == "cell" {
	if (!(($2) in count))
		point[++npoints] = $2
	rest = $3
	for (i = 4; i <= NF; i++)
		rest = rest OFS $i
	cell[$2, ++count[$2]] = rest
}
END {
	rand_seed(seed)
	for (r = 1; r <= reps; r++) {
		shuffle(point, npoints)
		for (p = 1; p <= npoints; p++) {
			n = count[point[p]]
			for (i = 1; i <= n; i++)
				c[i] = cell[point[p], i]
			shuffle(c, n)
			for (i = 1; i <= n; i++)
				print ++order, r, point[p] "r" r, c[i]
		}
	}
}
