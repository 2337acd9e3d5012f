"""Mail rules in tests: accounts of their own, scripts, mail in and what came of it."""
import os
import sys
import time
import traceback

from imapc import Imap, pairs
from mansio import *

made = [0]


def account():
    """A fresh one: nothing of an earlier test, or run, is remembered."""
    made[0] += 1
    name = "sv%d-%d@%s" % (time.time_ns() % 10**12, made[0], user(0).split("@")[1])
    ctl("account", "add", "--batch", "--if-missing", text="%s %s\n" % (name, PASSWORD))
    return name


def rules(who, text, name="main"):
    ctl("sieve", "put", who, name, "-", "--activate", text=text)


def give(who, raw, sender="sender@example.org", want="250", params=""):
    s = Smtp()
    s.envelope(*([who] if isinstance(who, str) else who), sender=sender, params=params)
    got = s.text(raw.encode() + b"\r\n.\r\n", *([want] if isinstance(who, str) else want))
    s.close()
    return got


def mails(who, box="INBOX"):
    """[(flags, raw)] of a mailbox, None when it is not there."""
    c = Imap().login(who, PASSWORD)
    try:
        if not c('STATUS "%s" (MESSAGES)' % box).ok:
            return None
        c.select(box, examine=True)
        if not c.view.uids:
            return []
        out = []
        for u in c.need("FETCH 1:* (FLAGS BODY.PEEK[])").find(b"FETCH"):
            p = pairs(u[2])
            out.append((sorted(f.decode() for f in p[b"FLAGS"] if f != b"\\Recent"), p[b"BODY[]"]))
        return out
    finally:
        c.close()


def nothing_waits(who):
    """The queue is empty: what was to be sent has been."""
    end = time.time() + 60
    while who in ctl("queue", "list"):
        assert time.time() < end, ctl("queue", "list")
        time.sleep(0.05)


def counts(who, **want):
    for box, n in want.items():
        got = mails(who, box.replace("__", "/"))
        assert (len(got) if got is not None else None) == n, (box, n, got and [g[1][:200] for g in got])


def run(tests):
    """All of them, or those that are named, and the end."""
    bad = 0
    names = sys.argv[1:]
    for t in tests:
        if names and t.__name__ not in names:
            continue
        try:
            why = t()
            print("%-55s %s" % (t.__name__, "not tested: " + why if why else "ok"))
        except Exception as e:
            bad += 1
            at = traceback.extract_tb(e.__traceback__)
            line = next((f for f in at if f.name == t.__name__), at[-1])
            print("%-55s FAIL line %d (%s): %s: %.900s" % (t.__name__, line.lineno, line.line,
                                                         type(e).__name__, e))
    sys.exit(1 if bad else 0)
