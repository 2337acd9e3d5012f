# Sourced by contrib/try and contrib/check: packages and the build.
top=$(cd "$(dirname "$0")/.." && pwd)

die() { echo "${0##*/}: $*" >&2; exit 1; }

# packages PURPOSE...: names of those purposes
packages() {
	local p
	for p; do sed -n "s/^$p: //p" "$top/contrib/packages"; done
}

# missing_packages PURPOSE...: those neither installed nor provided by another that is (the
# nodejs of nodesource.com, for one, brings npm and conflicts with the package of that name)
missing_packages() {
	local have
	command -v dpkg-query >/dev/null || return 0
	have=$(dpkg-query -W -f='${db:Status-Status} ${Package}, ${Provides}\n' |
		sed -n 's/^installed //p' | tr ',' '\n' | awk '{ print $1 }')
	packages "$@" | tr ' ' '\n' | grep -vxF -e "$have" -e ''
}

# apt_install PACKAGE...: quietly; apt's own words when it fails
apt_install() {
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" 2>&1 >/dev/null
}

# need_packages PURPOSE...: installs what is missing (root), or names it and ends
need_packages() {
	local missing
	missing=$(missing_packages "$@" | tr '\n' ' ')
	[ -n "$missing" ] || return 0
	[ "$(id -u)" -eq 0 ] ||
		die "these Debian packages are missing; as root: apt-get install $missing"
	echo "installing: $missing" >&2
	apt_install $missing >/dev/null && return
	apt-get update -qq >&2 || true
	apt_install $missing >&2 || die "apt-get could not install: $missing"
}

# want_packages PURPOSE...: installs what can be; prints "PACKAGE: REASON" for each that is
# still missing.  One that cannot be installed does not keep the others away.
want_packages() {
	local missing p why
	missing=$(missing_packages "$@" | tr '\n' ' ')
	[ -n "$missing" ] || return 0
	if [ "$(id -u)" -ne 0 ]; then
		for p in $missing; do echo "$p: not installed"; done
		return
	fi
	echo "installing: $missing" >&2
	apt_install $missing >/dev/null && return
	apt-get update -qq >&2 || true
	for p in $missing; do
		why=$(apt_install "$p") || echo "$p: apt-get: $(echo "$why" | grep '^E:' | tail -n 1)"
	done
}

# configure_in DIR ARGS...: a build directory with these arguments, made once
configure_in() {
	local dir=$1
	shift
	[ -x "$top/configure" ] && [ "$top/configure" -nt "$top/configure.ac" ] ||
		(cd "$top" && ./autogen.sh) >"${TMPDIR:-/tmp}/mansio-autogen.$$" 2>&1 ||
		{ cat "${TMPDIR:-/tmp}/mansio-autogen.$$" >&2; die "autogen.sh failed"; }
	rm -f "${TMPDIR:-/tmp}/mansio-autogen.$$"
	mkdir -p "$dir"
	if [ ! -f "$dir/Makefile" ] || [ "$(cat "$dir/.arguments" 2>/dev/null)" != "$*" ]; then
		(cd "$dir" && "$top/configure" -q "$@") || die "configure failed in $dir"
		echo "$*" >"$dir/.arguments"
	fi
}

# build_in DIR TARGET...: quiet make; shows the end of its output when it fails
build_in() {
	local dir=$1 log
	shift
	log=$dir/make.log
	make -C "$dir" -j"$(nproc)" "$@" >"$log" 2>&1 || {
		tail -n 40 "$log" >&2
		die "make failed in $dir"
	}
}
