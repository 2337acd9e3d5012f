"""mta-relay.py PORT: a filter's redirect leaves through an MTA, and comes back to another account by it."""
import os
import sys
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from mansio import *

port = int(sys.argv[1])
A, B = 114, 115
clean(A)
clean(B)
undo = configure('relay = "127.0.0.1:%d"  tls = none  retry-time = 2s' % port, section="outgoing")
try:
    ctl("sieve", "put", user(A), "out", "-", "--activate", text='redirect "%s";' % user(B))
    mails = samples(5, seed=23)
    for n, raw in enumerate(mails):
        deliver(b"X-Test: %d\r\n" % n + crlf(raw), [user(A)])
    end = time.time() + 90
    found = {}
    while len(found) < len(mails):
        assert time.time() < end, "%d of %d arrived; waiting:\n%s" % (len(found), len(mails), ctl("queue", "list"))
        time.sleep(1)
        m = imap(B)
        if int(ok(m.select("INBOX"))[0]):
            found = fetch_all(m)
        m.logout()
    bodies = sorted(g.split(b"\r\n\r\n", 1)[1].rstrip() for g in found.values())
    assert bodies == sorted(crlf(r).split(b"\r\n\r\n", 1)[1].rstrip() for r in mails), "a text was changed"
    m = imap(A)
    assert int(ok(m.select("INBOX"))[0]) == 0
    m.logout()
finally:
    undo()
print("%d redirects went out and came back" % len(mails))
