# SPDX-License-Identifier: GPL-2.0
#
# size.awk: one size of an experiment file, as a file without sizes; line N stays line N. A line
# "KEY.SIZE = VALUE" counts in that size only, where it stands in for the lines of KEY without a size;
# so a size needs no more lines than it differs in. A program that reads the file twice: give it two times.
#
#	awk -v size=smoke -f size.awk FILE FILE

BEGIN {
	if (size !~ /^(smoke|quick|full)$/) {
		printf "'%s' is not a size; use smoke, quick or full\n", size | "cat 1>&2"
		bad = 2
		exit
	}
}

{
	line = $0
	sub(/#.*/, "", line)
	key = of = ""
	if (match(line, /^[ \t]*[a-z_]+(\.[^ \t=]*)?[ \t]*=/)) {
		key = substr(line, RSTART, RLENGTH)
		gsub(/[ \t=]/, "", key)
		if (n = index(key, ".")) {
			of = substr(key, n + 1)
			key = substr(key, 1, n - 1)
		}
	}
}
NR == FNR {
	if (of == size)
		sized[key] = 1
	else if (of != "" && of !~ /^(smoke|quick|full)$/) {
		printf "%s:%d: '%s' is not a size; use KEY.smoke, KEY.quick or KEY.full\n", FILENAME, FNR, of | "cat 1>&2"
		bad = 2
	}
	next
}
of != "" {
	# Its own key again, for whom reads on.
	sub(/\.[^ \t=]*/, "")
	print of == size ? $0 : ""
	next
}
{ print key in sized ? "" : $0 }

END { exit bad }
