# SPDX-License-Identifier: GPL-2.0
#
# section-cpu.awk: print the part of the CPU watcher's stream that belongs to the cell `id`. Exit
# status 3 until the snapshot of its end is there, with as many lines as that of its begin.

BEGIN { FS = "\t" }
$1 == "prep." id || $1 == "begin." id || $1 == "end." id {
	# The last line may be cut short while it is on its way.
	if (NF < 5)
		next
	print
	count[$1]++
}
END { exit count["end." id] > 0 && count["end." id] >= count["begin." id] ? 0 : 3 }
