# SPDX-License-Identifier: GPL-2.0
#
# stats.awk: functions for the programs that load it with a -f of its own:
# sorting, quantiles, the intervals of a median and of a ratio, and a portable random generator.
# Every awk gives the same numbers for the same seed, because the generator is ours.

# sort_num: sort a[1..n] ascending as numbers (by insertion if short, else heap sort).
function sort_num(a, n,    i, j, t) {
	if (n <= 12) {
		for (i = 2; i <= n; i++) {
			t = a[i] + 0
			for (j = i - 1; j >= 1 && a[j] + 0 > t; j--)
				a[j + 1] = a[j]
			a[j + 1] = t
		}
		return
	}
	for (i = int(n / 2); i >= 1; i--)
		sift_down(a, i, n)
	for (i = n; i > 1; i--) {
		t = a[1]; a[1] = a[i]; a[i] = t
		sift_down(a, 1, i - 1)
	}
}

# sift_down: restore the heap order of a[1..n] below i.
function sift_down(a, i, n,    c, t) {
	t = a[i]
	while ((c = 2 * i) <= n) {
		if (c < n && a[c + 1] + 0 > a[c] + 0)
			c++
		if (a[c] + 0 <= t + 0)
			break
		a[i] = a[c]
		i = c
	}
	a[i] = t
}

# quantile: the p-quantile of the sorted a[1..n], linear between the ranks
# (R's type 7): quantile of 1 2 3 4 at 0.25 is 1.75.
function quantile(a, n, p,    h, k) {
	h = (n - 1) * p + 1
	k = int(h)
	if (k >= n)
		return a[n] + 0
	return a[k] + (h - k) * (a[k + 1] - a[k])
}

# rand_seed: start the generator. Seeds that are close give unrelated streams
# only after some steps, hence the warm-up.
function rand_seed(s,    i) {
	RAND_STATE = s % 2147483646
	if (RAND_STATE < 0)
		RAND_STATE += 2147483646
	RAND_STATE += 1
	for (i = 0; i < 16; i++)
		rand_next()
}

# rand_next: the next number in (0, 1): Park and Miller's minimal generator; its
# products stay below 2^53, so they are exact in awk's doubles.
function rand_next() {
	RAND_STATE = (RAND_STATE * 48271) % 2147483647
	return RAND_STATE / 2147483647
}

# rand_int: a random whole number in 1..n.
function rand_int(n) {
	return int(rand_next() * n) + 1
}

# shuffle: put a[1..n] in random order (Fisher and Yates).
function shuffle(a, n,    i, j, t) {
	for (i = n; i > 1; i--) {
		j = rand_int(i)
		t = a[i]; a[i] = a[j]; a[j] = t
	}
}

# median_interval: of the sorted a[1..n], as MEDIAN_LO and MEDIAN_HI: where the median of what they were drawn from lies with 95 %, whatever
# the distribution. Between the k-th from either end it lies with a chance that only the binomial distribution has a part in;
# between the last k where that is enough and the next the ends are interpolated, as T. P. Hettmansperger and S. J. Sheather do (Statistics and
# Probability Letters 4, 1986, 75-79). That of fewer than six is their range, which holds it with less: 93.75 % of five.
function median_interval(a, n,    k, p, chance, next_chance, i, part) {
	# p: the chance that k of n lie below it.
	p = 0.5 ^ n
	next_chance = 1 - 2 * p
	for (k = 1; k < n / 2; k++) {
		chance = next_chance
		p *= (n - k + 1) / k
		next_chance = chance - 2 * p
		if (next_chance < 0.95)
			break
	}
	if (chance > 0.95) {
		i = (chance - 0.95) / (chance - next_chance)
		part = (n - k) * i / (k + (n - 2 * k) * i)
	}
	MEDIAN_LO = a[k] + part * (a[k + 1] - a[k])
	MEDIAN_HI = a[n + 1 - k] - part * (a[n + 1 - k] - a[n - k])
}

# mann_whitney: how many pairs, of n values with m others, have the greater one first, at the most, with a chance of 0.025 or less if both are
# drawn from the same; -1 if not even none have. (H. B. Mann and D. R. Whitney, Annals of Mathematical Statistics 18, 1947, 50-60: of the orders of
# n + m values those with u such pairs are the coefficient of x^u in the product of (1 - x^(m + i)) / (1 - x^i), i from 1 to n.)
function mann_whitney(n, m,    u, i, most, orders, all, sum) {
	most = int(n * m / 2)
	orders[0] = all = 1
	for (i = 1; i <= n; i++) {
		all *= (m + i) / i
		for (u = most; u >= m + i; u--)
			orders[u] -= orders[u - m - i]
		for (u = i; u <= most; u++)
			orders[u] += orders[u - i]
	}
	for (u = 0; (sum += orders[u]) / all <= 0.025; u++)
		;
	return u - 1
}

# ratio_interval: how many times as large as those of a[1..na], which are positive, those of b[1..nb] are, as RATIO, by the median of the ratios of
# all pairs, and between which of these it lies with 95 % or a little more, as RATIO_LO and RATIO_HI, whatever the distribution (J. L. Hodges and E. L. Lehmann, Annals of
# Mathematical Statistics 34, 1963, 598-611). Of so few that even all pairs' range holds it with less, that range.
function ratio_interval(a, na, b, nb,    i, j, n, k, pair) {
	for (i = 1; i <= na; i++)
		for (j = 1; j <= nb; j++)
			pair[++n] = b[j] / a[i]
	sort_num(pair, n)
	k = mann_whitney(na, nb) + 1
	if (!k)
		k = 1
	RATIO = quantile(pair, n, 0.5)
	RATIO_LO = pair[k]
	RATIO_HI = pair[n + 1 - k]
}

# beyond: 1 if the interval of a ratio lies above 1, -1 if it lies below, 0 if it shows no difference. That of fewer than five
# repetitions is too narrow to show one: all of four lie on one side by chance alone every eighth time.
function beyond(n, lo, hi) {
	return n < 5 || lo <= 1 && hi >= 1 ? 0 : lo > 1 ? 1 : -1
}
