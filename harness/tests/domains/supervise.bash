# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# supervise.bash: what the tests with a supervisor share: it runs on the host, in the background, and its rows and messages
# are in files of the test file's directory.
#
# shellcheck disable=SC2016,SC2034,SC2154 # the domains' shells expand what is in single quotes; tests use and set the variables

# rows_known: for a test's setup: what has happened before is none of its incidents.
rows_known() {
	rows=$(($(wc -l <"$BATS_FILE_TMPDIR/rows") - 1))
}

# no_false_alarm: for its teardown: if it has not failed, it has seen all incidents that there were.
no_false_alarm() {
	[[ -z ${BATS_TEST_COMPLETED:-} ]] || rows_are "$rows"
}

# supervisor COMMAND...: start it so, with HANG seconds until a silent domain hangs.
supervisor() {
	rows=0
	set -m
	"$@" --hang "${HANG:-6}" --limit 0 --backoff 0 >"$BATS_FILE_TMPDIR/rows" 2>"$BATS_FILE_TMPDIR/log" </dev/null 3>&- &
	set +m
	echo "$!" >"$BATS_FILE_TMPDIR/pid"
	rows_are 0
}

# supervisor_ends: end it.
supervisor_ends() {
	kill -- "-$(<"$BATS_FILE_TMPDIR/pid")" || true
}

# rows_are N: wait until the supervisor has written that many rows below its header.
rows_are() {
	local i
	for ((i = 0; i < 900; i++)); do
		(($(wc -l <"$BATS_FILE_TMPDIR/rows") <= $1)) || break
		sleep 0.1
	done
	[[ $(wc -l <"$BATS_FILE_TMPDIR/rows") == "$(($1 + 1))" ]] || { cat "$BATS_FILE_TMPDIR"/{rows,log}; return 1; }
}

# another_row: wait until there is one more.
another_row() {
	rows=$((rows + 1))
	rows_are "$rows"
}

# says TEXT: wait until the supervisor has said that.
says() {
	local i
	for ((i = 0; i < 300; i++)); do
		! grep -qF "$1" "$BATS_FILE_TMPDIR/log" || return 0
		sleep 0.1
	done
	echo "it has not said: $1"
	cat "$BATS_FILE_TMPDIR/log"
	return 1
}

# field NAME: of the last row.
field() {
	awk -F '\t' -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) n = i } END { print $n }' "$BATS_FILE_TMPDIR/rows"
}

# load_goes_on: the load gets answers.
load_goes_on() {
	app 'f=/sys/block/$1/stat
	     read -r reads _ <$f
	     for ((i = 0; i < 100; i++)); do
		read -r now _ <$f
		((now == reads)) || exit 0
		sleep 0.1
	     done
	     exit 1' "$DISK"
}

# recovered CAUSE...: there was another incident, of one of these causes, which is over: its stages are in order, those that it has.
recovered() {
	another_row
	[[ $(field incident) == "$rows" && " $* " == *" $(field cause) "* && $(field outcome) == recovered && $(field attempts) == 1 ]] ||
		{ cat "$BATS_FILE_TMPDIR"/{rows,log}; return 1; }
	awk -F '\t' 'NR > 1 { last = 0; for (i = 3; i <= 10; i++) if ($i != "-") { if ($i !~ /^[0-9]+$/ || $i < last) exit 1; last = $i } }' "$BATS_FILE_TMPDIR/rows"
	[[ $(field gone) != - && $(field device) != - && $(field completed) != - ]]
	load_goes_on
	# What it said as it booted.
	storage 'dmesg -C'
	# The load's requests have five seconds.
	provoked="back end of $DISK is gone|$DISK: waits until domain|not answered for 5 s|broke the ring protocol"
}
