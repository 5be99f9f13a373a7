# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# build.sh: the kernel modules (against the headers of the kernel that the
# testbed boots) and the C tools, built under $IDDR_BUILD; a stamp of sources
# and tools makes a second run do nothing.

# Modules in the order in which they load.
BUILD_MODULES=(comm/iddr_comm front/iddr_front back/iddr_back msix/iddr_msix)
# Hostile peers and faults for the tests: in the domains too, but nothing loads them by itself.
BUILD_TEST_MODULES=(test/hostile/hostile_front test/hostile/hostile_back test/fault/iddr_fault)

# Libraries of the tools that talk to Xen. Not linked statically: the static
# libxenstore has no reader thread, and breaks its connection when a watch event
# overtakes a reply.
BUILD_XEN_LIBS=(-lxenvchan -lxenctrl -lxengnttab -lxenevtchn -lxenstore -lxencall
	-lxenforeignmemory -lxendevicemodel -lxentoollog -lxentoolcore -lpthread)

# build_kdir: the headers that modules are built against: those of the kernel
# that the domains boot, on a real Xen host too.
build_kdir() {
	printf '%s\n' "${KDIR:?}"
}

# build_sources DIR: print the source files below DIR, one a line, sorted.
build_sources() {
	(
		cd -- "$1" || exit 1
		find . -type f \( -name '*.[chS]' -o -name 'Makefile*' -o -name 'Kbuild*' \) \
			! -name '*.mod.c' \( ! -path './test/*' -o -path './test/hostile/*' -o -path './test/fault/*' \) | sort
	)
}

# build_stamp DIR WORD...: a key of the names and contents of DIR's sources.
build_stamp() {
	local dir=$1
	shift
	{
		printf '%s\n' "$@"
		(
			cd -- "$dir" || exit 1
			build_sources . | tr '\n' '\0' | xargs -0 -r sha256sum --
		)
	} | text_key
}

# build_modules: build our modules; BUILD_MODULES_DIR is where they are.
build_modules() {
	local kdir key file m log
	kdir=$(build_kdir)
	BUILD_MODULES_DIR=$IDDR_BUILD/modules-$(basename -- "$(readlink -f -- "$kdir")")
	[[ -f $IDDR_TOP/modules/Makefile ]] || die "modules/Makefile is missing from the tree; check it out again"
	key=$(build_stamp "$IDDR_TOP/modules" "$kdir")
	log=$IDDR_BUILD/modules.log
	if [[ -s $BUILD_MODULES_DIR/.stamp && $(<"$BUILD_MODULES_DIR/.stamp") == "$key" ]]; then
		return 0
	fi
	note "building the kernel modules"
	mkdir -p -- "$BUILD_MODULES_DIR"
	rm -f -- "$BUILD_MODULES_DIR/.stamp"
	# Copy only what changed, so that make rebuilds only that.
	while IFS= read -r file; do
		if ! cmp -s -- "$IDDR_TOP/modules/$file" "$BUILD_MODULES_DIR/$file"; then
			mkdir -p -- "$(dirname -- "$BUILD_MODULES_DIR/$file")"
			cp -- "$IDDR_TOP/modules/$file" "$BUILD_MODULES_DIR/$file"
		fi
	done < <(build_sources "$IDDR_TOP/modules")
	while IFS= read -r file; do
		[[ -e $IDDR_TOP/modules/$file ]] || rm -f -- "$BUILD_MODULES_DIR/$file"
	done < <(build_sources "$BUILD_MODULES_DIR")
	if ! make -C "$BUILD_MODULES_DIR" KDIR="$kdir" >"$log" 2>&1; then
		grep -E 'error|Error|warning' -- "$log" | head -n 20 >&2 || true
		die "the kernel modules do not build; the whole log is $log"
	fi
	for m in "${BUILD_MODULES[@]}" "${BUILD_TEST_MODULES[@]}"; do
		[[ -f $BUILD_MODULES_DIR/$m.ko ]] ||
			die "the build made no $m.ko; the log is $log"
	done
	printf '%s\n' "$key" >"$BUILD_MODULES_DIR/.stamp"
}

# build_tools: the programs of harness/tools, for the domains (with Xen)
# and, of the agent, one for the host.
build_tools() {
	local key tool out=$IDDR_BUILD/tools
	local -a sources libs cflags=(-O2 -g -Wall -Wextra -Werror -std=gnu11)
	key=$(build_stamp "$IDDR_TOP/harness/tools" "$SYSROOT" "${cflags[*]}")
	[[ ! -s $out/.stamp || $(<"$out/.stamp") != "$key" ]] || return 0
	need gcc gcc
	note "building the tools"
	mkdir -p -- "$out/domain"
	rm -f -- "$out/.stamp"
	gcc "${cflags[@]}" -o "$out/iddr-agent" "$IDDR_TOP/harness/tools/iddr-agent.c" ||
		die "harness/tools/iddr-agent.c does not compile"
	for tool in iddr-agent iddr-cputime iddr-snap iddr-truth iddr-replay iddr-pulse iddr-xenstore iddr-xl; do
		sources=("$IDDR_TOP/harness/tools/$tool.c") libs=("${BUILD_XEN_LIBS[@]}")
		[[ $tool != iddr-xl ]] || {
			sources+=("$IDDR_TOP/harness/tools/iddr-xenstore.c")
			# shellcheck disable=SC2054 # commas of the linker's. Of what libxl itself is linked with, not all is in the sysroot.
			libs=(-Wl,--allow-shlib-undefined -lxlutil -lxenlight "${libs[@]}")
		}
		gcc "${cflags[@]}" -s -DIDDR_XEN -isystem "$SYSROOT/usr/include" \
			-L"$SYSROOT/usr/lib/x86_64-linux-gnu" "-Wl,-rpath-link,$SYSROOT/usr/lib/x86_64-linux-gnu" -Wl,--as-needed -o "$out/domain/$tool" \
			"${sources[@]}" "${libs[@]}" ||
			die "harness/tools/$tool.c does not compile"
	done
	printf '%s\n' "$key" >"$out/.stamp"
}

# build_all: whatever of tools and modules is not up to date.
build_all() {
	sysroot_make
	build_tools
	build_modules
}

# help: build -- build the kernel modules and the tools (nothing if up to date)
cmd_build() {
	(($# == 0)) || usage_error "build takes no arguments"
	with_lock "$IDDR_BUILD/.lock" build_all
	note "modules are in $BUILD_MODULES_DIR"
}

# help: kdir -- print the kernel headers that the modules are built against
cmd_kdir() {
	(($# == 0)) || usage_error "kdir takes no arguments"
	sysroot_make
	build_kdir
}
