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
