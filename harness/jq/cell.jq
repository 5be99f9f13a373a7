# SPDX-License-Identifier: GPL-2.0
# cell.jq: the facts of a cell.json that the tables need, as one tab-separated line.
# Its first column is the cell's directory.
[(input_filename | split("/")[-2]), .testbed, .block, .rep, .order, .front, .back, .data, .backing,
	.rw, .bs, .qd, .jobs, .queues, .boot, .disk, .devid, .runtime_s, (.rivals // "")] | @tsv
