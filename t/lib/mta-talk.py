"""mta-talk.py PORT: what both MTA tests ask of an MTA that delivers to Mansio."""
import smtplib
import sys
import time
import os
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from mansio import *
from imapc import Imap, Literal

port = int(sys.argv[1])
A, B = 32, 33
domain = user(A).split("@")[1]
clean(A)
clean(B)
s = smtplib.SMTP("127.0.0.1", port, local_hostname="client.example.org", timeout=40)
s.ehlo()


def rcpt(address, *want, tries=8):
    """Address verification may answer 450 until its probe has come back."""
    for _ in range(tries):
        s.rset()
        s.docmd("MAIL FROM:<sender@example.net>")
        code, text = s.docmd("RCPT TO:<%s>" % address)
        if code in want:
            return text
        if code not in (450, 451):
            break
        time.sleep(2)
    raise SystemExit("RCPT %s: %d %r, not %s" % (address, code, text, want))


rcpt(user(A), 250)
text = rcpt("nobody-here@" + domain, 550)
assert b"5.1.1" in text or b"nobody" in text.lower() or b"such user" in text.lower(), text
rcpt(user(A).replace("@", "+tag@"), 250)
rcpt("x@elsewhere.example", 454, 550, 554)     # no relay
s.rset()

idler = Imap().login(user(A), PASSWORD)
idler.select("INBOX")
mails = samples(12, seed=21)
for n, raw in enumerate(mails):
    refused = s.sendmail("sender@example.net", [user(A), user(B)], crlf(raw), ["BODY=8BITMIME"])
    assert not refused, refused
s.quit()
end = time.time() + 60
while time.time() < end and (len(idler.view.uids) < len(mails)):
    idler.idle(1)
time.sleep(1)
for n in (A, B):
    m = imap(n)
    ok(m.select("INBOX"))
    got = fetch_all(m)
    assert len(got) == len(mails), "%d of %d arrived" % (len(got), len(mails))
    bodies = sorted(g.split(b"\r\n\r\n", 1)[1] for g in got.values())
    want = sorted(crlf(r).split(b"\r\n\r\n", 1)[1] for r in mails)
    if sys.argv[2:] != ["exim"]:
        assert bodies == want, "a text was changed"
    for g in got.values():
        head = g.split(b"\r\n\r\n", 1)[0]
        assert head.startswith(b"Return-Path: <sender@example.net>\r\nDelivered-To: %s\r\n" % user(n).encode()), head[:200]
        assert b"\r\nReceived: " in head
print("%d messages to two recipients, probes answered" % len(mails))
