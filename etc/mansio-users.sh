#!/bin/sh
# Makes the system users and the group of Mansio where systemd-sysusers is missing.
# Run as root; what exists already is left as it is.
set -eu

users="mansio mansio-store mansio-auth mansio-adm mansio-out mansio-index"

# Group $1.
make_group() {
	getent group "$1" >/dev/null && return 0
	if command -v groupadd >/dev/null; then
		groupadd --system "$1"
	elif command -v addgroup >/dev/null; then
		addgroup --system "$1" 2>/dev/null || addgroup -S "$1"
	else
		echo "mansio-users: neither groupadd nor addgroup is here" >&2
		exit 1
	fi
}

# User $1 with a group of the same name, no home, no shell.
make_user() {
	getent passwd "$1" >/dev/null && return 0
	shell=/usr/sbin/nologin
	[ -x "$shell" ] || shell=/bin/false
	if command -v useradd >/dev/null; then
		useradd --system --gid "$1" --home-dir / --no-create-home --shell "$shell" "$1"
	elif adduser --help 2>&1 | grep -q -- --no-create-home; then
		adduser --system --ingroup "$1" --home / --no-create-home --shell "$shell" "$1"
	else
		adduser -S -D -H -h / -s "$shell" -G "$1" "$1"
	fi
}

if [ "$(id -u)" -ne 0 ]; then
	echo "mansio-users: must run as root" >&2
	exit 1
fi
make_group mansio-admin
for user in $users; do
	make_group "$user"
	make_user "$user"
done
