# SPDX-License-Identifier: GPL-2.0
#
# native-counts.awk: make counts.tsv from what was counted: SUBJECT BATCH INSTRUCTIONS lines, then
# SUBJECT BATCH TRANSFERS UPGRADES lines; all for one request and its response.

BEGIN {
	FS = OFS = "\t"
	print "testbed", "subject", "batch", "instructions_per_req", "transfers_per_req", "upgrades_per_req"
}
FNR == 1 { file++ }
file == 1 { instructions[$1, $2] = $3; order[++n] = $1 OFS $2; next }
{ transfers[$1, $2] = $3; upgrades[$1, $2] = $4 }
END {
	for (i = 1; i <= n; i++) {
		split(order[i], k, OFS)
		print "process", order[i], instructions[k[1], k[2]], \
			((k[1], k[2]) in transfers) ? transfers[k[1], k[2]] OFS upgrades[k[1], k[2]] : "-" OFS "-"
	}
}
