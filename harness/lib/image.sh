# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# image.sh: the read-only root that dom0, the storage and the application
# domain boot from: one squashfs (the role comes by the kernel command line),
# and the small initramfs that mounts it under a tmpfs overlay. Cached outside
# the tree by a key of everything that determines it; our own modules, tools
# and guest scripts are not in it, they are appended at boot (testbed.sh).

# Debian packages installed in the image (beside the essential ones).
IMAGE_PACKAGES=(dmsetup e2fsprogs kmod mount procps sqlite3 xenstore-utils libxenmisc4.17 libyajl2
	libnuma1 libaio1 libelf1 libdw1 libunwind8 libslang2 libcap2)

# Packages unpacked into it without their dependencies: of these the testbed
# uses a part whose libraries are few (see IMAGE_STUBS).
IMAGE_UNPACKED=(fio linux-perf xen-utils-4.17 xen-utils-common)

# Stand-ins for libraries of parts that the testbed never uses: program, soname, symbols.
IMAGE_STUBS='
usr/bin/fio libgfapi.so.0 ^glfs_
usr/bin/fio libnbd.so.0 ^nbd_
usr/bin/fio libibverbs.so.1 ^ibv_
usr/bin/fio librdmacm.so.1 ^rdma_
usr/bin/fio librados.so.2 ^rados_
usr/bin/fio librbd.so.1 ^rbd_
usr/bin/fio libpmemblk.so.1 ^pmemblk_
usr/bin/fio libpmem.so.1 ^pmem_
usr/bin/perf libopencsd_c_api.so.1 ^ocsd_
usr/bin/perf libperl.so.5.36 ^(Perl|PL_|perl_|boot_|Gperl)
usr/bin/perf libpython3.11.so.1.0 ^_?Py
usr/bin/perf libbabeltrace-ctf.so.1 ^bt_
'

# Kernel modules (with all that they need) that the image carries.
IMAGE_MODULES=(xen-gntdev xen-gntalloc xen-privcmd xen-evtchn xenfs xen-pciback
	xen-pcifront xen-blkback xen-blkfront xen-netback xen-netfront
	brd null_blk configfs loop scsi_debug sd_mod dm-mod dm-flakey dm-log-writes
	dm-delay dm-linear ext4 xfs btrfs squashfs overlay nvme virtio_pci
	virtio_blk virtio_console crc32c_generic crc32c-intel crct10dif_generic
	kyber-iosched bfq fuse nbd 9p 9pnet_virtio)

# Modules that the initramfs loads to reach the root.
IMAGE_BOOT_MODULES=(loop squashfs overlay virtio_pci virtio_blk)

IMAGE_COMPRESSOR=${IMAGE_COMPRESSOR:-lz4}

# image_paths: set IMAGE_KEY and IMAGE (a directory), after sysroot_paths.
image_paths() {
	IMAGE_KEY=$({
		cat -- "$IDDR_CACHE/packages.lock" "$IDDR_TOP/harness/awk/stub-symbols.awk" \
			"$IDDR_TOP/harness/guest/init"
		declare -f image_stubs image_modules image_extra image_bootstrap image_initramfs
		printf '%s\n' "${IMAGE_PACKAGES[*]}" "${IMAGE_UNPACKED[*]}" "$IMAGE_STUBS" \
			"${IMAGE_MODULES[*]}" "${IMAGE_BOOT_MODULES[*]}" "$IMAGE_COMPRESSOR"
	} | text_key)
	IMAGE=$IDDR_CACHE/image-$IMAGE_KEY
	export IMAGE IMAGE_KEY
}

# image_sources: print the Debian entries of the host's own apt sources.
image_sources() {
	local sources
	# shellcheck disable=SC2016 # apt expands these
	sources=$(apt-get indextargets --format '$(ORIGIN) $(REPO_URI) $(RELEASE) $(COMPONENT)' \
		'Created-By: Packages' |
		awk '$1 == "Debian" && !seen[$0]++ { print "deb", $2, $3, $4 }')
	[[ -n $sources ]] ||
		die "apt has no Debian package lists; run 'apt-get update' as root and check /etc/apt/sources.list"
	printf '%s\n' "$sources"
}

# image_stubs DIR: write the stand-in libraries for the programs unpacked in DIR.
image_stubs() {
	local root=$1 program soname symbols out work
	work=$(mktemp -d)
	out=$root/usr/lib/x86_64-linux-gnu
	mkdir -p -- "$out"
	while read -r program soname symbols; do
		[[ -n $program ]] || continue
		readelf -W --dyn-syms "$root/$program" >"$work/syms"
		awk -v symbols="$symbols" -v out=asm -f "$IDDR_TOP/harness/awk/stub-symbols.awk" \
			"$work/syms" >"$work/stub.s"
		awk -v symbols="$symbols" -v out=map -f "$IDDR_TOP/harness/awk/stub-symbols.awk" \
			"$work/syms" >"$work/stub.map"
		local -a args=(-shared -nostdlib "-Wl,-soname,$soname" -o "$out/$soname")
		[[ ! -s $work/stub.map ]] || args+=("-Wl,--version-script,$work/stub.map")
		gcc "${args[@]}" "$work/stub.s" ||
			die "cannot build the stand-in for $soname that $program needs"
	done <<<"$IMAGE_STUBS"
	rm -rf -- "$work"
}

# image_modules DIR: copy the kernel modules of the image, with all they need, to DIR.
image_modules() {
	local from=$SYSROOT/lib/modules/$KERNEL_ABI to=$1/lib/modules/$KERNEL_ABI m f
	[[ -e $from/modules.dep.bin ]] || depmod -b "$SYSROOT" "$KERNEL_ABI"
	mkdir -p -- "$to"
	for m in "${IMAGE_MODULES[@]}"; do
		modprobe -d "$SYSROOT" -S "$KERNEL_ABI" --show-depends "$m" 2>/dev/null ||
			printf 'builtin %s\n' "$m"
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' |
		while read -r f; do
			f=${f#"$from"/}
			f=${f#*"/$KERNEL_ABI/"}
			mkdir -p -- "$to/$(dirname -- "$f")"
			cp -- "$from/$f" "$to/$f"
		done
	cp -- "$from"/modules.{order,builtin,builtin.modinfo} "$to/"
	depmod -b "$1" "$KERNEL_ABI"
}

# image_extra DIR: assemble in DIR what is added to the Debian packages.
image_extra() {
	local extra=$1 debs=$IDDR_CACHE/debs p
	mkdir -p -- "$extra"/{iddr,usr/local/sbin,usr/local/bin}
	for p in "${IMAGE_UNPACKED[@]}"; do
		dpkg-deb -x "$(sysroot_deb "$debs" "$p" "$(package_version "$p")")" "$extra"
	done
	rm -rf -- "$extra"/usr/share/{doc,man,lintian,bug,fio,perf-core} "$extra"/usr/lib/python3* \
		"$extra"/usr/lib/xen-4.17/boot/hvmloader "$extra"/usr/lib/debug "$extra"/etc/{init.d,default,grub.d}
	# The wrappers choose by the running Xen's version with several forks; link past them.
	for p in "$extra"/usr/lib/xen-4.17/bin/*; do
		ln -sf -- "${p#"$extra"}" "$extra/usr/local/sbin/"
	done
	image_stubs "$extra"
	image_modules "$extra"
	# The image is a merged-/usr one: what is unpacked over it must be too.
	mkdir -p -- "$extra/usr/lib"
	cp -a -- "$extra/lib/." "$extra/usr/lib/"
	rm -rf -- "${extra:?}/lib"
}

# image_bootstrap DIR: make DIR/root.sqsh of the packages and DIR/extra.
image_bootstrap() {
	local dir=$1 sources log=$1/mmdebstrap.log
	sources=$(image_sources)
	tar -C "$dir/extra" --owner=0 --group=0 --numeric-owner -cf "$dir/extra.tar" .
	# shellcheck disable=SC2016 # mmdebstrap's shell expands $1
	if ! mmdebstrap --variant=essential --format=tar \
		--include="$(printf '%s,' "${IMAGE_PACKAGES[@]}")" \
		--dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		--dpkgopt='path-exclude=/usr/share/info/*' \
		--customize-hook="tar-in '$dir/extra.tar' /" \
		--customize-hook='chroot "$1" ldconfig' \
		--customize-hook='chroot "$1" dpkg-query -W >"$1/usr/share/iddr-packages"' \
		--customize-hook="copy-out /usr/share/iddr-packages '$dir'" \
		--customize-hook='for p in fio perf; do
			if chroot "$1" ldd -r /usr/bin/$p | grep -E "not found|undefined"; then
				echo "$p lacks libraries" >&2; exit 1
			fi
		done' \
		--customize-hook='for p in xl xenstored xenconsoled; do
			if chroot "$1" ldd /usr/local/sbin/$p | grep "not found"; then
				echo "$p lacks libraries" >&2; exit 1
			fi
		done' \
		--customize-hook='rm -rf "$1"/usr/share/zoneinfo "$1"/usr/lib/x86_64-linux-gnu/gconv "$1"/var/cache/* "$1"/var/lib/apt/*' \
		bookworm - 2>"$log" <<<"$sources" >"$dir/root.tar"; then
		tail -n 15 -- "$log" >&2
		die "mmdebstrap could not build the root image; check the network and the disk, the whole log was $log"
	fi
	tar2sqfs -q -f -c "$IMAGE_COMPRESSOR" -j "$(nproc)" "$dir/root.sqsh" <"$dir/root.tar" 2>>"$log" ||
		die "tar2sqfs could not write $dir/root.sqsh; is the disk full?"
	rm -rf -- "$dir"/root.tar "$dir"/extra.tar
}

# image_initramfs DIR: make DIR/base.cpio: busybox, init and the modules to reach the root.
image_initramfs() {
	local dir=$1 tree=$1/initramfs from=$SYSROOT/lib/modules/$KERNEL_ABI m
	mkdir -p -- "$tree"/{bin,proc,sys,dev,modules,root,ro,rw,new,iddr}
	cp -- "$SYSROOT/bin/busybox" "$tree/bin/busybox"
	cp -- "$IDDR_TOP/harness/guest/init" "$tree/init"
	chmod 755 -- "$tree/init"
	for m in "${IMAGE_BOOT_MODULES[@]}"; do
		modprobe -d "$SYSROOT" -S "$KERNEL_ABI" --show-depends "$m"
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' |
		while read -r m; do
			cp -- "$from/${m#*"/$KERNEL_ABI/"}" "$tree/modules/"
			basename -- "$m"
		done >"$tree/modules/order"
	(cd -- "$tree" && find . | sort | cpio -o -H newc --quiet -R 0:0) >"$dir/base.cpio"
	(
		cd -- "$dir" || exit 1
		mkdir -p -- image/
		mv -- root.sqsh image/root.sqsh
		cd image || exit 1
		printf 'root.sqsh\n' | cpio -o -H newc --quiet -R 0:0
	) >"$dir/root.cpio"
	mv -- "$dir/image/root.sqsh" "$dir/root.sqsh"
	rmdir -- "$dir/image"
	rm -rf -- "$tree"
}

# image_make: build the root image if this very one is not cached.
image_make() {
	local tmp
	sysroot_make
	image_paths
	[[ ! -d $IMAGE ]] || return 0
	need mmdebstrap mmdebstrap
	need tar2sqfs squashfs-tools-ng
	need cpio cpio
	need depmod kmod
	need_space "$IDDR_CACHE" 2000 "building the root image"
	note "building the root image (some two minutes, once)"
	tmp=$IMAGE.partial
	rm -rf -- "$tmp"
	mkdir -p -- "$tmp"
	image_extra "$tmp/extra"
	image_bootstrap "$tmp"
	rm -rf -- "$tmp/extra"
	image_initramfs "$tmp"
	mv -- "$tmp" "$IMAGE"
	note "root image $IMAGE_KEY: $(du -m -- "$IMAGE/root.sqsh" | cut -f 1) MiB"
}
