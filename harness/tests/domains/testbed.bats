#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# The harness's way into the domains.

load lib

@test "exec passes arguments, input, output and exit status" {
	run -7 --separate-stderr dom app bash -c 'printf "%s|" "$@"; echo err >&2; exit 7' x 'a b' '' '*' $'new\nline'
	[[ $output == $'a b||*|new\nline|' ]]
	[[ $stderr == *err* ]]
	run -0 dom storage wc -c < <(head -c 300000 /dev/zero)
	[[ $output == 300000 ]]
}

# agents: print the CPU time, in clock ticks of which there are a hundred a second, of the agents in dom0 that serve QEMU's ports; nothing if there are none.
agents() {
	dom dom0 sh -c 'for p in $(pgrep -f "iddr-agent [s]erve --port"); do cut -d " " -f 14,15 "/proc/$p/stat"; done |
		awk "{ n += \$1 + \$2 } END { if (NR) print n }"' </dev/null
}

@test "commands one after another are all answered, though the kernel tells late that the one before has gone (full)" {
	in_full 60
	local hogs i
	[[ -n $(agents) ]] || skip "there is no port to a real dom0, whose workers are not ours to slow down"
	# What becomes of a port's other end a kernel worker says, its data an interrupt.
	hogs=$(dom0 'for p in $(ps -eo pid,comm | awk "/kworker/ { print \$1 }"); do renice -n 19 -p "$p"; done >/dev/null 2>&1
		for i in 1 2 3; do
			setsid sh -c "while :; do :; done" </dev/null >/dev/null 2>&1 &
			echo $!
		done')
	for ((i = 0; i < 300; i++)); do
		dom dom0 true </dev/null || break
	done
	# shellcheck disable=SC2086 # words
	dom0 'kill "$@"; for p in $(ps -eo pid,comm | awk "/kworker/ { print \$1 }"); do renice -n 0 -p "$p"; done >/dev/null 2>&1' $hogs
	((i == 300))
}

@test "an agent without a caller takes no CPU" {
	local before after calls=()
	[[ -n $(agents) ]] || skip "there is no port to a real dom0"
	# Each takes a port of its own, and leaves it.
	for _ in 1 2 3; do
		dom dom0 sleep 0.5 </dev/null &
		calls+=($!)
	done
	# By number: the test's own time limit is a child of this shell, too.
	wait "${calls[@]}"
	before=$(agents)
	sleep 3
	after=$(agents)
	((after - before < 100)) || { echo "$before to $after"; return 1; }
}

@test "exec of a missing command and of an unknown domain fails with a message" {
	run -127 dom app /no/such/command
	run -2 "$IDDR" exec nowhere -- true
	[[ $output == *"no domain 'nowhere'"* ]]
}

@test "put and get return the same bytes" {
	head -c 200001 /dev/urandom >"$BATS_TEST_TMPDIR/sent"
	"$IDDR" put "$BATS_TEST_TMPDIR/sent" app:/tmp/sent
	"$IDDR" get app:/tmp/sent "$BATS_TEST_TMPDIR/received"
	cmp "$BATS_TEST_TMPDIR/sent" "$BATS_TEST_TMPDIR/received"
	run ! "$IDDR" get app:/no/such/file "$BATS_TEST_TMPDIR/none"
	[[ ! -e $BATS_TEST_TMPDIR/none ]]
}

@test "up while up changes nothing" {
	local before after
	before=$(dom app cat /proc/sys/kernel/random/boot_id </dev/null)
	"$IDDR" up
	after=$(dom app cat /proc/sys/kernel/random/boot_id </dev/null)
	[[ $before == "$after" ]]
}

@test "status names the domains and finds them healthy" {
	run -0 "$IDDR" status
	[[ $output == *dom0* && $output == *storage* && $output == *app* ]]
}

@test "the modules in the domains are the ones just built" {
	local m built loaded
	for m in comm:app front:app comm:storage back:storage; do
		built=$(modinfo -F srcversion "$IDDR_TOP"/build/modules-*/"${m%:*}/iddr_${m%:*}.ko")
		loaded=$(dom "${m#*:}" cat "/sys/module/iddr_${m%:*}/srcversion" </dev/null)
		[[ -n $built && $built == "$loaded" ]]
	done
}

@test "a script has xenstore's values, changes and errors from iddr-xenstore, and a peer's control characters do no harm" {
	dom0 '. /iddr/bin/xenstore.sh
		fails() { ! "$@"; }
		xs_open iddr-xenstore
		t=/tool/iddr-test
		xs write $t/a 1 $t/b "two  words *" $t/c/d ""
		xs read $t/a $t/b $t/c/d
		[[ ${#xs_values[@]} == 3 && ${xs_values[0]} == 1 && ${xs_values[1]} == "two  words *" && -z ${xs_values[2]} ]]
		fails xs read $t/a $t/none
		[[ ${#xs_values[@]} == 0 && $xs_reason == "No such file or directory" ]]
		xs list $t
		[[ ${xs_values[*]} == "a b c" ]]
		xs tree $t
		[[ ${#xs_values[@]} == 8 && ${xs_values[6]} == "$t/c/d" && -z ${xs_values[7]} ]]
		fails xs read
		[[ $xs_reason == "wrong number of arguments" ]]
		fails xs attach 1 disk
		[[ $xs_reason == "there is no such command" ]]
		fails xs write $t/a $'"'1\tx\t2'"'
		fails xs write $t/a $'"'1\nrm'"'
		xs read $t/b
		[[ ${xs_values[0]} == "two  words *" ]]

		# The first change is of the watch itself; what lies too far below is not told.
		xs watch $t 1
		xs_change 10
		[[ $xs_path == "$t" ]]
		xenstore-write $t/c/d 2 $t/a 2
		xs_change 10
		[[ $xs_path == "$t/a" ]]
		xs unwatch $t
		xs write $t/a 3
		fails xs_change 1

		xenstore-write $t/a 1$'"'\n\x1f\t'"'=
		xs read $t/a
		[[ ${#xs_values[@]} == 1 && ${xs_values[0]} == "1???=" ]]
		xs rm $t
		fails xs list $t
		xs_close'
}
