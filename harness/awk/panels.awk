# panels.awk: the panels of a figure, "RW:BS" each, in the order of summary.tsv.
NR == 1 {
	for (i = 1; i <= NF; i++)
		c[$i] = i
	next
}
!seen[$c["rw"], $c["bs"]]++ { printf "%s%s:%s", sep, $c["rw"], $c["bs"]; sep = " " }
