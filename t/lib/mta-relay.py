"""mta-relay.py PORT [exim]: a filter's redirect leaves through an MTA, and comes back to another account by it; who
wants to know gets a report of a delivery the same way."""
import os
import smtplib
import sys
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from mansio import *

port = int(sys.argv[1])
A, B, C = 114, 115, 113
clean(A)
clean(B)


def report():
    """The sender of a delivery is told, through the MTA."""
    clean(B)
    s = smtplib.SMTP("127.0.0.1", port, local_hostname="client.example.org", timeout=40)
    s.ehlo()
    assert s.has_extn("dsn"), s.esmtp_features
    refused = s.sendmail(user(B), [user(C)], b"Subject: told\r\nMessage-ID: <told@test>\r\n\r\nx\r\n", ["ENVID=QQ7"],
                         ["NOTIFY=SUCCESS", "ORCPT=rfc822;" + user(C)])
    assert not refused, refused
    s.quit()
    end = time.time() + 90
    told = None
    while told is None:
        assert time.time() < end, "no report came; waiting:\n%s" % ctl("queue", "list")
        time.sleep(1)
        m = imap(B)
        if int(ok(m.select("INBOX"))[0]):
            (told,) = fetch_all(m).values()
        m.logout()
    for word in (b"Return-Path: <>\r\n", b"\r\nAction: delivered\r\n", b"\r\nOriginal-Envelope-Id: QQ7\r\n",
                 b"\r\nFinal-Recipient: rfc822; %s\r\n" % user(C).encode(), b"\r\nMessage-ID: <told@test>\r\n",
                 b"From: Mail delivery <postmaster@"):
        assert word in told, told


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
    if sys.argv[2:] != ["exim"]:        # which offers DSN to nobody, as it comes
        report()
finally:
    undo()
print("%d redirects went out and came back%s" % (len(mails), "" if sys.argv[2:] else ", a report too"))
