# Sourced by contrib/try and contrib/check: packages and the build.
top=$(cd "$(dirname "$0")/.." && pwd)

die() { echo "${0##*/}: $*" >&2; exit 1; }

# packages PURPOSE...: names of those purposes
packages() {
	local p
	for p; do sed -n "s/^$p: //p" "$top/contrib/packages"; done
}

# need_packages PURPOSE...: installs what is missing (root), or names it
need_packages() {
	local missing=() p
	command -v dpkg-query >/dev/null || return 0
	for p in $(packages "$@"); do
		dpkg-query -W -f='${db:Status-Status}\n' "$p" 2>/dev/null |
			grep -qx installed || missing+=("$p")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	if [ "$(id -u)" -ne 0 ]; then
		die "these Debian packages are missing; as root: apt-get install ${missing[*]}"
	fi
	echo "installing: ${missing[*]}" >&2
	export DEBIAN_FRONTEND=noninteractive
	apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null 2>&1 || {
		apt-get update -qq >&2 || true
		apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
			die "apt-get could not install: ${missing[*]}"
	}
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
