# SPDX-License-Identifier: GPL-2.0
# differ.jq: in what the environments of the manifests $a and $b differ, as one line of names; of the domains' settings, how many.

# leaves: an object of PATH VALUE.
def leaves: [paths(scalars) as $p | {($p | map(tostring) | join(".")): getpath($p)}] | add // {};
def differing($x; $y): [$x + $y | keys_unsorted[] | select($x[.] != $y[.])] | unique;

($a[0] | {size} + (.environment // {}) | leaves) as $x | ($b[0] | {size} + (.environment // {}) | leaves) as $y
| [differing($x; $y)[],
	(("app", "storage") as $d
		| (differing($a[0][$d] // {}; $b[0][$d] // {}) | length) as $n | select($n > 0)
		| "\($n) settings of the \(if $d == "app" then "application" else "storage" end) domain")]
| join(", ")
