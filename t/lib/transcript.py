#!/usr/bin/env python3
"""Plays a transcript against a running server: transcript.py [--split N] FILE...

Lines of a transcript:

    # a comment
    protocol: pop3               what is spoken [imap], or sieve (ManageSieve: the account's scripts
                                 are deleted too); the account is prepared by IMAP
    user: 7                      the account, of MANSIO_USER's pattern [30]; emptied first
    other: 8                     a second account, whose name is ${other}; emptied too
    store: mailbox Old messages=2
    login: 1 2                   these connections are logged in before the first line
    tls: 2                       these speak TLS from the start
    C: a1 DELETE Old             sent, with CRLF; C2: on the second connection
    C= a1 APPEND Old {3+}\\r\\nabc   sent as it stands, with \\r \\n \\0 \\\\ and \\xNN read
    S: a1 OK *                   the next line of the server; * stands for anything
                                 (* OK [MAILBOXID ...], [URLMECH ...] and [ANNOTATIONS ...]
                                 may come unexpected)
    S> OK *                      lines up to the first that is like this
    S: <closed>                  the server closes the connection
    wait: 0.2                    seconds

    S: * OK [UIDVALIDITY ${v=}] *  keeps a number: later ${v}; ${v-2} is two less;
                                 ${v~} keeps a word

${user}, ${user-url} and ${other-url} (as URLs write it), ${password}, ${plain} (a message of SASL PLAIN), ${plain-other} (one that wants to act
for the second account) and ${100} (so many As) are
replaced.  Connections open with their first line; the
greeting is expected like any other line unless the connection is in `login`.  --split N
writes N bytes at a time."""
import base64
import os
import re
import socket
import ssl
import sys
import time
sys.path.insert(0, os.path.dirname(__file__))
from mansio import HOST, IMAP, IMAPS, PASSWORD, POP3, POP3S, SIEVE, user

UNEXPECTED = ("MAILBOXID", "URLMECH", "ANNOTATIONS")
TIMEOUT = float(os.environ.get("MANSIO_TIMEOUT", "20"))


class Failure(Exception):
    pass


def pattern(text):
    out = b""
    for part in re.split(r"(\$\{\w+[=~]\}|\*)", text):
        keep = re.fullmatch(r"\$\{(\w+)([=~])\}", part)
        if keep:
            out += b"(?P<%s>%s)" % (keep[1].encode(), b"[0-9]+" if keep[2] == "=" else rb"[\w-]+")
        else:
            out += b".*" if part == "*" else re.escape(part.encode())
    return re.compile(out, re.S)


class Connection:
    def __init__(self, split, tls=False, protocol="imap"):
        ports = {"pop3": (POP3, POP3S), "sieve": (SIEVE, SIEVE)}.get(protocol, (IMAP, IMAPS))
        self.s = socket.create_connection((HOST, ports[tls]), TIMEOUT)
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.secure()
        self.split, self.buf = split, b""

    def secure(self):
        self.s = ssl._create_unverified_context().wrap_socket(self.s)

    def send(self, data):
        step = self.split or len(data)
        try:
            for i in range(0, len(data), step):
                self.s.sendall(data[i:i + step])
        except (BrokenPipeError, ConnectionResetError):
            pass                # the next S: line tells

    def line(self):
        """The next line without its end; None: closed."""
        while b"\n" not in self.buf:
            try:
                got = self.s.recv(65536)
            except socket.timeout:
                raise Failure("nothing came in %g s; so far %r" % (TIMEOUT, self.buf))
            except (ConnectionResetError, ssl.SSLError):
                got = b""
            if not got:
                return None
            self.buf += got
        line, self.buf = self.buf.split(b"\n", 1)
        return line[:-1] if line.endswith(b"\r") else line

    def command(self, text):
        """For preparing: waits for the tagged OK; returns the lines before."""
        self.send(b"p " + text + b"\r\n")
        lines = []
        while True:
            line = self.line()
            if line is None:
                raise Failure("closed while preparing %r" % text)
            if line.startswith(b"p "):
                return line, lines
            if line.startswith(b"+ "):
                return line, lines
            lines.append(line)


def sieve_answer(c, command=None):
    """The lines of an answer of ManageSieve; its last one begins with OK."""
    if command is not None:
        c.send(command + b"\r\n")
    lines = []
    while not lines or not re.match(rb"(OK|NO|BYE)\b", lines[-1]):
        lines.append(c.line())
        if lines[-1] is None:
            raise Failure("closed behind %r" % command)
    if not lines[-1].startswith(b"OK"):
        raise Failure("%r: %r" % (command, lines[-1]))
    return lines[:-1]


def logged_in(n, split=0, tls=False, protocol="imap"):
    c = Connection(split, tls, protocol)
    if protocol == "sieve":
        sieve_answer(c)
        sieve_answer(c, b'AUTHENTICATE "PLAIN" "%s"' % plain(n).encode())
        return c
    c.line()
    if protocol == "pop3":
        for command in ("USER " + user(n), "PASS " + PASSWORD):
            c.send(command.encode() + b"\r\n")
            answer = c.line()
            if answer is None or not answer.startswith(b"+OK"):
                raise Failure("login: %r" % answer)
        return c
    answer, _ = c.command(("LOGIN %s %s" % (user(n), PASSWORD)).encode())
    if not answer.startswith(b"p OK"):
        raise Failure("login: %r" % answer)
    return c


def names(lines):
    return [l.split(b' "/" ', 1)[1] for l in lines]


def clean_scripts(n):
    c = logged_in(n, protocol="sieve")
    sieve_answer(c, b'SETACTIVE ""')
    names = []
    for line in sieve_answer(c, b"LISTSCRIPTS"):
        names.append(line + b"\r\n" if line.startswith(b"{") else line)
        if len(names) > 1 and names[-2].endswith(b"\n"):
            names[-2:] = [names[-2] + line]
    for name in names:
        sieve_answer(c, b"DELETESCRIPT " + re.sub(rb"^\{(\d+)\}", rb"{\1+}", name))
    c.s.close()


def clean(n, protocol="imap"):
    if protocol == "sieve":
        clean_scripts(n)
    c = logged_in(n)
    _, lines = c.command(b'LIST "" *')
    for name in sorted(names(lines), reverse=True):
        if name != b"INBOX" and b"Other Users" not in name:
            c.command(b"DELETE " + name)
    _, lines = c.command(b'LSUB "" *')
    for name in names(lines):
        c.command(b"UNSUBSCRIBE " + name)
    c.command(b"SELECT INBOX")
    c.command(b"STORE 1:* +FLAGS.SILENT (\\Deleted)")
    c.command(b"EXPUNGE")
    c.command(b"LOGOUT")
    c.s.close()


def prepare(n, words):
    """mailbox NAME [messages=N]"""
    kind, name, *options = words
    if kind != "mailbox":
        raise Failure("store: what is %r?" % kind)
    options = dict(o.split("=", 1) for o in options)
    c = logged_in(n)
    if name != "INBOX":
        c.command(b"CREATE " + name.encode())
    for i in range(1, int(options.get("messages", 0)) + 1):
        m = ("From: Sender %d <s%d@example.org>\r\nTo: reader@example.org\r\n"
             "Subject: message %d\r\nDate: Mon, %02d Feb 2021 10:00:00 +0000\r\n"
             "Message-ID: <%d@example.org>\r\n\r\nbody %d\r\n" % (i, i, i, i, i, i)).encode()
        c.command(b'APPEND %s "%2d-Feb-2021 10:00:00 +0000" {%d+}\r\n' %
                  (name.encode(), i, len(m)) + m)
    c.command(b"LOGOUT")
    c.s.close()


def plain(n, other=""):
    return base64.b64encode(("%s\0%s\0%s" % (other, user(n), PASSWORD)).encode()).decode()


def unescape(text):
    one = {"r": b"\r", "n": b"\n", "0": b"\0", "\\": b"\\"}
    return re.sub(rb"\\(x[0-9a-fA-F]{2}|[rn0\\])", lambda m:
                  bytes([int(m[1][1:], 16)]) if m[1][:1] == b"x" else one[m[1].decode()],
                  text.encode())


def play(path, split):
    other = 0
    account, tls, connections, kept, protocol = 30, set(), {}, {}, "imap"
    head = True
    with open(path) as f:
        lines = f.read().split("\n")
    for number, text in enumerate(lines, 1):
        where = "%s:%d" % (path, number)
        if not text.strip() or text.startswith("#"):
            continue
        m = re.match(r"(protocol|other|user|store|login|tls|wait|secure|C\d*|S\d*)([:=>]) ?(.*)$", text)
        if m is None:
            raise Failure("%s: what is %r?" % (where, text))
        word, equal, until, rest = m[1], m[2] == "=", m[2] == ">", m[3]
        rest = rest.replace("${user}", user(account)).replace("${password}", PASSWORD)
        rest = rest.replace("${other}", user(other))
        rest = rest.replace("${user-url}", user(account).replace("@", "%40"))
        rest = rest.replace("${other-url}", user(other).replace("@", "%40"))
        rest = rest.replace("${plain}", plain(account))
        rest = rest.replace("${plain-other}", plain(account, user(other)))
        rest = re.sub(r"\$\{(\d+)\}", lambda r: "A" * int(r[1]), rest)
        rest = re.sub(r"\$\{(\w+)([-+]\d+)?\}", lambda m: str(int(kept[m[1]]) + int(m[2])) if m[2] else
                      kept[m[1]], rest)
        try:
            if word == "protocol":
                protocol = rest
                continue
            if word == "user":
                account = int(rest)
                continue
            if word == "other":
                other = int(rest)
                clean(other)
                continue
            if word == "tls":
                tls = set(rest.split())
                continue
            if head:
                clean(account, protocol)
                head = False
            if word == "store":
                prepare(account, rest.split())
            elif word == "wait":
                time.sleep(float(rest))
            elif word == "login":
                for n in rest.split():
                    connections[n] = logged_in(account, split, n in tls, protocol)
            elif word == "secure":
                connections[rest].secure()
            else:
                step(connections, word, equal, until, rest, split, tls, kept, protocol)
        except Failure as e:
            raise Failure("%s: %s" % (where, e))
    for c in connections.values():
        c.s.close()


def step(connections, word, equal, until, rest, split, tls, kept, protocol):
    n = word[1:] or "1"
    if n not in connections:
        connections[n] = Connection(split, n in tls, protocol)
    c = connections[n]
    if word[0] == "C":
        c.send(unescape(rest) if equal else rest.encode() + b"\r\n")
        return
    line = c.line()
    while line is not None and any(line.startswith(b"* OK [%s " % code.encode()) and
                                   code not in rest for code in UNEXPECTED):
        line = c.line()
    while until and line is not None and not pattern(rest).fullmatch(line):
        line = c.line()
    if rest == "<closed>":
        if line is not None:
            raise Failure("expected the end, came %r" % line)
    elif line is None:
        raise Failure("expected %r, the connection was closed" % rest)
    else:
        m = pattern(rest).fullmatch(line)
        if m is None:
            raise Failure("expected %r\n   came %r" % (rest, line.decode("utf-8", "replace")))
        kept.update((k, v.decode()) for k, v in m.groupdict().items())


def main():
    args, split = sys.argv[1:], 0
    if args[:1] == ["--split"]:
        split, args = int(args[1]), args[2:]
    bad = 0
    for path in args:
        try:
            play(path, split)
        except (Failure, OSError) as e:
            print(e if isinstance(e, Failure) else "%s: %s" % (path, e))
            bad += 1
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
