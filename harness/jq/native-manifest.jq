# SPDX-License-Identifier: GPL-2.0
# native-manifest.jq: the manifest of a run of the testbed `process`.

# pairs: "name<TAB>value" lines as an object.
def pairs: [splits("\n") | select(. != "") | split("\t") | {(.[0]): .[1]}] | add // {};

{
	experiment: $experiment,
	size: $size,
	run: $run,
	testbed: "process",
	created: ($old.created // $now),
	# Noise: what a process that reads the clock without pause on each core saw of others, before the cells.
	sessions: (($old.sessions // []) + [{started: $now, commit: $commit, commit_dirty: $dirty, load: $load,
		noise: ($noise | pairs | map_values(tonumber))}]),
	experiment_text: $text,
	environment: ($facts | pairs)
}
