# Sourced by the tests with a real MTA: unpacks a Debian package with what it needs beside the
# system, and runs a script inside, where it lies at its own places.  Nothing is installed
# and no configuration of this system is read or changed.
#
# mta_unpack PACKAGE USER... : into $work/root; USERs (name:uid) exist inside.
mta_unpack() {
	local package=$1 u deb
	shift
	[ "$(id -u)" -eq 0 ] || { echo "needs root (mount namespaces)"; exit 77; }
	for tool in apt-get dpkg-deb unshare; do
		command -v $tool >/dev/null || { echo "no $tool here"; exit 77; }
	done
	unshare -m true 2>/dev/null || { echo "no mount namespaces here"; exit 77; }
	mkdir -p "$work/debs/partial" "$work/root" "$work/etc"
	apt-get install -y -qq --no-install-recommends --reinstall --download-only \
		-o Dir::Cache::archives="$work/debs" -o APT::Sandbox::User=root "$package" \
		>"$work/apt.log" 2>&1 || { tail -n 3 "$work/apt.log"; echo "$package cannot be fetched"; exit 77; }
	for deb in "$work"/debs/*.deb; do dpkg-deb -x "$deb" "$work/root"; done
	cp -a /etc/. "$work/etc/"
	cp -a "$work/root/etc/." "$work/etc/" 2>/dev/null || true
	for u; do
		grep -q "^${u%:*}:" "$work/etc/passwd" ||
			echo "${u%:*}:x:${u#*:}:${u#*:}::/nonexistent:/usr/sbin/nologin" >>"$work/etc/passwd"
		grep -q "^${u%:*}:" "$work/etc/group" || echo "${u%:*}:x:${u#*:}:" >>"$work/etc/group"
	done
}

# mta_inside SCRIPT: runs it with bash where /usr has the unpacked files too and /etc is a copy.
mta_inside() {
	unshare -m bash -c '
		set -e
		mount --make-rprivate /
		mount -t tmpfs none /mnt
		mkdir /mnt/over
		mount -t overlay none -o "lowerdir=$1/root/usr:/usr" /usr ||
			{ echo "no overlay file system here"; exit 77; }
		mount --bind "$1/etc" /etc
		[ ! -d "$1/root/usr/lib/x86_64-linux-gnu" ] || ldconfig 2>/dev/null || true
		set +e
		. "$2"' inside "$work" "$1"
}

# block NAME FILE: the block of a page that is marked ```NAME
block() { sed -n "/^\`\`\`$1\$/,/^\`\`\`\$/p" "$2" | grep -v '^```'; }
