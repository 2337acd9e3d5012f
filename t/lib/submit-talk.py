"""submit-talk.py PORT: users hand mail in at an MTA that asks Mansio about their passwords."""
import base64
import hashlib
import hmac
import json
import os
import smtplib
import ssl
import subprocess
import sys
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from mansio import *

PORT, A, B = int(sys.argv[1]), 35, 36
CTL = [os.environ["MANSIO_BIN"] + "/mansioctl", "--config",
       os.environ["MANSIO_DIR"] + "/etc/mansio.conf", "--json"]


def client(tls=True):
    s = smtplib.SMTP("127.0.0.1", PORT, local_hostname="client.example.org", timeout=40)
    s.ehlo()
    if tls:
        s.starttls(context=ssl._create_unverified_context())
        s.ehlo()
    return s


def refused(name, password, want=(535,)):
    s = client()
    try:
        s.login(name, password)
    except smtplib.SMTPAuthenticationError as e:
        assert e.smtp_code in want, e
    else:
        raise SystemExit("%s came in" % name)
    s.close()


def b64(data):
    return base64.b64encode(data).decode()


def scram(s, name, password):
    """SCRAM-SHA-256 (RFC 7677) over SMTP; the server proves itself too."""
    bare = "n=%s,r=abcdefghijk" % name
    code, text = s.docmd("AUTH", "SCRAM-SHA-256 " + b64(("n,," + bare).encode()))
    assert code == 334, (code, text)
    first = base64.b64decode(text).decode()
    r, salt, i = (w[2:] for w in first.split(",", 2))
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(i))
    mac = lambda k, m: hmac.new(k, m, "sha256").digest()
    key = mac(salted, b"Client Key")
    final = "c=biws,r=" + r
    message = ",".join((bare, first, final)).encode()
    sig = mac(hashlib.sha256(key).digest(), message)
    proof = bytes(x ^ y for x, y in zip(key, sig))
    code, text = s.docmd(b64(("%s,p=%s" % (final, b64(proof))).encode()))
    if code == 334:
        want = "v=" + b64(mac(mac(salted, b"Server Key"), message))
        assert base64.b64decode(text).decode() == want, text
        code, text = s.docmd("")
    return code


def app_password(label, protocol):
    out = subprocess.run(CTL + ["app-password", "add", user(A), label, protocol],
                         stdout=subprocess.PIPE, text=True, check=True).stdout
    return json.loads(out)["password"]


clean(B)
s = client(tls=False)
assert not s.has_extn("auth"), "AUTH is offered in the clear"
s.close()
refused(user(A), "wrong")
refused("nobody-here@" + user(A).split("@")[1], PASSWORD)
for mech in ("PLAIN", "LOGIN"):
    s = client()
    s.user, s.password = user(A), PASSWORD
    code, text = s.auth(mech, getattr(s, "auth_" + mech.lower()))
    assert code == 235, (mech, code, text)
    s.close()
s = client()
if "SCRAM-SHA-256" in s.esmtp_features.get("auth", ""):
    assert scram(s, user(A), "wrong") == 535
    assert scram(s, user(A), PASSWORD) == 235
elif sys.argv[2:] != ["exim"]:
    raise SystemExit("SCRAM is not offered: %r" % s.esmtp_features)
s.close()
label = "submit-%d" % os.getpid()
good, bad = app_password(label, "submit"), app_password(label + "-imap", "imap")
refused(user(A), bad)
s = client()
s.login(user(A), good)
s.sendmail(user(A), [user(B)], "Subject: handed in\r\n\r\nby an app password\r\n")
s.quit()
end = time.time() + 30
while True:
    m = imap(B)
    if int(ok(m.select("INBOX"))[0]) == 1:
        break
    assert time.time() < end, "it did not arrive"
    m.logout()
    time.sleep(0.5)
for name in (label, label + "-imap"):
    subprocess.run(CTL + ["app-password", "revoke", user(A), name], stdout=subprocess.PIPE, check=True)
refused(user(A), good)
print("submission works")
