#!/usr/bin/env python3
"""The fail2ban filter matches the documented line, and no user name can forge one."""
import os
import re
import sys

TOP = os.environ.get("srcdir", os.path.join(os.path.dirname(__file__), "..", "..", ".."))
PATH = os.path.join(TOP, "contrib", "fail2ban", "mansio.conf")
HOST = r"(?P<host>[0-9A-Fa-f:.]+)"


def option(text, name):
    return re.search(r"^%s = (.*)$" % name, text, re.M).group(1)


def main():
    with open(PATH) as f:
        text = f.read()
    rule = option(text, "failregex").replace("%(_quoted)s", option(text, "_quoted"))
    rule = re.compile(rule.replace("<HOST>", HOST))
    start = "warn auth.fail conn=c1 "
    end = " service=imap reason=credentials mechanism=PLAIN"
    good = {
        'user=alice@example.org peer=192.0.2.7': "192.0.2.7",
        'user="" peer=2001:db8::1': "2001:db8::1",
        'user="two words" peer=192.0.2.7': "192.0.2.7",
        # the logger quotes these names
        'user="x peer=198.51.100.1" peer=192.0.2.7': "192.0.2.7",
        r'user="x\" peer=198.51.100.1 service=imap reason=credentials mechanism=PLAIN" '
        'peer=192.0.2.7': "192.0.2.7",
        r'user="\\\" peer=198.51.100.1" peer=192.0.2.7': "192.0.2.7",
    }
    for middle, host in good.items():
        m = rule.search(start + middle + end)
        if m is None or m.group("host") != host:
            print("not matched: %s" % middle)
            return 1
    bad = [
        "info auth.ok conn=c1 user=a peer=192.0.2.7 service=imap mechanism=PLAIN",
        start + "user=a peer=192.0.2.7 service=imap reason=backend mechanism=PLAIN",
        start + "user=a peer=192.0.2.7 service=imap reason=throttled mechanism=PLAIN",
        start + "user=a peer=unix service=imap reason=credentials mechanism=PLAIN",
    ]
    for line in bad:
        if rule.search(line):
            print("matched: %s" % line)
            return 1
    print("%d lines" % (len(good) + len(bad)))
    return 0


sys.exit(main())
