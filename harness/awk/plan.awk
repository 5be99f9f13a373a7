# SPDX-License-Identifier: GPL-2.0
#
# plan.awk (with stats.awk): turn an experiment in normal form into its cells, in the order
# in which they run, one tab-separated line a cell:
#
#	index rep block data queues backing rw bs qd jobs front back randseed app_domains
#
# A block is one repetition of all modes at one point. Modes come in random order in
# their block, blocks in random order in their repetition, and repetitions one after
# the other: so drift hits all modes alike. All modes of a block read the same offsets.

BEGIN { FS = "\t"; OFS = "\t" }

$1 == "modes" { modes[++ngroups] = $2 }
$1 == "backing" { nback = split($2, backing, " ") }
$1 == "jobs" { njobs = split($2, jobs, " ") }
$1 == "app_domains" { ndomains = split($2, domains, " ") }
$1 == "reps" { reps = $2 }
$1 == "seed" { seed = $2 }
$1 == "point" { rwbsqd[++n] = $2 OFS $3 OFS $4; modes_at[n] = modes[ngroups] }

END {
	for (i = 1; i <= n; i++)
		for (b = 1; b <= nback; b++)
			for (j = 1; j <= njobs; j++)
				for (d = 1; d <= ndomains; d++) {
					point[++npoints] = backing[b] OFS rwbsqd[i] OFS jobs[j]
					modes_of[npoints] = modes_at[i]
					domains_at[npoints] = domains[d]
				}
	rand_seed(seed)
	for (r = 1; r <= reps; r++) {
		for (p = 1; p <= npoints; p++)
			order[p] = p
		shuffle(order, npoints)
		for (p = 1; p <= npoints; p++) {
			nmodes = split(modes_of[order[p]], run, " ")
			shuffle(run, nmodes)
			offsets = rand_int(2147483646)
			for (m = 1; m <= nmodes; m++) {
				# FRONT/BACK@PATH@Nq
				split(run[m], part, "@")
				split(part[1], side, "/")
				sub(/q$/, "", part[3])
				print ++cell, r, "r" r "p" order[p], part[2], part[3], point[order[p]], side[1], side[2], offsets, domains_at[order[p]]
			}
		}
	}
}
