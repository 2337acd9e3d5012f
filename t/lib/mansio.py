"""What the end-to-end tests share: where the server is, mail to send, small helpers.

MANSIO_HOST, MANSIO_BASE (port base), MANSIO_USER (pattern with %d), MANSIO_PASSWORD,
MANSIO_DIR (folder of the server), MANSIO_BIN; contrib/check sets them.  MANSIO_CORPUS:
a folder of real mails, used beside our own when it is set."""
import base64
import glob
import imaplib
import os
import random
import re
import smtplib
import sys

HOST = os.environ.get("MANSIO_HOST", "127.0.0.1")
BASE = int(os.environ.get("MANSIO_BASE", "10000"))
PASSWORD = os.environ.get("MANSIO_PASSWORD", "secret")
# the port of one protocol can be told apart: the tests then judge another server
IMAP, IMAPS, LMTP, POP3, POP3S, SIEVE = (
    int(os.environ.get("MANSIO_" + name, BASE + port)) for name, port in
    (("IMAP", 143), ("IMAPS", 993), ("LMTP", 24), ("POP3", 110), ("POP3S", 995), ("SIEVE", 190)))
imaplib._MAXLINE = 50_000_000


def user(n):
    return os.environ.get("MANSIO_USER", "u%d@bench.test").replace("%d", str(n))


def imap(n, tls=False):
    if tls:
        import ssl
        ctx = ssl._create_unverified_context()
        m = imaplib.IMAP4_SSL(HOST, IMAPS, ssl_context=ctx)
    else:
        m = imaplib.IMAP4(HOST, IMAP)
    m.login(user(n), PASSWORD)
    return m


def ok(r):
    assert r[0] == "OK", r
    return r[1]


def clean(n):
    """Empties the account: all mailboxes but INBOX are deleted, INBOX is emptied."""
    m = imap(n)
    names = []
    for line in ok(m.list()):
        name = line.decode().split(' "/" ', 1)[1].strip('"')
        if name != "INBOX":
            names.append(name)
    for name in sorted(names, reverse=True):
        m.delete('"%s"' % name)
    if int(ok(m.select("INBOX"))[0]):
        m.store("1:*", "+FLAGS.SILENT", r"(\Deleted)")
        ok(m.expunge())
    m.logout()


def lmtp():
    return smtplib.LMTP(HOST, LMTP)


def deliver(raw, to, sender="sender@example.org", server=None):
    s = server or lmtp()
    refused = s.sendmail(sender, [to], crlf(raw))
    assert not refused, refused
    if server is None:
        s.quit()


def crlf(raw):
    """What a message becomes on its way: every line ends with CRLF; a bare CR stays."""
    out = re.sub(rb"(?<!\r)\n", b"\r\n", raw)
    return out if out.endswith(b"\r\n") else out + b"\r\n"


def trace(n, sender="sender@example.org"):
    """The header lines that delivery puts in front (doc: mansio-lmtpd(8))."""
    return ("Return-Path: <%s>\r\nDelivered-To: %s\r\n" % (sender, user(n))).encode()


def fetch_all(m, what="BODY.PEEK[]"):
    """uid -> bytes of the selected mailbox."""
    got = {}
    typ, data = m.uid("FETCH", "1:*", "(UID %s)" % what)
    assert typ == "OK", (typ, data)
    for item in data:
        if isinstance(item, tuple):
            words = item[0].replace(b"(", b" ").split()
            got[int(words[words.index(b"UID") + 1])] = item[1]
    return got


_words = ("mail server store folder budget meeting naïve Grüße журнал 手紙 lunch invoice release "
          "offer report draft final question answer money thanks urgent holiday").split()


def samples(count=60, seed=7):
    """Our own mails, the same ones every time: many shapes, all sizes."""
    rnd = random.Random(seed)
    out = []
    for n in range(count):
        text = " ".join(rnd.choice(_words) for _ in range(rnd.choice((3, 30, 300, 3000))))
        lines = "\n".join(text[i:i + 70] for i in range(0, len(text), 70))
        head = ("From: =?utf-8?Q?Ann_=C3=85ngstr=C3=B6m?= <ann@example.org>\n"
                "To: Bob <bob@example.net>, group: a@example.org, b@example.org;\n"
                "Subject: %s sample %d\nDate: Mon, 02 Mar 2026 10:%02d:00 +0100\n"
                "Message-ID: <sample.%d.%d@example.org>\n" %
                (rnd.choice(("Re:", "Fwd:", "", "=?utf-8?B?R3LDvMOfZQ==?=")), n, n % 60, n, seed))
        kind = n % 6
        if kind == 0:
            body = "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n" + lines
        elif kind == 1:
            blob = bytes(rnd.getrandbits(8) for _ in range(rnd.choice((10, 5000, 200000))))
            body = ("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"b%d\"\n\n"
                    "preamble\n--b%d\nContent-Type: text/plain\n\n%s\n--b%d\n"
                    "Content-Type: application/octet-stream; name=\"data.bin\"\n"
                    "Content-Transfer-Encoding: base64\n"
                    "Content-Disposition: attachment; filename=\"data.bin\"\n\n%s--b%d--\nepilogue" %
                    (n, n, lines[:500], n, base64.encodebytes(blob).decode(), n))
        elif kind == 2:
            body = ("Content-Type: multipart/alternative; boundary=x\n\n--x\n\nplain\n--x\n"
                    "Content-Type: text/html\n\n<p>%s</p>\n--x--\n" % lines)
        elif kind == 3:
            body = "\n.\n..\n.dot line\n.\n\n" + lines
        elif kind == 4:
            body = ("Content-Type: message/rfc822\n\nFrom: inner@example.org\nSubject: inner %d\n\n"
                    "inner body\n%s" % (n, lines))
        else:
            body = "X-Long: " + "a" * rnd.choice((100, 900, 60000)) + "\n\n" + lines
        out.append((head + body).encode("utf-8"))
    return out


def corpus(limit=None):
    folder = os.environ.get("MANSIO_CORPUS")
    files = sorted(glob.glob(os.path.join(folder, "**", "*"), recursive=True)) if folder else []
    out = []
    for f in files:
        if os.path.isfile(f):
            with open(f, "rb") as h:
                out.append(h.read())
        if limit and len(out) >= limit:
            break
    return out


def skip(why):
    print(why)
    sys.exit(77)


def ctl(*args, text=None, check=True):
    """mansioctl of the server under test; its standard output."""
    import subprocess
    r = subprocess.run([os.path.join(os.environ["MANSIO_BIN"], "mansioctl"), "--config",
                        os.path.join(os.environ["MANSIO_DIR"], "etc", "mansio.conf"), *args],
                       input=text, capture_output=True, text=True, timeout=60)
    if check and r.returncode != 0:
        raise AssertionError("mansioctl %s: %s" % (" ".join(args), r.stderr.strip()))
    return r.stdout


def log_lines(since=0):
    """The server's log from an offset on (contrib/try writes it to DIR/log)."""
    with open(os.path.join(os.environ["MANSIO_DIR"], "log"), "rb") as f:
        f.seek(since)
        return f.read().decode("utf-8", "replace").splitlines()


def log_size():
    return os.path.getsize(os.path.join(os.environ["MANSIO_DIR"], "log"))


def processes():
    """pid -> name of all below the monitor of the server under test."""
    with open(os.path.join(os.environ["MANSIO_DIR"], "mansiod.pid")) as f:
        monitor = int(f.read())
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = open("/proc/%s/stat" % entry).read()
            except OSError:
                continue
            name = stat[stat.index("(") + 1:stat.rindex(")")]
            found[int(entry)] = (int(stat[stat.rindex(")") + 2:].split()[1]), name)
    mine = {}
    todo = [monitor]
    while todo:
        p = todo.pop()
        for pid, (parent, name) in found.items():
            if parent == p and pid not in mine:
                mine[pid] = "master" if name == "mansiod" else name
                todo.append(pid)
    return mine


class Smtp:
    """An LMTP client that sends what it is told, as it is told.

    split: one byte per write."""
    def __init__(self, hello=True, port=None, host=None, source=None, unix=None, split=False):
        import socket
        if unix:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(30)
            self.sock.connect(unix)
        else:
            self.sock = socket.create_connection((host or HOST, port or LMTP), 30,
                                                 source_address=source)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.split, self.data = split, b""
        self.greeting = self.reply()
        self.offers = []
        if hello:
            self.offers = self.must(250, "LHLO test.example.org").split("\n")[1:]

    def raw(self, data):
        if isinstance(data, str):
            data = data.encode()
        if self.split:
            for i in range(len(data)):
                self.sock.sendall(data[i:i + 1])
        else:
            self.sock.sendall(data)

    def reply(self):
        """"250 2.1.0 text"; lines of one reply are parted by LF; "" when it closed."""
        out = []
        while True:
            while b"\r\n" not in self.data:
                got = self.sock.recv(65536)
                if not got:
                    return ""
                self.data += got
            line, self.data = self.data.split(b"\r\n", 1)
            line = line.decode()
            out.append(line[4:])
            if line[3:4] != "-":
                return line[:4] + "\n".join(out)

    def __call__(self, line):
        self.raw(line + "\r\n")
        return self.reply()

    def must(self, want, line):
        """want: how the reply must start, "550 5.1.1" for example."""
        got = self(line)
        assert got.startswith(str(want)), "%r was answered %r, not %s" % (line[:200], got, want)
        return got

    def expect(self, want):
        got = self.reply()
        assert got.startswith(str(want)), "%r, not %s" % (got, want)
        return got

    def envelope(self, *to, sender="sender@example.org", params=""):
        self.must(250, "MAIL FROM:<%s>%s" % (sender, params))
        for t in to:
            self.must(250, "RCPT TO:<%s>" % t)

    def text(self, data, *want):
        """DATA with exactly these bytes behind the 354; one reply for each of want."""
        self.must(354, "DATA")
        self.raw(data)
        return [self.expect(w) for w in want or ("250",)]

    def close(self):
        self.sock.close()


def load_conf(text, seconds=60):
    """Makes this the configuration and reloads it; False: it was refused."""
    import signal
    import time
    root = os.environ["MANSIO_DIR"]
    at = log_size()
    with open(os.path.join(root, "etc", "mansio.conf"), "w") as f:
        f.write(text)
    with open(os.path.join(root, "mansiod.pid")) as f:
        os.kill(int(f.read()), signal.SIGHUP)
    end = time.time() + seconds
    while not any("reload." in line for line in log_lines(at)):
        assert time.time() < end, "SIGHUP was not heard"
        time.sleep(0.05)
    done = any("reload.done" in line for line in log_lines(at))
    time.sleep(0.2)             # until the workers have it
    return done


def configure(settings, section="imap"):
    """Puts settings into a section of the configuration and reloads it; gives back a function
    that undoes this."""
    with open(os.path.join(os.environ["MANSIO_DIR"], "etc", "mansio.conf")) as f:
        good = f.read()

    def load(text):
        assert load_conf(text), "the configuration was not taken"

    head = "\n%s {" % section
    load(good.replace(head, "%s %s " % (head, settings)) if head in good else
         "%s\n%s { %s }\n" % (good, section, settings))
    return lambda: load(good)
