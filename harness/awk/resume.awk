# SPDX-License-Identifier: GPL-2.0
#
# resume.awk: which cells of a plan are still to be run. First file: KEY<TAB>BOOT of each
# finished cell; second file: the plan, each line with its key in front. A block that one boot has
# whole is done. Of any other block, what the present boot (-v boot=ID) lacks is run: the modes of a
# block are compared with each other, so they must come from one boot.
# Prints the lines to run.

BEGIN { FS = "\t" }
FILENAME == ARGV[1] {
	if ($1 != "") {
		done[$1, $2] = 1
		boots[$2] = 1
	}
	next
}
{
	line[++n] = $0
	key[n] = $1
	b = block[n] = $4
	size[b]++
	for (x in boots)
		if (($1, x) in done)
			have[b, x]++
}
END {
	for (i = 1; i <= n; i++) {
		b = block[i]
		whole = 0
		for (x in boots)
			if (have[b, x] == size[b])
				whole = 1
		if (!whole && !((key[i], boot) in done))
			print line[i]
	}
}
