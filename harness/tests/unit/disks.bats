#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# Detaching a disk of which others are removing what is left at the same time.

bats_require_minimum_version 1.5.0

setup() {
	TOP=$(cd -- "$BATS_TEST_DIRNAME/../../.." && pwd -P)
	export TOP STUB=$BATS_TEST_TMPDIR IDDR_BUILD=$BATS_TEST_TMPDIR/build IDDR_CACHE=$BATS_TEST_TMPDIR/cache
	LIBXL=libxl/2/device/vbd/51760 BACK=local/domain/1/backend/vbd/2/51760
	export LIBXL BACK
	# xenstore, as files.
	mkdir -p "$STUB/bin" "$STUB/xs/$LIBXL" "$STUB/xs/$BACK"
	echo "/$BACK" >"$STUB/xs/$LIBXL/backend"
	printf '#!/bin/bash\nexec cat "$STUB/xs$1"\n' >"$STUB/bin/xenstore-read"
	printf '#!/bin/bash\n[[ -e $STUB/xs$1 ]]\n' >"$STUB/bin/xenstore-exists"
	# The application domain is 2. The Nth detaching does what the file N says.
	cat >"$STUB/bin/xl" <<-'EOX'
		#!/bin/bash
		case $1 in
		domid) echo 2 ;;
		block-detach)
			echo "$*" >>"$STUB/did"
			cd "$STUB/xs" && . "$STUB/$(wc -l <"$STUB/did")"
			;;
		esac
	EOX
	chmod +x "$STUB"/bin/*
}

# detach STATUS: detach xvdd so.
detach() {
	run "-$1" env PATH="$STUB/bin:$PATH" bash -c '
		for l in common testbed disks; do
			. "$TOP/harness/lib/$l.sh"
		done
		testbed_exec() { "${@:2}"; }
		cmd_detach xvdd'
}

@test "a disk is detached, by one xl" {
	echo 'rm -r "$LIBXL" "$BACK"' >"$STUB/1"
	detach 0
	[ "$(<"$STUB/did")" = "block-detach iddr-app 51760" ]
}

@test "its back end has gone before xl has looked: asked again, xl removes the rest" {
	echo 'rm -r "$BACK"; exit 1' >"$STUB/1"
	echo 'rm -r "$LIBXL"' >"$STUB/2"
	detach 0
	[ "$(wc -l <"$STUB/did")" -eq 2 ]
}

@test "somebody else is done with all of it before xl is" {
	echo 'rm -r "$BACK"; exit 1' >"$STUB/1"
	echo 'rm -r "$LIBXL"; exit 1' >"$STUB/2"
	detach 0
}

@test "a disk in use, one that is not there, and one of which something stays: an error" {
	echo 'exit 1' >"$STUB/1"
	detach 1
	[[ $output == *'could not detach xvdd from app'*'run this again'* ]]
	[ "$(wc -l <"$STUB/did")" -eq 1 ]
	rm -r "$STUB/did" "$STUB/xs/$LIBXL" "$STUB/xs/$BACK"
	detach 1
	[ "$(wc -l <"$STUB/did")" -eq 1 ]
	rm "$STUB/did"
	mkdir -p "$STUB/xs/$LIBXL" "$STUB/xs/$BACK"
	echo "/$BACK" >"$STUB/xs/$LIBXL/backend"
	echo 'rm -r "$BACK"; exit 1' >"$STUB/1"
	echo 'exit 1' >"$STUB/2"
	detach 1
}
