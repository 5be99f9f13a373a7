#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# The report in a browser: what its few lines of script do, and that it fits wide, narrow, dark and printed.

bats_require_minimum_version 1.5.0
load helper

setup() {
	[[ -n ${IDDR_FULL:-} ]] || skip "in make test-full only: it wants Chromium, a large package"
	command -v chromium >/dev/null || skip "chromium is not installed"
	PAGE=$BATS_TEST_TMPDIR/page.html
	unset EXP RUN SIZE
	"$TOP/harness/iddr" report --out "$PAGE" "$TOP/results/reference/modes"
}

# browse OPTION...: Chromium on the page; no name can be looked up. What the page's script complains of is in complaints.
browse() {
	timeout 120 chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --user-data-dir="$BATS_TEST_TMPDIR/profile" \
		--host-resolver-rules='MAP * ~NOTFOUND' --enable-logging=stderr --virtual-time-budget=20000 "$@" "file://$PAGE" 2>"$BATS_TEST_TMPDIR/log"
	grep CONSOLE "$BATS_TEST_TMPDIR/log" >"$BATS_TEST_TMPDIR/complaints" || true
}

# in_page OPTION...: run the script on standard input in the page, after the page's own; print what it calls say() with.
in_page() {
	{
		sed '/^<\/body>/,$d' "$PAGE"
		printf '<script>/*<![CDATA[*/ "use strict"; const said = []; const say = (...words) => said.push(words.join(" "));\n'
		cat
		printf 'document.documentElement.innerHTML = "<body><pre>" + said.join("\\n") + "</pre></body>"; /*]]>*/</script>\n</body>\n</html>\n'
	} >"$PAGE.new"
	mv "$PAGE.new" "$PAGE"
	browse --dump-dom "$@" | sed 's/<[^>]*>//g' | grep -v '^ *$'
	[ ! -s "$BATS_TEST_TMPDIR/complaints" ]
}

@test "a click on a head sorts by it: up, down, and as it was; numbers as numbers, nothing last" {
	run -0 in_page <<-'EOS'
		const table = document.querySelector("#summary table"), heads = [...table.tHead.rows[0].cells];
		const column = name => heads.findIndex(head => head.title == name);
		const values = name => [...table.tBodies[0].rows].map(row => row.cells[column(name)].textContent.replace(/\u202f/g, ""));
		const numbers = name => values(name).filter(text => text != "-").map(parseFloat);
		const up = list => list.every((x, i) => i == 0 || list[i - 1] <= x);
		const before = values("mode").join();
		const click = name => heads[column(name)].querySelector("button").click();
		click("iops");
		say("up", up(numbers("iops")), values("iops").at(-1), heads[column("iops")].getAttribute("aria-sort"));
		click("iops");
		say("down", up(numbers("iops").reverse()), values("iops").at(-1), heads[column("iops")].getAttribute("aria-sort"));
		click("bs");
		say("sizes", [...new Set(values("bs"))].join(), heads[column("iops")].getAttribute("aria-sort"));
		click("bs");
		click("bs");
		say("again", values("mode").join() == before, table.tBodies[0].rows.length);
	EOS
	[ "${lines[0]}" = "up true - ascending" ]
	[ "${lines[1]}" = "down true - descending" ]
	[ "${lines[2]}" = "sizes 4k,64k,1m,- none" ]
	[ "${lines[3]}" = "again true 93" ]
}

@test "rows are searched by whole words; all columns can be had" {
	run -0 in_page <<-'EOS'
		const part = document.querySelector("#summary"), search = part.querySelector("input[type=search]"), rows = [...part.querySelectorAll("tbody tr")];
		search.value = "spin randread 4k";
		search.dispatchEvent(new Event("input"));
		say([...new Set(rows.filter(row => !row.hidden).map(row => row.cells[0].textContent))].join(), part.querySelector("[role=status]").textContent);
		const wide = () => part.querySelectorAll("thead th").length - [...part.querySelectorAll("thead th")].filter(head => head.offsetParent === null).length;
		const few = wide(), box = part.querySelector("input[type=checkbox]");
		box.click();
		say(few < wide(), wide() == part.querySelectorAll("thead th").length);
	EOS
	[[ ${lines[0]} == "spin,"*" of 93 rows" || ${lines[0]} == "spin "*" of 93 rows" ]]
	[ "${lines[1]}" = "true true" ]
}

@test "it is not wider than the window, wide or narrow; dark, its paper is dark and that of the figures is not" {
	local probe='say(document.documentElement.scrollWidth <= innerWidth, innerWidth);
		const light = e => getComputedStyle(e).backgroundColor.match(/\d+/g).slice(0, 3).every(c => c > 128);
		say(matchMedia("(prefers-color-scheme: dark)").matches, light(document.body), light(document.querySelector("figure svg")));'
	run -0 in_page --window-size=1280,900 <<<"$probe"
	[[ ${lines[0]} == "true 1280" ]]
	[ "${lines[1]}" = "false true true" ]
	setup
	run -0 in_page --window-size=500,800 --blink-settings=preferredColorScheme=0 <<<"$probe"
	[[ ${lines[0]} == "true 500" ]]
	[ "${lines[1]}" = "true false true" ]
}

@test "it is drawn and printed without a complaint" {
	browse --window-size=1280,2400 --screenshot="$BATS_TEST_TMPDIR/page.png"
	[ ! -s "$BATS_TEST_TMPDIR/complaints" ]
	head -c 4 "$BATS_TEST_TMPDIR/page.png" | grep -q PNG
	browse --print-to-pdf="$BATS_TEST_TMPDIR/page.pdf"
	head -c 5 "$BATS_TEST_TMPDIR/page.pdf" | grep -q '^%PDF-'
	[ "$(stat -c %s "$BATS_TEST_TMPDIR/page.pdf")" -gt 100000 ]
}
