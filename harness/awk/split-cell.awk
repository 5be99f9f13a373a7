# SPDX-License-Identifier: GPL-2.0
#
# split-cell.awk: cut what cell-run printed into the raw files of a cell, in the present
# directory: run.txt (snapshots), fio.json, and kernel.txt if the kernel said something.
# fio writes some lines of its own before the JSON. Exit status 3 if the end is missing.

/^@ / { part = $2 }
part == "exit" { status = $3; ended = 1 }
part == "out" {
	if (/^{/) json = 1
	if (json) print >"fio.json"
	else if (!/^@ /) print >"out.txt"
	if (/^}/) json = 0
	next
}
part == "kernel" && !/^@ / { print >"kernel.txt" }
{ print >"run.txt" }
END { exit ended ? 0 : 3 }
