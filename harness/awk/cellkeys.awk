# SPDX-License-Identifier: GPL-2.0
#
# cellkeys.awk: write what determines each cell of a plan to a file of its own below `dir`, for one
# sha256sum to hash them all. A cell's place in the order (the first field) is not part of it; `rest`
# is what all cells have in common.
{
	file = sprintf("%s/%08d", dir, NR)
	sub(/^[^\t]*\t/, "")
	print $0 "\t" rest >file
	close(file)
}
