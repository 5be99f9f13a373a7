#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# The agent that runs commands in the domains, here over a Unix socket.

bats_require_minimum_version 1.5.0

setup_file() {
	export AGENT=$BATS_FILE_TMPDIR/iddr-agent
	# It ends by exit(), with its buffers.
	export ASAN_OPTIONS=detect_leaks=0
	gcc -O1 -g -Wall -Wextra -Werror -fsanitize=address,undefined -o "$AGENT" \
		"$BATS_TEST_DIRNAME/../../tools/iddr-agent.c"
	# Socket paths are short by law.
	SOCKETS=$(mktemp -d /tmp/iddr-test.XXXXXX)
	export SOCKETS
}

teardown_file() {
	rm -rf -- "$SOCKETS"
}

setup() {
	SOCK=$SOCKETS/$BATS_TEST_NUMBER
	"$AGENT" serve --unix "$SOCK" 3>&- &
	SERVER=$!
	local i
	for ((i = 0; i < 100; i++)); do
		[[ -S $SOCK ]] && return
		sleep 0.05
	done
	return 1
}

teardown() {
	kill "$SERVER" 2>/dev/null || true
	rm -f -- "$SOCK"
}

# call COMMAND...: run a command through the agent.
call() {
	"$AGENT" call --unix "$SOCK" -- "$@"
}

# gone PATTERN: true once no process matches any more.
gone() {
	local i
	for ((i = 0; i < 60; i++)); do
		pgrep -f -- "$1" >/dev/null || return 0
		sleep 0.1
	done
	return 1
}

@test "output, errors and exit status come back apart" {
	run --separate-stderr -7 call sh -c 'echo out; echo err >&2; exit 7' </dev/null
	[[ $output == out ]]
	[[ $stderr == err ]]
}

@test "arguments arrive exactly" {
	run -0 call printf '[%s]' 'a b' '' $'x\ty\nz' '*' "'\"\$HOME" -- </dev/null
	[[ $output == $'[a b][][x\ty\nz][*][\'"$HOME][--]' ]]
}

@test "a command that does not exist is 127, one that is not executable 126" {
	run -127 call /nonexistent </dev/null
	[[ $output == *"No such file"* ]]
	: >"$BATS_TEST_TMPDIR/file"
	run -126 call "$BATS_TEST_TMPDIR/file" </dev/null
}

@test "a command that a signal ended is 128 and its number" {
	run -137 call sh -c 'kill -KILL $$' </dev/null
}

@test "the end of the input reaches the command" {
	run -0 call cat </dev/null
	[[ -z $output ]]
}

@test "20 MB of binary data survive the way there and back" {
	head -c 20000000 /dev/urandom >"$BATS_TEST_TMPDIR/in"
	call cat <"$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/out"
	cmp "$BATS_TEST_TMPDIR/in" "$BATS_TEST_TMPDIR/out"
}

@test "much output on both streams is neither mixed nor lost" {
	call sh -c 'seq 100000; seq 200000 300000 >&2' </dev/null >"$BATS_TEST_TMPDIR/o" 2>"$BATS_TEST_TMPDIR/e"
	cmp "$BATS_TEST_TMPDIR/o" <(seq 100000)
	cmp "$BATS_TEST_TMPDIR/e" <(seq 200000 300000)
}

@test "a command that ignores its input does not hang the caller" {
	run -3 timeout 20 "$AGENT" call --unix "$SOCK" -- sh -c 'exit 3' < <(head -c 5000000 /dev/zero)
}

@test "a slow reader slows the writer, nothing piles up or is lost" {
	run -0 bash -c '"$1" call --unix "$2" -- head -c 3000000 /dev/zero </dev/null | { sleep 1; wc -c; }' - "$AGENT" "$SOCK"
	[[ $output == 3000000 ]]
}

@test "a caller that is killed takes its command along" {
	# A number of its own, lest another run of this test has the same.
	local seconds=1000$BASHPID caller i
	"$AGENT" call --unix "$SOCK" -- sh -c "sleep $seconds & sleep $seconds" </dev/null 3>&- &
	caller=$!
	for ((i = 0; i < 100; i++)); do
		if pgrep -fx "sleep $seconds" >/dev/null; then break; fi
		sleep 0.1
	done
	((i < 100))
	kill -KILL "$caller"
	gone "^sleep $seconds"
}

@test "a command in the background does not hold the caller" {
	run -0 timeout 10 "$AGENT" call --unix "$SOCK" -- sh -c 'sleep 15 & echo ready' </dev/null
	[[ $output == ready ]]
}

@test "eight callers at once each get their own answer" {
	local i
	local -a pids=()
	for i in {1..8}; do
		"$AGENT" call --unix "$SOCK" -- sh -c 'sleep 0.2; echo "$1"' sh "$i" \
			</dev/null >"$BATS_TEST_TMPDIR/$i" 3>&- &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i"
	done
	for i in {1..8}; do
		[[ $(<"$BATS_TEST_TMPDIR/$i") == "$i" ]]
	done
}

@test "garbage before and a frame cut short do not confuse the next caller" {
	have_socat=$(command -v socat || true)
	[[ -n $have_socat ]] || skip "socat is not installed"
	head -c 5000 /dev/urandom | socat -u - "UNIX-CONNECT:$SOCK"
	run -0 call echo fine </dev/null
	[[ $output == fine ]]
}

@test "an agent that is not there is 125 and says so" {
	run -125 "$AGENT" call --unix "$SOCKETS/none" -- true </dev/null
	[[ $output == *"cannot reach"* ]]
}

@test "an agent that dies in a call is 125 and says so" {
	# Not before it is in the call.
	(for ((i = 0; i < 200; i++)); do
		! pgrep -P "$(pgrep -P "$SERVER" | head -n 1)" >/dev/null 2>&1 || break
		sleep 0.05
	 done
	 pkill -KILL -P "$SERVER") 3>&- &
	run -125 call sleep 20 </dev/null
	[[ $output == *"broke"* ]]
}

@test "an agent without Xen refuses to reach other domains" {
	run -125 "$AGENT" call --unix "$SOCK" --domain iddr-app -- true </dev/null
	[[ $output == *"other domains"* ]]
}

@test "wrong usage is 2" {
	run -2 "$AGENT"
	run -2 "$AGENT" call --unix "$SOCK"
	run -2 "$AGENT" call -- true
	run -2 "$AGENT" serve --vchan 1x
	run -2 "$AGENT" serve --unix a --port b
}

@test "a command line of 5000 arguments is refused, of 4000 is not" {
	run -125 call echo $(seq 5000) </dev/null
	[[ $output == *"more than 4096"* ]]
	run -0 call printf '%s\n' $(seq 4000) </dev/null
	[[ ${#lines[@]} == 4000 ]]
}
