#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0

load helper

# stats PROGRAM: run a piece of awk with stats.awk.
stats() {
	awk -f "$AWK_DIR/stats.awk" -f <(printf 'BEGIN { %s }' "$1")
}

# sorted_quantile P NUMBER...: print a quantile.
sorted_quantile() {
	local p=$1
	shift
	stats "n = split(\"$*\", a, \" \"); sort_num(a, n); printf \"%.4f\", quantile(a, n, $p)"
}

@test "median of an odd and an even count" {
	[ "$(sorted_quantile 0.5 9 1 5)" = 5.0000 ]
	[ "$(sorted_quantile 0.5 4 1 3 2)" = 2.5000 ]
}

@test "quartiles are R's type 7" {
	[ "$(sorted_quantile 0.25 1 2 3 4)" = 1.7500 ]
	[ "$(sorted_quantile 0.75 1 2 3 4)" = 3.2500 ]
	[ "$(sorted_quantile 0.25 10 20 30 40 50)" = 20.0000 ]
}

@test "quantiles of one value, and the ends" {
	[ "$(sorted_quantile 0.25 7)" = 7.0000 ]
	[ "$(sorted_quantile 0 3 1 2)" = 1.0000 ]
	[ "$(sorted_quantile 1 3 1 2)" = 3.0000 ]
}

@test "sorting is numeric, with few and with many values" {
	[ "$(stats 'n = split("10 9 100 -1", a, " "); sort_num(a, n); print a[1], a[2], a[3], a[4]')" = "-1 9 10 100" ]
	[ "$(stats 'for (i = 1; i <= 500; i++) a[i] = (i * 7919) % 500; sort_num(a, 500)
		bad = 0; for (i = 1; i <= 500; i++) if (a[i] != i - 1) bad++; print bad')" = 0 ]
}

@test "the generator gives the same numbers everywhere" {
	[ "$(stats 'rand_seed(1); printf "%d %d %d", rand_int(1000), rand_int(1000), rand_int(1000)')" = "754 991 453" ]
}

@test "shuffle keeps all values" {
	[ "$(stats 'rand_seed(3); for (i = 1; i <= 20; i++) a[i] = i; shuffle(a, 20); s = 0; moved = 0
		for (i = 1; i <= 20; i++) { s += a[i] * a[i]; if (a[i] != i) moved++ }; print s, (moved > 10)')" = "2870 1" ]
}

@test "the median's interval: the range of up to five, between the outer two of six to eight, and between known order statistics of more" {
	# Of n = 9: the second holds it with 0.9609, the third with 0.8203, so that 0.95 lies 0.228 of the way (Hettmansperger and Sheather's formula).
	[ "$(stats 'for (n = 1; n <= 21; n++) a[n] = n
		for (n = 5; n <= 9; n++) { median_interval(a, n); printf "%.3f %.3f ", MEDIAN_LO, MEDIAN_HI }')" = "1.000 5.000 1.357 5.643 1.733 6.267 1.936 7.064 2.228 7.772 " ]
	# Of 20 the sixth and the fifteenth hold it with 0.9586, the next with 0.8847.
	[ "$(stats 'for (n = 1; n <= 20; n++) a[n] = n
		median_interval(a, 20); print (MEDIAN_LO > 6 && MEDIAN_LO < 7), MEDIAN_LO + MEDIAN_HI')" = "1 21" ]
	[ "$(stats 'n = split("3 3 3 3 3 3 3", a, " "); median_interval(a, n); print MEDIAN_LO, MEDIAN_HI; n = split("2", a, " "); median_interval(a, n); print MEDIAN_LO, MEDIAN_HI')" = $'3 3\n2 2' ]
}

@test "the median's interval holds the median about 19 times in 20, whatever the distribution" {
	[ "$(stats 'for (n = 6; n <= 11; n++)
			for (d = 1; d <= 2; d++) {
				rand_seed(100 * n + d)
				held = 0
				for (t = 1; t <= 2000; t++) {
					for (i = 1; i <= n; i++)
						a[i] = d == 1 ? rand_next() : -log(rand_next())
					sort_num(a, n)
					median_interval(a, n)
					held += MEDIAN_LO <= (d == 1 ? 0.5 : log(2)) && MEDIAN_HI >= (d == 1 ? 0.5 : log(2))
				}
				if (held < 1860 || held > 1940)
					print n, d, held
			}')" = "" ]
}

@test "how many pairs may be in the wrong order by chance: as the printed tables of Mann and Whitney's test have it" {
	# Two-sided, 5 %.
	[ "$(stats 'print mann_whitney(3, 3), mann_whitney(4, 4), mann_whitney(5, 5), mann_whitney(5, 7), mann_whitney(7, 5), mann_whitney(8, 8), mann_whitney(11, 11), mann_whitney(20, 20), mann_whitney(3, 20)')" = "-1 0 2 5 5 13 30 127 8" ]
}

@test "the interval of a ratio of two samples holds it about 19 times in 20 or more, whatever the distribution; few values have their range" {
	[ "$(stats 'n = split("1 2 3 4 5 6 7", b, " "); m = split("2 2 2 2 2", a, " "); ratio_interval(a, m, b, n); print RATIO, RATIO_LO, RATIO_HI')" = "2 1 3" ]
	[ "$(stats 'n = split("1 2", b, " "); m = split("2 4", a, " "); ratio_interval(a, m, b, n); print RATIO, RATIO_LO, RATIO_HI')" = "0.5 0.25 1" ]
	[ "$(stats 'for (n = 5; n <= 9; n += 2)
			for (d = 1; d <= 2; d++) {
				rand_seed(77777 * n + d)
				held = 0
				for (t = 1; t <= 2000; t++) {
					for (i = 1; i <= n; i++)
						a[i] = d == 1 ? 1 + rand_next() : -log(rand_next())
					for (i = 1; i <= 6; i++)
						b[i] = 3 * (d == 1 ? 1 + rand_next() : -log(rand_next()))
					ratio_interval(a, n, b, 6)
					held += RATIO_LO <= 3 && RATIO_HI >= 3
				}
				if (held < 1870 || held > 1985)
					print n, d, held
			}')" = "" ]
}

@test "a difference is shown by an interval without 1, of five repetitions or more" {
	[ "$(stats 'print beyond(5, 1.01, 2), beyond(5, 0.5, 0.99), beyond(5, 0.9, 1.1), beyond(5, 1, 2), beyond(5, 0.5, 1), beyond(4, 2, 3), beyond(11, 1, 1)')" = "1 -1 0 0 0 0 0" ]
}
