# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# packages.sh: the Debian packages that the harness itself needs on this
# machine. Xen and the testbed's kernel are not among them: they are unpacked
# beside the host (sysroot.sh), never installed on it.

PACKAGES_TESTBED=(qemu-system-x86 mmdebstrap squashfs-tools-ng cpio xz-utils zstd kmod)
PACKAGES_BUILD=(gcc gcc-12 libc6-dev binutils make libelf1)
PACKAGES_RESULTS=(jq gnuplot-nox fonts-liberation)
# Of the testbed `process`: its programs, and what counts their instructions.
PACKAGES_NATIVE=(libdpdk-dev liburing-dev pkgconf valgrind)
PACKAGES_TESTS=(bats shellcheck sparse libcmocka-dev socat procps git clang-14 libclang-rt-14-dev spin parallel libxml2-utils)
# Of make test-full: a browser, to look at the report with, and a host to reach by ssh that is no service of this machine.
PACKAGES_FULL=(chromium dropbear-bin openssh-client)

# packages_wanted: print the packages that this testbed needs, one a line.
packages_wanted() {
	if [[ $(testbed_kind) == xen ]]; then
		# A real Xen host boots its own kernel; only our own image is needed.
		printf '%s\n' "${PACKAGES_TESTBED[@]:1}"
	else
		printf '%s\n' "${PACKAGES_TESTBED[@]}"
	fi
	printf '%s\n' "${PACKAGES_BUILD[@]}" "${PACKAGES_RESULTS[@]}" "${PACKAGES_NATIVE[@]}" "${PACKAGES_TESTS[@]}"
	[[ -z ${IDDR_FULL:-} ]] || printf '%s\n' "${PACKAGES_FULL[@]}"
}

# packages_missing [PACKAGE...]: print those that are not installed, of those that are named or of all that are wanted.
packages_missing() {
	local -a wanted=("$@")
	(($#)) || mapfile -t wanted < <(packages_wanted)
	{
		# shellcheck disable=SC2016 # dpkg-query expands these
		dpkg-query -W -f '${db:Status-Status} ${Package}\n' -- "${wanted[@]}" 2>/dev/null || true
		printf 'wanted %s\n' "${wanted[@]}"
	} | awk '$1 == "installed" { have[$2] = 1 } $1 == "wanted" && !($2 in have) { print $2 }'
}

# packages_install [PACKAGE...]: install what of them is missing; needs root.
# shellcheck disable=SC2120 # paper.sh names some
packages_install() {
	local -a missing
	local log=$IDDR_BUILD/apt.log
	have dpkg-query || die "this needs Debian 12 (or a derivative with apt); dpkg-query is not there"
	mapfile -t missing < <(packages_missing "$@")
	((${#missing[@]})) || return 0
	((EUID == 0)) ||
		die "these packages are missing: ${missing[*]}; run 'harness/iddr ${verb:-setup}' as root, or as root: apt-get install --no-install-recommends ${missing[*]}"
	have apt-get || die "these packages are missing and there is no apt-get: ${missing[*]}; install them by hand"
	mkdir -p -- "$IDDR_BUILD"
	note "installing ${missing[*]}"
	if ! packages_apt "${missing[@]}" >"$log" 2>&1; then
		# The package lists may be missing or old.
		note "updating apt's package lists"
		apt-get -qq -o Acquire::Retries=3 update >>"$log" 2>&1 || true
		if ! packages_apt "${missing[@]}" >>"$log" 2>&1; then
			grep -E '^(E|Err):' -- "$log" | tail -n 5 >&2 || true
			die "apt-get could not install ${missing[*]}; check the network and /etc/apt/sources.list, the log is $log"
		fi
	fi
}

# packages_apt PACKAGE...: install packages without questions or recommendations.
packages_apt() {
	DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Acquire::Retries=3 \
		-o DPkg::Lock::Timeout=300 install --no-install-recommends -- "$@" </dev/null
}

# setup_all: packages, kernel and Xen, tools, modules and root image.
setup_all() {
	# shellcheck disable=SC2119 # all of them
	packages_install
	sysroot_make
	build_tools
	build_modules
	image_make
}

# help: setup [--refresh] -- install packages, fetch Xen and the kernel, build all
cmd_setup() {
	case ${1:-} in
	'') ;;
	--refresh) rm -f -- "$IDDR_CACHE/packages.lock" ;;
	*) usage_error "setup takes only --refresh (resolve package versions anew)" ;;
	esac
	plain_paths
	with_lock "$IDDR_BUILD/.lock" setup_all
}
