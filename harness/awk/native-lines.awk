# SPDX-License-Identifier: GPL-2.0
#
# native-lines.awk: count how cache lines change hands, from the memory accesses that valgrind's lackey saw of both sides in one
# thread, each with a mapping of its own of the shared region: whose mapping an address is in says which core would have made the
# access. Two caches that hold what they touch until the other writes it (MESI):
#
#	transfer  a side reads or writes a line that it does not have and the other has
#	upgrade   a side writes a line that both have: the other's copy is invalidated
#
# The program prints `regions FRONT BACK BYTES` (hexadecimal) first or last, hence two passes over the trace. Prints
# TRANSFERS<TAB>UPGRADES in all.

# hex: the number of a hexadecimal string.
function hex(s,    i, n) {
	s = tolower(s)
	for (i = 1; i <= length(s); i++)
		n = n * 16 + index("0123456789abcdef", substr(s, i, 1)) - 1
	return n
}

# touch: a side accesses a line.
function touch(side, line, write,    other) {
	other = 1 - side
	if (!has[side, line]) {
		if (has[other, line])
			transfers++
		has[side, line] = 1
		if (write)
			has[other, line] = 0
	} else if (write && has[other, line]) {
		upgrades++
		has[other, line] = 0
	}
}

FNR == 1 { pass++ }
pass == 1 {
	if ($1 == "regions") {
		base[0] = hex($2)
		base[1] = hex($3)
		bytes = hex($4)
	}
	next
}
/^ [LSM] / {
	at = index($2, ",")
	address = hex(substr($2, 1, at - 1))
	size = substr($2, at + 1)
	for (side = 0; side < 2; side++) {
		offset = address - base[side]
		if (offset < 0 || offset >= bytes)
			continue
		for (line = int(offset / 64); line <= int((offset + size - 1) / 64); line++) {
			if ($1 != "S")
				touch(side, line, 0)
			if ($1 != "L")
				touch(side, line, 1)
		}
	}
}
END {
	if (!bytes) {
		print "native-lines.awk: the trace has no line of regions" | "cat 1>&2"
		exit 1
	}
	printf "%d\t%d\n", transfers, upgrades
}
