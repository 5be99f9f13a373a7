#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# One experiment on two hosts by ssh: a server of our own on this machine, to which the account's home is
# another directory, so that nothing of the user's is touched; each host boots a testbed of its own.

bats_require_minimum_version 1.5.0

IDDR=${IDDR_TOP:?}/harness/iddr
PORT=$((20000 + $$ % 10000))

setup_file() {
	"$IDDR" down
}

teardown_file() {
	# The next file needs one.
	"$IDDR" up 3>&-
}

setup() {
	unshare --mount true || skip "wants to mount, in a namespace of its own: as root"
	HOME_DIR=$(getent passwd root | cut -d : -f 6)
	AWAY=$BATS_TEST_TMPDIR/home
	[[ $IDDR_TOP/ != "$HOME_DIR/"* && $BATS_TEST_TMPDIR/ != "$HOME_DIR/"* ]] || skip "the tree, or where temporary files are, is in root's home, which another one is mounted over"
	mkdir -p "$AWAY/.ssh" "$AWAY/.cache/iddr"
	chmod -R go= "$AWAY"
	# Packages and image once more would add nothing.
	for f in "${IDDR_CACHE:-${XDG_CACHE_HOME:-$HOME_DIR/.cache}/iddr}"/*; do
		[[ ${f##*/} == hosts ]] || cp -a --reflink=auto "$f" "$AWAY/.cache/iddr/"
	done
	ssh-keygen -q -t ed25519 -N '' -f "$AWAY/.ssh/id_ed25519"
	dropbearkey -t ed25519 -f "$AWAY/host.key" >/dev/null 2>&1
	cp "$AWAY/.ssh/id_ed25519.pub" "$AWAY/.ssh/authorized_keys"
	cat >"$AWAY/.ssh/config" <<-EOF
		Host one two
			HostName 127.0.0.1
			Port $PORT
			BatchMode yes
			StrictHostKeyChecking no
			LogLevel ERROR
	EOF
}

# away SCRIPT: run it where the account's home is the other directory and the hosts can be reached.
away() {
	unshare --mount --propagation private bash -euo pipefail -c '
		mount --bind "$1" "$2"
		export HOME=$2
		cd "$IDDR_TOP"
		dropbear -F -E -s -p "127.0.0.1:$3" -P "$2/dropbear.pid" -r "$2/host.key" 2>"$2/dropbear.log" &
		server=$!
		trap "kill $server" EXIT
		for ((i = 0; ; i++)); do
			! ssh one true 2>/dev/null || break
			((i < 100)) && kill -0 "$server" || { cat "$2/dropbear.log"; exit 1; }
			sleep 0.1
		done
		eval "$4"' away "$AWAY" "$HOME_DIR" "$PORT" "$1" 3>&-
}

teardown() {
	[[ -d ${AWAY:-} ]] || return 0
	# shellcheck disable=SC2016 # expanded there
	away 'rc=0
	      for host in one two; do
		ssh "$host" "[ ! -d .cache/iddr/hosts/$host ] || .cache/iddr/hosts/$host/harness/iddr down" || rc=1
	      done
	      exit $rc'
}

@test "an experiment on two hosts by ssh, each with a testbed of its own; told again, nothing is measured again" {
	unset EXP RUN SIZE
	export RESULTS=$BATS_TEST_TMPDIR/results
	run away 'HOSTS="one two" harness/iddr experiment quick --size smoke --run ssh'
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output =~ ([0-9]+)\ cells\ of\ ([0-9]+)\ planned\ ones && ${BASH_REMATCH[1]} == "${BASH_REMATCH[2]}" ]]
	dir=$RESULTS/quick/ssh
	# Two boots, and each measured something.
	[ "$(jq '[.sessions[].boot] | unique | length' "$dir/manifest.json")" -eq 2 ]
	for host in one two; do
		[ "$(find "$AWAY/.cache/iddr/hosts/$host/results/quick/ssh/cells" -name cell.json | wc -l)" -gt 0 ]
	done
	[ -s "$dir/summary.tsv" ]
	# Again: they have their cells.
	run away 'HOSTS="one two" harness/iddr experiment quick --size smoke --run ssh'
	[ "$status" -eq 0 ]
	for host in one two; do
		[[ $output =~ $host:[^$'\n']*\ 0\ of\ [0-9]+\ cells\ to\ measure ]]
	done
}
