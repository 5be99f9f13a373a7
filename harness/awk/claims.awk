# SPDX-License-Identifier: GPL-2.0
#
# claims.awk (with rows.awk): check the claims of CLAIMS.md against tables. Of its tables, the rows whose first cell is a number are claims:
#
#	| N | claim | command | minutes | figure | stated | `EXPERIMENT/TABLE: COLUMN=VALUE ... : COLUMN OP NUMBER` |
#
# OP is one of < <= > >= =. The rows of the table that match are one, or, if the rule begins with "every", one or more, all of which must
# satisfy it. The stated number is what the row that is nearest to the limit has, rounded to the digits that are stated.
#
#	-v root=DIR	the reference: DIR/EXPERIMENT/TABLE
#	-v only=EXPERIMENT -v run=DIR	check that experiment's claims against DIR/TABLE instead, and not what is stated
#
# Exit status: 0 all hold, 1 some do not, 2 CLAIMS.md has mistakes.

BEGIN { FS = "\t" }

# trim: without blanks at the ends.
function trim(s) {
	gsub(/^[ \t]+|[ \t]+$/, "", s)
	return s
}

# wrong: a mistake in CLAIMS.md.
function wrong(what) {
	printf "%s:%d: %s\n", FILENAME, FNR, what | "cat 1>&2"
	mistakes++
}

# fails: the claim does not hold.
function fails(id, what) {
	printf "FAIL %3s  %s\n           %s\n", id, what, claim
	failed++
}

# holds: does v satisfy OP NUMBER?
function holds(v, op, bound) {
	return op == "<" ? v < bound : op == "<=" ? v <= bound : op == ">" ? v > bound : op == ">=" ? v >= bound : v == bound
}

# as_stated: v with as many decimals as the stated number has.
function as_stated(v, stated,    at) {
	at = index(stated, ".")
	return sprintf("%." (at ? length(stated) - at : 0) "f", v)
}

# check: a rule. The value that is nearest to the limit is in WORST, how many rows matched in MATCHED.
function check(id, file, filter, column, op, bound, every,    i, v, ok) {
	MATCHED = rows_find(file, filter, column)
	if (MATCHED < 0) {
		fails(id, ROWS_WRONG)
		return 0
	}
	ok = 1
	for (i = 1; i <= MATCHED; i++) {
		v = CELL[i, column]
		if (!rows_number(v)) {
			fails(id, "the value is '" v "', no number")
			return 0
		}
		v += 0
		if (!holds(v, op, bound))
			ok = 0
		if (i == 1 || (op ~ /</ ? v > WORST : v < WORST))
			WORST = v
	}
	if (!MATCHED) {
		fails(id, "no row of " file " matches " filter)
		return 0
	}
	if (MATCHED > 1 && !every) {
		fails(id, MATCHED " rows of " file " match " filter "; one is meant")
		return 0
	}
	if (!ok) {
		fails(id, column " is " WORST ", not " op " " bound)
		return 0
	}
	return 1
}

/^\|[ \t]*[0-9]+[ \t]*\|/ {
	n = split($0, cell, "|")
	if (n != 9) {
		wrong("a claim has seven cells, this has " n - 2)
		next
	}
	id = trim(cell[2])
	claim = trim(cell[3])
	stated = trim(cell[7])
	rule = trim(cell[8])
	gsub(/`/, "", rule)
	every = sub(/^every /, "", rule)
	if (split(rule, part, /: /) != 3 || split(part[1], path, "/") != 2 || split(trim(part[3]), test, " ") != 3 || \
		test[2] !~ /^(<|<=|>|>=|=)$/ || test[3] !~ /^-?[0-9.]+$/) {
		wrong("'" rule "' is no rule EXPERIMENT/TABLE: COLUMN=VALUE ... : COLUMN OP NUMBER")
		next
	}
	if (stated !~ /^-?[0-9.]+$/) {
		wrong("'" stated "' is no stated number")
		next
	}
	if (seen[id]++) {
		wrong("claim " id " is there twice")
		next
	}
	claims++
	if (only != "" && path[1] != only) {
		skipped++
		next
	}
	file = only != "" ? run "/" path[2] : root "/" path[1] "/" path[2]
	if (!check(id, file, trim(part[2]), test[1], test[2], test[3] + 0, every))
		next
	if (only == "" && as_stated(WORST, stated) != stated) {
		fails(id, test[1] " is " WORST ", but CLAIMS.md says " stated)
		next
	}
	printf "ok   %3s  %s = %.5g %s %s  %s\n", id, test[1], WORST, test[2], test[3], claim
	good++
}

END {
	close("cat 1>&2")
	if (mistakes)
		exit 2
	if (!claims) {
		printf "there is no claim in %s\n", FILENAME | "cat 1>&2"
		exit 2
	}
	printf "%d of %d claims hold, %d do not%s\n", good, claims - skipped, failed, \
		skipped ? "; " skipped " are about other experiments" : ""
	exit failed > 0 || good == 0
}
