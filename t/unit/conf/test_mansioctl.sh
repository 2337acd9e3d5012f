#!/bin/bash
# mansioctl as people and scripts see it: exit codes, one-line errors, completion.
# Runs in the build folder; srcdir is set by make check.
set -u
ctl=$PWD/ctl/mansioctl
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
failed=0

# want CODE PATTERN ARGUMENT...: exit code, and a pattern in what is printed.
want() {
	local code=$1 pattern=$2 out rc
	shift 2
	out=$("$ctl" "$@" 2>&1)
	rc=$?
	if [ "$rc" -ne "$code" ] || ! grep -qe "$pattern" <<<"$out"; then
		echo "FAILED: mansioctl $*: exit code $rc, wanted $code and \"$pattern\":"
		echo "$out"
		failed=1
	fi
}

echo 'imap { max-append = 3M }' > "$dir/good.conf"
printf '\nimap { max-apend = 3M }\n' > "$dir/bad.conf"
printf 'log-level: info\n' > "$dir/old"

want 0 'good' --config "$dir/good.conf" config check
want 0 '"ok":true' config check --json --config="$dir/good.conf"
want 1 'bad.conf:2: unknown key "max-apend"' --config "$dir/bad.conf" config check
want 1 'cannot be read' --config "$dir/none.conf" config check
lmtp='listener l { protocol = lmtp  bind = "127.0.0.1:24" }'
# outgoing RESULT PATTERN SETTINGS: what config check says of the section.
outgoing() {
	printf '%s\noutgoing { %s }\n' "$lmtp" "$3" > "$dir/outgoing.conf"
	want "$1" "$2" --config "$dir/outgoing.conf" config check
}
outgoing 0 '^warning: outgoing: neither relay nor program' ''
outgoing 0 '^warning: outgoing tls: .* clear text' 'relay = "relay.example:25"  tls = may'
outgoing 0 '^warning: outgoing verify: ' 'relay = relay.example  verify = no'
outgoing 1 'not a server' 'relay = "relay.example:0"'
outgoing 1 'not a server' 'relay = "[::1"'
outgoing 1 'not sent in clear text' "relay = \"[::1]:25\"  tls = none  user = x  password-file = $dir/good.conf"
outgoing 1 'password-file: must be set' 'relay = "192.0.2.1"  user = x'
outgoing 1 'allowed: one of them' 'relay = relay.example  program = /bin/true'
outgoing 1 'no-such' 'program = /no-such'
outgoing 0 'good, 1 listener$' 'relay = "localhost:25"  tls = none'
grep -q warning <("$ctl" --config "$dir/outgoing.conf" config check) && { echo "FAILED: warned of localhost"; failed=1; }
want 0 '"warnings":\[\]' --config "$dir/outgoing.conf" config check --json

want 0 '^imap.max-append = 3M$' --config "$dir/good.conf" config show -x imap.max-append
want 0 'max-append = 3M.*good.conf:1$' --config "$dir/good.conf" config show
want 0 '"origin":"default"' --config "$dir/good.conf" config show --json
want 1 'no setting' --config "$dir/good.conf" config show -x nothing
want 0 '^#max-append = 64M$' config defaults sample
want 0 '^.B max' config defaults man
want 2 'unexpected' config defaults rubbish
want 0 'max-append = 52428800' config import "$dir/old"
want 1 'none: cannot be read' config import "$dir/none"
want 2 'a file is needed' config import
want 2 'there is no command' rubbish
want 2 'there is no command "config rubbish"' config rubbish
want 2 'which of these' config
want 2 'needs a value' --config
want 2 'a command is needed'
want 0 'config check' help
want 0 'config import' help config
want 0 'config check' help config check
want 2 'there is no command' help config rubbish

# without a server
want 3 'does not run' --socket "$dir/none.sock" status
want 3 'does not run' --socket "$dir/none.sock" account list
want 2 'address is needed' account add
want 2 'no option --nope' account list --nope
want 2 'takes a size' account set a@x.org --quota-storage lots
want 2 'missing behind' alias add x@x.org
want 2 'standard input alone' account add --batch --random
want 2 'where does the password come from' account password a@x.org </dev/null
want 1 'line 2: wanted' --socket "$dir/none.sock" account add --batch < <(printf 'a@x.org x\nb\n')

"$ctl" --config "$dir/good.conf" config show | sed 's/\t# .*//' > "$dir/again.conf"
want 0 'good' --config "$dir/again.conf" config check

# The completion offers what the program knows.
mansioctl() { "$ctl" "$@"; }
. "${srcdir:-.}/etc/mansioctl.bash"
complete_words() {
	COMP_WORDS=(mansioctl "$@")
	COMP_CWORD=$#
	_mansioctl
	printf '%s ' "${COMPREPLY[@]}"
}
if [ "$(complete_words conf)" != 'config ' ] ||
    [ "$(complete_words config '')" != 'check defaults import show ' ] ||
    [ "$(complete_words --json config ch)" != 'check ' ] ||
    [ "$(complete_words account add a@x.org --pass)" != '--password-stdin ' ] ||
    [ "$(complete_words account list --)" != '--config --json --socket --deleted ' ] ||
    [ "$(complete_words status --j)" != '--json ' ]; then
	echo "FAILED: completion: $(complete_words conf)/ $(complete_words config '')/" \
	    "$(complete_words account add a@x.org --pass)/ $(complete_words account list --)"
	failed=1
fi
exit $failed
