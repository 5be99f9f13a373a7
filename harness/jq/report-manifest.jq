# SPDX-License-Identifier: GPL-2.0
# report-manifest.jq: a manifest as HTML: what a reader looks for first as a table, all else in full beneath.

# line: a row of a table of names and values.
def line($name; $value): "<tr><th scope=\"row\">\($name | @html)</th><td>\($value | tostring | @html)</td></tr>";
def facts: "<table class=\"facts\"><tbody>" + (map(line(.key; .value)) | join("\n")) + "</tbody></table>";
def part($title; $body): "<details><summary>\($title | @html)</summary>\n\($body)\n</details>";
def text($title; $s): if $s == null or $s == "" then empty else part($title; "<pre>\($s | @html)</pre>") end;

# leaves: an object's scalars as entries PATH VALUE.
def leaves: [paths(scalars) as $p | {key: ($p | map(tostring) | join(" ")), value: getpath($p)}];

([{key: "experiment", value: .experiment}, {key: "size", value: (.size // empty)}, {key: "run", value: .run},
	{key: "testbed", value: .testbed}, {key: "begun", value: .created}]
	+ ((.environment // {}) | del(.configs) | leaves)
	+ ((.sessions // []) | to_entries | map(.key as $i | .value | leaves | map(.key |= "session \($i + 1): \(.)")) | add // [])
	| facts),
text("The experiment's file"; .experiment_text),
text("The experiment in normal form"; .experiment_normal),
text("The fio job"; .fio_job),
((.environment.configs // {}) | to_entries[] | text("Configuration of the domain \(.key)"; .value.text)),
(("app", "storage") as $d | .[$d] // {} | select(length > 0)
	| part("Settings of the \(if $d == "app" then "application" else "storage" end) domain (\(length))"; to_entries | facts))
