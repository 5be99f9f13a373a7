#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# What comes and goes leaves nothing in the application domain's kernel, counted in objects of its allocator.

load ../domains/lib

# Times that something comes and goes, and what counts as once each time: more than a processor's own slab, all of which counts as used,
# has room for.
TIMES=100
EACH=70

setup_file() {
	open_sessions
	# The first write to each file in sysfs leaves its attributes (kernfs_iattrs): they are to be there before anything is counted.
	BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR objects first
	forget_kernel_logs
}

teardown_file() {
	close_sessions
}

teardown() {
	[[ -n ${BATS_TEST_COMPLETED:-} ]] || detach "$DISK" || true
	kernel_logs_clean "${provoked:-}"
}

# objects FILE: the number of each cache's objects, of those that the kernel cannot get back when it wants, and few of which are in a slab (all of a
# processor's own count as used). To load a module purges
# the areas of vmalloc that are freed lazily: set_memory_ro() calls vm_unmap_aliases().
objects() {
	app 'modprobe kyber-iosched
	     modprobe -r kyber-iosched
	     for cache in /sys/kernel/slab/*; do
		[[ ! -L $cache ]] || continue
		read -r reclaimable <"$cache/reclaim_account"
		read -r each <"$cache/objs_per_slab"
		((!reclaimable && each <= 64)) || continue
		echo 1 >"$cache/shrink"
		read -r n _ <"$cache/objects"
		echo "${cache##*/} $n"
	     done' >"$BATS_TEST_TMPDIR/$1"
}

# grown BEFORE AFTER: the caches that have an object more for each time.
grown() {
	awk -v each="$EACH" 'NR == FNR { before[$1] = $2; next } $2 - before[$1] >= each { print $1, $2 - before[$1] }' "$BATS_TEST_TMPDIR"/{"$1","$2"}
}

# recover N: have the disk recover until it has done so N times.
recover() {
	while ((recoveries < $1)); do
		back_end unbind bind
		recoveries=$((recoveries + 1))
		app 'for ((i = 0; i < 100; i++)); do
			(($(</sys/block/$1/iddr/recoveries) != $2)) || exit 0
			sleep 0.1
		     done
		     echo "$(</sys/block/$1/iddr/recoveries) recoveries, not $2"; exit 1' "$DISK" "$recoveries"
	done
}

# kernels_own N: have a disk of the kernel's own come and go N times.
kernels_own() {
	app 'for ((i = 0; i < $1; i++)); do
		modprobe null_blk nr_devices=1
		for ((j = 0; j < 100; j++)); do
			[[ ! -b /dev/nullb0 ]] || break
			sleep 0.05
		done
		rmmod null_blk
	     done' "$1"
}

# ours N: one of ours.
ours() {
	local i
	for ((i = 0; i < $1; i++)); do
		attach "$DISK" /dev/ram0
		detach "$DISK"
	done
}

@test "a disk that is served again and again leaves no object of 64 bytes or more each time" {
	local recoveries=0 left
	provoked="back end of $DISK is gone: it is parked"
	attach "$DISK" /dev/ram0
	recover 5
	objects before
	recover "$((5 + TIMES))"
	objects after
	detach "$DISK"
	left=$(grown before after)
	[[ -z $left ]] || { echo "$left"; return 1; }
}

@test "a disk that comes and goes leaves no more than one of the kernel's own" {
	provoked='null_blk: (module loaded|disk nullb0 created)'
	# Linux 6.1 keeps the first hardware queue's context of each (blk_mq_alloc_and_init_hctx()).
	kernels_own 5
	objects before
	kernels_own "$TIMES"
	objects after
	grown before after >"$BATS_TEST_TMPDIR/kernel"
	ours 5
	objects before
	ours "$TIMES"
	objects after
	grown before after | awk -v each="$EACH" -v kernel="$BATS_TEST_TMPDIR/kernel" '
		BEGIN { while ((getline line <kernel) > 0) { split(line, f); n[f[1]] = f[2] } }
		$2 - n[$1] >= each { print "a disk of ours leaves:", $0, "of the kernel'"'"'s own:", n[$1] + 0; bad = 1 }
		END { exit bad }'
}
