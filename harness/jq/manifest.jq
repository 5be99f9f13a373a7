# SPDX-License-Identifier: GPL-2.0
# manifest.jq: the manifest of a run.

# pairs: "name<TAB>value" lines as an object.
def pairs: [splits("\n") | select(. != "") | split("\t") | {(.[0]): .[1]}] | add // {};

{
	experiment: $experiment,
	size: $size,
	run: $run,
	testbed: $kind,
	created: ($old.created // $now),
	sessions: (($old.sessions // []) + [{started: $now, boot: $boot}]),
	experiment_text: $text,
	experiment_normal: $normal,
	fio_job: $job,
	environment: $facts[0],
	scripts: $scripts,
	app: ($app | pairs | del(.boot, .domid)),
	storage: ($storage | pairs | del(.boot, .domid))
}
