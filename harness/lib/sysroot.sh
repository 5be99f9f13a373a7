# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# sysroot.sh: the kernel, its headers, Xen and libxen, downloaded from the
# machine's own apt sources and unpacked beside the host, never installed on it
# (installed, Xen's packages would make the host's boot loader boot Xen).
#
# Which versions: resolved once, from what apt offers, and kept in
# $IDDR_CACHE/packages.lock so that later runs use the same ones. Delete that
# file (or run 'iddr setup --refresh') to resolve anew.

# Libraries that libxen-dev's programs link against, found by name at resolve time.
SYSROOT_XEN_LIBS='libxenmisc4.17 libxencall1 libxendevicemodel1 libxenevtchn1
	libxenforeignmemory1 libxengnttab1 libxenstore4 libxentoolcore1
	libxentoollog1 libxenhypfs1'

# sysroot_candidate PACKAGE: the version apt would install, or nothing.
sysroot_candidate() {
	apt-cache policy -- "$1" 2>/dev/null |
		awk '$1 == "Candidate:" && $2 != "(none)" { print $2 }'
}

# sysroot_depends PACKAGE PREFIX: the first dependency whose name has PREFIX.
sysroot_depends() {
	apt-cache depends --important -- "$1" 2>/dev/null |
		awk -v prefix="$2" '$1 == "Depends:" && index($2, prefix) == 1 { print $2; exit }'
}

# sysroot_resolve: print "package version" lines of all that the sysroot holds.
sysroot_resolve() {
	local image abi headers p v
	local -a packages
	image=$(sysroot_depends linux-image-amd64 linux-image-6)
	[[ -n $image ]] ||
		die "apt knows no linux-image-amd64; run 'apt-get update' as root and check /etc/apt/sources.list"
	abi=${image#linux-image-}
	headers=linux-headers-$abi
	packages=("$image" "$headers" "${headers%-amd64}-common"
		"$(sysroot_depends "$headers" linux-kbuild-)"
		"$(sysroot_depends "$headers" linux-compiler-gcc-)"
		xen-hypervisor-4.17-amd64 libxen-dev busybox-static
		fio linux-perf xen-utils-4.17 xen-utils-common)
	# shellcheck disable=SC2206 # a list of plain words
	packages+=($SYSROOT_XEN_LIBS)
	printf 'abi %s\n' "$abi"
	for p in "${packages[@]}"; do
		v=$(sysroot_candidate "$p")
		[[ -n $v ]] ||
			die "apt has no candidate for ${p:-a dependency of $headers}; run 'apt-get update' as root and try again"
		printf '%s %s\n' "$p" "$v"
	done
}

# sysroot_lock: make sure that $IDDR_CACHE/packages.lock exists.
sysroot_lock() {
	local lock=$IDDR_CACHE/packages.lock
	[[ -s $lock ]] && return
	have apt-cache || die "this needs Debian 12's apt; apt-cache is not there"
	mkdir -p -- "$IDDR_CACHE"
	sysroot_resolve >"$lock.partial"
	mv -- "$lock.partial" "$lock"
}

# sysroot_paths: set KERNEL_ABI, SYSROOT, KDIR, VMLINUX and XEN_IMAGE from the lock file.
sysroot_paths() {
	local key
	sysroot_lock
	KERNEL_ABI=$(awk '$1 == "abi" { print $2 }' "$IDDR_CACHE/packages.lock")
	key=$({
		cat -- "$IDDR_CACHE/packages.lock"
		declare -f sysroot_unpack_kernel sysroot_relocate sysroot_unpack
	} | text_key)
	SYSROOT=$IDDR_CACHE/sysroot-$key
	KDIR=$SYSROOT/usr/src/linux-headers-$KERNEL_ABI
	VMLINUX=$SYSROOT/boot/vmlinux-$KERNEL_ABI
	XEN_IMAGE=$SYSROOT/boot/xen
	export KERNEL_ABI SYSROOT KDIR VMLINUX XEN_IMAGE
}

# package_version NAME: the locked version of package NAME.
package_version() {
	awk -v name="$1" '$1 == name { print $2 }' "$IDDR_CACHE/packages.lock"
}

# sysroot_fetch DIR: download the locked packages that DIR lacks.
sysroot_fetch() {
	local dir=$1 name version file
	local -a missing=()
	mkdir -p -- "$dir"
	while read -r name version; do
		[[ $name != abi ]] || continue
		file=$(sysroot_deb "$dir" "$name" "$version")
		[[ -n $file ]] || missing+=("$name=$version")
	done <"$IDDR_CACHE/packages.lock"
	((${#missing[@]})) || return 0
	note "downloading ${#missing[@]} packages for the testbed's kernel and Xen"
	(
		cd -- "$dir" || exit 1
		apt-get -qq -o APT::Sandbox::User=root -o Acquire::Retries=3 download "${missing[@]}"
	) || die "apt-get could not download ${missing[*]}; if the archive has moved on, delete $IDDR_CACHE/packages.lock, run 'apt-get update' as root and try again"
}

# sysroot_deb DIR NAME VERSION: the path of a downloaded package, or nothing.
sysroot_deb() {
	local f
	for f in "$1/$2_${3//:/%3a}"_*.deb; do
		[[ ! -e $f ]] || printf '%s\n' "$f"
	done
}

# sysroot_unpack_kernel BZIMAGE OUT: write the ELF that is packed in BZIMAGE.
# Xen and xl would otherwise unpack it at every boot, under emulation.
sysroot_unpack_kernel() {
	local magic pos
	# "\3757zXZ\0" and "(\265/\375" start an xz and a zstd stream.
	for magic in $'\xfd7zXZ' $'\x28\xb5\x2f\xfd'; do
		while IFS=: read -r pos _; do
			if [[ $magic == *XZ ]]; then
				tail -c "+$((pos + 1))" -- "$1" | xz -dc --single-stream >"$2" 2>/dev/null || true
			else
				tail -c "+$((pos + 1))" -- "$1" | zstd -dcq >"$2" 2>/dev/null || true
			fi
			if [[ $(head -c 4 -- "$2" | tr -d '\0') == $'\x7fELF' ]]; then
				return 0
			fi
		done < <(grep -aobF -- "$magic" "$1" || true)
	done
	die "found no compressed kernel in $1; the testbed knows xz and zstd kernels only"
}

# sysroot_relocate ROOT FINAL: make the kernel headers in ROOT work from FINAL
# instead of /usr/src.
sysroot_relocate() {
	local root=$1 final=$2 headers=$1/usr/src/linux-headers-$KERNEL_ABI
	sed -i "s|/usr/src/|$final/usr/src/|g" "$headers/Makefile"
	ln -sfn -- "$final/usr/src/linux-headers-$KERNEL_ABI" "$root/lib/modules/$KERNEL_ABI/build"
	ln -sfn -- "$final/usr/src/linux-headers-${KERNEL_ABI%-amd64}-common" "$root/lib/modules/$KERNEL_ABI/source"
}

# sysroot_unpack DEBS ROOT: unpack the locked packages into ROOT.
sysroot_unpack() {
	local name version
	while read -r name version; do
		case $name in
		abi | fio | linux-perf | xen-utils-*) continue ;;
		esac
		dpkg-deb -x "$(sysroot_deb "$1" "$name" "$version")" "$2"
	done <"$IDDR_CACHE/packages.lock"
	sysroot_relocate "$2" "$SYSROOT"
	sysroot_unpack_kernel "$2/boot/vmlinuz-$KERNEL_ABI" "$2/boot/vmlinux-$KERNEL_ABI"
	gzip -dc -- "$2"/boot/xen-4.17-amd64.gz >"$2/boot/xen"
}

# sysroot_make: build the sysroot of the locked versions if it is not there.
sysroot_make() {
	local debs=$IDDR_CACHE/debs tmp
	plain_paths
	sysroot_paths
	[[ ! -d $SYSROOT ]] || return 0
	need_space "$IDDR_CACHE" 1500 "the unpacked kernel and Xen"
	sysroot_fetch "$debs"
	note "unpacking the kernel, its headers and Xen"
	tmp=$SYSROOT.partial
	rm -rf -- "$tmp"
	defer "rm -rf -- '$tmp'"
	mkdir -p -- "$tmp"
	sysroot_unpack "$debs" "$tmp"
	mv -- "$tmp" "$SYSROOT"
}
