#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# The trap stack, locks, waits and keys that all libraries stand on, and what
# the testbed's libraries compute without a testbed.

bats_require_minimum_version 1.5.0

setup() {
	TOP=$(cd -- "$BATS_TEST_DIRNAME/../../.." && pwd -P)
	export TOP IDDR_BUILD=$BATS_TEST_TMPDIR/build IDDR_CACHE=$BATS_TEST_TMPDIR/cache
	export TESTBED=qemu IDDR_ACCEL=tcg
	unset IDDR_RUN QEMU_MEMORY QEMU_CPUS IDDR_APP_MIB IDDR_RAMDISK_MIB IDDR_CPU_APP IDDR_CPU_STORAGE BACKING STANDBY
}

# lib SCRIPT: run SCRIPT in a bash that has the libraries.
lib() {
	bash -c '
		for l in common packages sysroot image build nvme supervise testbed disks doctor; do
			. "$TOP/harness/lib/$l.sh"
		done
		'"$1" lib "${@:2}"
}

@test "what is deferred runs last in first out, however the shell ends" {
	run -3 lib 'defer "echo one"; defer "echo two"; exit 3'
	[[ $output == $'two\none' ]]
	run -1 lib 'defer "echo one"; false; echo never'
	[[ $output == one ]]
	run -143 lib 'defer "echo one"; kill -TERM $$; sleep 5'
	[[ $output == one ]]
}

@test "a subshell does not run what its parent deferred" {
	run -0 lib 'defer "echo one"; (true); (exit 0); echo x | cat'
	[[ $output == $'x\none' ]]
}

@test "die is 1, usage_error is 2, both name themselves" {
	run -1 lib 'die "no disk; plug one in"'
	[[ $output == 'iddr: error: no disk; plug one in' ]]
	run -2 lib 'usage_error "what?"'
	[[ $output == 'iddr: error: what?' ]]
}

@test "a wait has a limit and says what it waited for and where the log is" {
	echo 'last words' >"$BATS_TEST_TMPDIR/log"
	run -1 lib 'wait_for 1 "the moon" "$1" false' "$BATS_TEST_TMPDIR/log"
	[[ $output == *'last words'*'waited 1 s for the moon in vain; the log is '* ]]
	run -0 lib 'wait_for 5 "nothing" - true'
}

@test "a lock keeps others out, passes the status on and does not hide errors" {
	run -4 lib 'f() { return 4; }; with_lock "$1" f' "$BATS_TEST_TMPDIR/lock"
	run -1 lib 'f() { false; echo went on; }; with_lock "$1" f' "$BATS_TEST_TMPDIR/lock"
	[[ -z $output ]]
	local a b i
	lib 'f() { echo in; sleep 1; echo out; }; with_lock "$1" f' "$BATS_TEST_TMPDIR/lock" >>"$BATS_TEST_TMPDIR/order" &
	a=$!
	for ((i = 0; i < 200; i++)); do
		[[ ! -s $BATS_TEST_TMPDIR/order ]] || break
		sleep 0.05
	done
	lib 'f() { echo in; echo out; }; with_lock "$1" f' "$BATS_TEST_TMPDIR/lock" >>"$BATS_TEST_TMPDIR/order" 2>/dev/null &
	b=$!
	wait "$a" "$b"
	[[ $(<"$BATS_TEST_TMPDIR/order") == $'in\nout\nin\nout' ]]
}

@test "what is deferred does not wait for the lock that the process holds when it dies" {
	run -1 lib 'flock() { [[ $1 != -w ]] || exit 9; command flock "$@"; }
		defer "with_lock \"$1\" echo cleaned up"
		f() { die "no disk"; }
		with_lock "$1" f' "$BATS_TEST_TMPDIR/lock"
	[[ $output == $'iddr: error: no disk\ncleaned up' ]]
	# Nor when a signal comes as soon as it has it.
	run -143 lib 'flock() { [[ $1 != -w ]] || exit 9; command flock "$@" || return; ((n++)) || exit 143; }
		n=0
		defer "with_lock \"$1\" echo cleaned up"
		with_lock "$1" echo not reached' "$BATS_TEST_TMPDIR/lock"
	[[ $output == 'cleaned up' ]]
	# Afterwards it is asked for anew, whatever the path.
	run -9 lib 'with_lock "$1" true
		exec 7>"$1"
		flock 7
		flock() { [[ $1 != -w ]] || exit 9; command flock "$@"; }
		with_lock "$1" echo not reached' "$BATS_TEST_TMPDIR/it's a]\$lock"
	[[ $output == *'waiting for another run that holds'* ]]
}

@test "too little disk is an error that names place and need" {
	run -1 lib 'need_space / 999999999 "the test"'
	[[ $output == *'the test needs 999999999 MiB in / but only'* ]]
}

@test "a missing program is an error that names the package" {
	run -1 lib 'need no-such-program some-package'
	[[ $output == *'no-such-program is not installed'*'some-package'* ]]
}

@test "an unknown verb, TESTBED, domain, disk or script is a usage error" {
	run -2 "$TOP/harness/iddr" frobnicate
	[[ $output == *"unknown verb 'frobnicate'"* ]]
	run -2 "$TOP/harness/iddr" exec
	TESTBED=vmware run -2 "$TOP/harness/iddr" status
	[[ $output == *vmware* ]]
	run -2 "$TOP/harness/iddr" exec dom7 true
	[[ $output == *dom7* ]]
	run -2 "$TOP/harness/iddr" attach sda /dev/ram0
	run -2 "$TOP/harness/iddr" attach xvda /dev/ram0 block-odd
	run -2 "$TOP/harness/iddr" detach xvda --frce
	[[ $output == *"unknown option '--frce'"* ]]
	run -2 "$TOP/harness/iddr" fuzz --target nosuch
	[[ $output == *"no target 'nosuch'; there are: parse ring check wait" ]]
}

@test "a setting of the testbed's that is none is a usage error, and is named" {
	local setting
	for setting in IDDR_ACCEL=fast IDDR_DOMAIN_TYPE=hvm IDDR_PAIRS=none QEMU_MEMORY=2G QEMU_CPUS=0 IDDR_APP_MIB=-1 IDDR_RAMDISK_MIB=x TESTBED_UP_LIMIT=5m IDDR_CPU_APP=all; do
		run -2 env "$setting" "$TOP/harness/iddr" help
		[[ $output == *"$setting is not"* ]]
	done
	IDDR_CPU_APP=0 IDDR_ACCEL=kvm QEMU_CPUS=4 run -0 "$TOP/harness/iddr" help
}

@test "claims of a run of yours want its name" {
	run -2 make -C "$TOP" claims EXP=modes
	[[ $output == *'EXP=modes has no RUN'* ]]
}

@test "each verb says what it does, and does nothing, when asked with --help" {
	local verb verbs
	verbs=$("$TOP/harness/iddr" --help | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p' | sort -u)
	(($(wc -l <<<"$verbs") > 15))
	for verb in $verbs; do
		run -0 "$TOP/harness/iddr" "$verb" --help
		[[ $output == "  $verb "* ]]
	done
}

@test "without a testbed exec is 125 and says how to get one" {
	run -125 "$TOP/harness/iddr" exec app true
	[[ $output == *'harness/iddr up'* ]]
	for verb in "attach xvda /dev/ram0" "detach xvda"; do
		# shellcheck disable=SC2086 # words
		run -125 "$TOP/harness/iddr" $verb
		[[ $output == *'harness/iddr up'* && ${#lines[@]} == 1 ]]
	done
	run -1 "$TOP/harness/iddr" status
	[[ $output == *'harness/iddr up'* ]]
	run -0 "$TOP/harness/iddr" down
}

@test "a QEMU that has died is noticed, its stale process id is not believed" {
	mkdir -p "$IDDR_BUILD/run"
	echo $$ >"$IDDR_BUILD/run/qemu.pid"
	run -125 "$TOP/harness/iddr" exec app true
	[[ $output == *'QEMU has died'* ]]
	# And 'down' must not kill whoever has that process id now.
	run -0 "$TOP/harness/iddr" down
	kill -0 $$
	[[ ! -e $IDDR_BUILD/run/qemu.pid ]]
}

@test "disk names become xenstore numbers" {
	run -0 lib 'disk_vdev_number xvda; disk_vdev_number xvdb; disk_vdev_number xvdp'
	[[ $output == $'51712\n51728\n51952' ]]
	run -0 lib 'disk_vdev_number xvdz; disk_vdev_number xvdaa; disk_vdev_number xvdba'
	[[ $output == $'268441856\n268442112\n268448768' ]]
	run -2 lib 'disk_vdev_number xvdaaa'
	# The other number of the same disk; those beyond the sixteenth have one only.
	run -0 lib 'disk_twin "$(disk_vdev_number xvda)"; disk_twin "$(disk_vdev_number xvdp)"; disk_twin "$(disk_vdev_number xvdq)"'
	[[ $output == $'268435456\n268439296\n0' ]]
}

@test "no placeholder is left in a domain's configuration" {
	run -0 lib '{ testbed_config app; testbed_config storage; } | grep -v "^#"'
	[[ $output != *@[A-Z]* ]]
	[[ $output == *'name = "iddr-app"'*'name = "iddr-storage"'* ]]
	[[ $output == *'iddr.role=storage'*'driver_domain = 1'* ]]
}

@test "with a standby the emulated machine has a processor for the application domain alone, unless told otherwise, and storage domains less memory" {
	local places='testbed_cpus; { testbed_config app; testbed_config storage; } | grep -E "^(memory|cpus)"'
	export TESTBED=qemu BACKING=file
	run -0 lib "$places"
	[[ $output == $'2\nmemory = 448\ncpus = "0"\nmemory = 448\ncpus = "1"' ]]
	export STANDBY=1
	run -0 lib "$places"
	[[ $output == $'3\nmemory = 448\ncpus = "2"\nmemory = 288\ncpus = "1"' ]]
	IDDR_RAMDISK_MIB=100 QEMU_CPUS=2 run -0 lib "$places"
	[[ $output == $'2\nmemory = 448\ncpus = "0"\nmemory = 324\ncpus = "1"' ]]
	IDDR_CPU_APP=0 QEMU_CPUS=4 run -0 lib "$places"
	[[ $output == $'4\nmemory = 448\ncpus = "0"\nmemory = 288\ncpus = "1"' ]]
	TESTBED=xen run -0 lib "$places"
	[[ $output == *'cpus = "0"'*'cpus = "1"'* ]]
}

@test "a kernel is found inside a bzImage, and a file without one is an error" {
	local d=$BATS_TEST_TMPDIR
	cp /bin/true "$d/elf"
	{ head -c 20000 /dev/zero; xz -c --check=crc32 "$d/elf"; head -c 300 /dev/zero; } >"$d/bz-xz"
	{ head -c 777 /dev/zero; zstd -qc "$d/elf"; } >"$d/bz-zstd"
	for f in xz zstd; do
		run -0 lib 'sysroot_unpack_kernel "$1" "$2"' "$d/bz-$f" "$d/out"
		cmp "$d/elf" "$d/out"
	done
	head -c 5000 /dev/zero >"$d/none"
	run -1 lib 'sysroot_unpack_kernel "$1" "$2"' "$d/none" "$d/out"
	[[ $output == *'no compressed kernel'* ]]
}

@test "stand-in libraries satisfy the dynamic linker, by version" {
	local d=$BATS_TEST_TMPDIR
	mkdir -p "$d/root/usr/bin" "$d/real"
	printf 'int glfs_a(void) { return 1; }\nint glfs_b(void) { return 2; }\n' >"$d/lib.c"
	echo 'V1 { glfs_a; };' >"$d/map"
	gcc -shared -fPIC -Wl,-soname,libgfapi.so.0 -Wl,--version-script,"$d/map" -o "$d/real/libgfapi.so.0" "$d/lib.c"
	printf 'int glfs_a(void);\nint main(int c, char **v) { (void)v; return c > 1 ? glfs_a() : 0; }\n' >"$d/main.c"
	gcc -Wl,-z,now -o "$d/root/usr/bin/fio" "$d/main.c" "$d/real/libgfapi.so.0"
	run -0 lib 'IMAGE_STUBS="usr/bin/fio libgfapi.so.0 ^glfs_"; image_stubs "$1"' "$d/root"
	LD_LIBRARY_PATH=$d/root/usr/lib/x86_64-linux-gnu run -0 "$d/root/usr/bin/fio"
	[[ -z $output ]]
	# A call into one dies at once and does not run on.
	LD_LIBRARY_PATH=$d/root/usr/lib/x86_64-linux-gnu run -132 "$d/root/usr/bin/fio" x
}

@test "what is built is rebuilt when a source changes, and only then" {
	local d=$BATS_TEST_TMPDIR/src
	mkdir -p "$d/test"
	echo a >"$d/a.c"
	one=$(lib 'build_stamp "$1" w' "$d")
	[[ $(lib 'build_stamp "$1" w' "$d") == "$one" ]]
	[[ $(lib 'build_stamp "$1" x' "$d") != "$one" ]]
	echo t >"$d/test/t.c"
	echo o >"$d/a.o"
	[[ $(lib 'build_stamp "$1" w' "$d") == "$one" ]]
	mv "$d/a.c" "$d/b.c"
	[[ $(lib 'build_stamp "$1" w' "$d") != "$one" ]]
}

@test "status shows every queue, and says when there is none" {
	run -0 awk -f "$TOP/harness/awk/status.awk" </dev/null
	[[ $output == *'no disk is attached'* ]]
	run -0 awk -f "$TOP/harness/awk/status.awk" < <(
		printf 'front\txvda\tiddr\t0\tspin\trequests=12\tnotify_sent=3\n'
		printf 'front\txvdb\tstock\t-\tevent\n'
	)
	[[ ${lines[1]} =~ ^front\ +xvda\ +iddr\ +0\ spin\ +12\ +-\ +3\  ]]
	[[ ${lines[2]} =~ ^front\ +xvdb\ +stock ]]
}

@test "a number of application domains that there cannot be is refused before anything is booted" {
	IDDR_APP_DOMAINS=7 run "$TOP/harness/iddr" up
	[ "$status" -eq 2 ]
	[ "$output" = "iddr: error: IDDR_APP_DOMAINS=7 is not a number from 1 to 4" ]
	run "$TOP/harness/iddr" attach app9:xvda /dev/ram0
	[ "$status" -eq 2 ]
	[[ $output == *"'app9' is no application domain"* ]]
}
