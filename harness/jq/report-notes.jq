# SPDX-License-Identifier: GPL-2.0
# report-notes.jq: what of a manifest is worth knowing before one trusts its numbers, as items of an HTML list.
(.sessions // []) as $s
| ([$s[].boot | select(. != null)] | unique | length) as $boots
| if $boots > 1 then "<li class=\"note\">Measured in \($boots) boots of the testbed; no ratio is taken across boots.</li>"
	elif ($s | length) > 1 then "<li class=\"note\">Measured in \($s | length) sessions.</li>" else empty end,
	if .environment.commit_dirty == true or any($s[]; .commit_dirty == true)
	then "<li class=\"bad\">The tree had changes that are in no commit.</li>" else empty end
