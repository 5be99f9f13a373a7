# SPDX-License-Identifier: GPL-2.0
#
# rows.awk: functions for the programs that look up rows of our tab-separated tables by "COLUMN=VALUE COLUMN=VALUE ...".
# COLUMN=A,B,C is any of these, each of which there must be in the table; COLUMN!=VALUE, COLUMN!=A,B,C none of them.

# rows_read: have file's lines in ROWS_TEXT. Return: whether there is such a table.
function rows_read(file,    line, n) {
	if (file in ROWS_LINES)
		return 1
	while ((getline line <file) > 0)
		ROWS_TEXT[file, ++n] = line
	close(file)
	if (n)
		ROWS_LINES[file] = n
	return n > 0
}

# rows_find: the rows of file that filter is true of; their cells of the columns that wanted names (with blanks between) are in
# CELL[row, column]. Return: how many there are; -1: none can be, ROWS_WRONG says why.
function rows_find(file, filter, wanted,    f, n, i, j, nf, nw, c, w, want, key, at, none, value, found, has, each, k) {
	if (!rows_read(file)) {
		ROWS_WRONG = "there is no table " file
		return -1
	}
	n = split(ROWS_TEXT[file, 1], f, "\t")
	for (i = 1; i <= n; i++)
		c[f[i]] = i
	nf = split(filter, w, " ")
	nw = split(wanted, want, " ")
	for (i = 1; i <= nf + nw; i++) {
		key = i <= nf ? rows_key(w[i]) : want[i - nf]
		if (!(key in c)) {
			ROWS_WRONG = file " has no column '" key "'"
			return -1
		}
	}
	for (i = 1; i <= nf; i++) {
		at[i] = c[rows_key(w[i])]
		none[i] = w[i] ~ /^[^=]*!=/
		value[i] = "," substr(w[i], index(w[i], "=") + 1) ","
	}
	# What is not there is not to be passed over in silence.
	for (j = 1; j <= nf; j++)
		if (!none[j] && split(value[j], each, ",") > 3) {
			for (i = 2; i <= ROWS_LINES[file]; i++) {
				split(ROWS_TEXT[file, i], f, "\t")
				has[j, f[at[j]]]
			}
			for (k = 2; each[k] != ""; k++)
				if (!((j, each[k]) in has)) {
					ROWS_WRONG = file " has no row with " rows_key(w[j]) "=" each[k]
					return -1
				}
		}
	for (i = 2; i <= ROWS_LINES[file]; i++) {
		split(ROWS_TEXT[file, i], f, "\t")
		for (j = 1; j <= nf; j++)
			if ((index(value[j], "," f[at[j]] ",") == 0) != none[j])
				break
		if (j <= nf)
			continue
		found++
		for (j = 1; j <= nw; j++)
			CELL[found, want[j]] = f[c[want[j]]]
	}
	return found + 0
}

# rows_key: the column that a condition is about.
function rows_key(condition) {
	sub(/!?=.*/, "", condition)
	return condition
}

# rows_number: is v a number as our tables have them?
function rows_number(v) {
	return v ~ /^-?[0-9.]+(e[+-]?[0-9]+)?$/
}
