"""A small IMAP client that shows everything: responses as lists, the order they came in,
and a view of the selected mailbox that fails as soon as a sequence number lies.

    c = Imap(); c.login(user(0), PASSWORD)
    r = c("SELECT INBOX")           # r.ok, r.code, r.text, r.untagged
    c.cmd(b"APPEND INBOX", Literal(b"..."))
"""
import re
import socket
import ssl
import zlib

from mansio import HOST, IMAP, IMAPS


class Literal(bytes):
    """An argument that is sent as a literal."""


class Closed(Exception):
    pass


class Lie(AssertionError):
    """The server said what cannot be true."""


class Response:
    def __init__(self, status, code, text, untagged):
        self.status, self.code, self.text, self.untagged = status, code, text, untagged

    @property
    def ok(self):
        return self.status == b"OK"

    def find(self, word):
        """Untagged responses with this word, as lists: [b"SEARCH", ...], [3, b"EXISTS"] ..."""
        return [u for u in self.untagged if word in (u[0], u[1] if len(u) > 1 else None)]

    def __repr__(self):
        return "%s [%s] %s %r" % (self.status, self.code, self.text, self.untagged[:20])


_word = re.compile(rb'[^\s()"{\[]+')


def tokens(parts):
    """parts: text and literals in turn -> nested lists; numbers are int, strings bytes."""
    stack = [[]]
    for n, part in enumerate(parts):
        if n % 2:
            stack[-1].append(bytes(part))
            continue
        i = 0
        while i < len(part):
            c = part[i:i + 1]
            if c in b" \r\n":
                i += 1
            elif c == b"(":
                stack.append([])
                i += 1
            elif c == b")":
                done = stack.pop()
                stack[-1].append(done)
                i += 1
            elif c == b'"':
                out = bytearray()
                i += 1
                while part[i:i + 1] != b'"':
                    if part[i:i + 1] == b"\\":
                        i += 1
                    out += part[i:i + 1]
                    i += 1
                stack[-1].append(bytes(out))
                i += 1
            elif part[i:i + 1] == b"{" or part[i:i + 2] == b"~{":
                i = part.index(b"}", i) + 1      # the literal follows as the next part
            else:
                start = i
                while i < len(part) and part[i:i + 1] not in (b" ", b"(", b")", b"\r", b"\n"):
                    if part[i:i + 1] == b"[":
                        i = part.index(b"]", i)
                    i += 1
                word = part[start:i]
                stack[-1].append(int(word) if word.isdigit() else None if word == b"NIL" else word)
    if len(stack) != 1:
        raise Lie("parentheses do not match: %r" % (parts,))
    return stack[0]


class Imap:
    def __init__(self, port=None, host=HOST, tls=False, timeout=60, source=None):
        self.sock = socket.create_connection((host, port or (IMAPS if tls else IMAP)), timeout,
                                             source_address=source)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.sock = unverified().wrap_socket(self.sock)
        self.data, self.n, self.view, self.tag = b"", 0, None, None
        self.greeting = self.line()

    # lines and literals ------------------------------------------------------
    def raw(self, data):
        self.sock.sendall(data)

    def _more(self):
        got = self.sock.recv(65536)
        if not got:
            raise Closed()
        self.data += got

    def line(self):
        while b"\n" not in self.data:
            self._more()
        got, self.data = self.data.split(b"\n", 1)
        if not got.endswith(b"\r"):
            raise Lie("a line without CR: %r" % got)
        return got[:-1]

    def octets(self, n):
        while len(self.data) < n:
            self._more()
        got, self.data = self.data[:n], self.data[n:]
        return got

    def response(self):
        """text, literal, text, ... of one response."""
        parts = [self.line()]
        while True:
            m = re.search(rb"\{(\d+)\}$", parts[-1])
            if not m:
                return parts
            parts.append(self.octets(int(m.group(1))))
            parts.append(self.line())

    # commands ------------------------------------------------------------------
    def send(self, *args, sync=True):
        """Text and Literals; returns the tag.  With sync each literal waits for "+"."""
        self.n += 1
        tag = b"t%d" % self.n
        out = tag
        for a in args:
            if isinstance(a, str):
                a = a.encode()
            if isinstance(a, Literal):
                if sync:
                    self.raw(out + b" {%d}\r\n" % len(a))
                    parts = self.response()
                    while parts[0].startswith(b"* "):
                        self.untagged_here.append(self._take(parts))
                        parts = self.response()
                    if not parts[0].startswith(b"+"):
                        self.refused = parts
                        return tag
                    out = bytes(a)
                else:
                    out += b" {%d+}\r\n" % len(a) + bytes(a)
            else:
                out += (b" " if out and not a.startswith(b")") else b"") + a
        self.raw(out + b"\r\n")
        return tag

    untagged_here, refused = [], None

    def cmd(self, *args, sync=True):
        self.untagged_here, self.refused = [], None
        text = args[0] if isinstance(args[0], str) else args[0].decode()
        self.name = text.split()[0].upper()
        self.uid_form = self.name == "UID"
        if self.uid_form:
            self.name = (text.split() + [""])[1].upper()
        return self.wait(self.send(*args, sync=sync))

    __call__ = cmd

    def pipeline(self, texts):
        """Commands of one kind, without literals, in one write; yields their answers in order."""
        tags = [b"t%d" % (self.n + i + 1) for i in range(len(texts))]
        self.n += len(texts)
        words = texts[0].upper().split()
        self.uid_form = words[0] == "UID"
        self.name = words[self.uid_form]
        self.raw(b"".join(tag + b" " + t.encode() + b"\r\n" for tag, t in zip(tags, texts)))
        for tag in tags:
            self.untagged_here, self.refused = [], None
            yield self.wait(tag)

    def wait(self, tag):
        untagged = self.untagged_here
        while True:
            parts = self.refused or self.response()
            self.refused = None
            if parts[0].startswith(b"* "):
                untagged.append(self._take(parts))
            elif parts[0].startswith(tag + b" "):
                return self._end(parts[0][len(tag) + 1:], untagged)
            elif parts[0].startswith(b"+"):
                untagged.append([b"+", parts[0][2:]])
            else:
                raise Lie("unexpected %r while waiting for %r" % (parts[0][:200], tag))

    def _end(self, rest, untagged):
        status, _, text = rest.partition(b" ")
        code = None
        if text.startswith(b"["):
            code, _, text = text[1:].partition(b"] ")
        return Response(status, code, text, untagged)

    def _take(self, parts):
        if parts[0].startswith((b"* OK", b"* NO", b"* BAD", b"* BYE", b"* PREAUTH")):
            status, _, text = parts[0][2:].partition(b" ")
            return [status, text]
        got = tokens([parts[0][2:]] + parts[1:])
        if self.view is not None:
            self.view.untagged(got, self)
        return got

    def login(self, user, password):
        r = self.cmd('LOGIN "%s" "%s"' % (user, password))
        assert r.ok, r
        return self

    def need(self, *args, **kw):
        r = self.cmd(*args, **kw)
        assert r.ok, (args[:1], r)
        return r

    def starttls(self):
        self.need("STARTTLS")
        self.sock = unverified().wrap_socket(self.sock)

    def compress(self):
        """COMPRESS DEFLATE: from here on self.sock packs and unpacks."""
        self.need("COMPRESS DEFLATE")
        assert not self.data, self.data
        self.sock = Deflated(self.sock)

    def select(self, box, examine=False):
        """SELECT with a View that checks every number from now on."""
        self.view = View()
        r = self.need(("EXAMINE " if examine else "SELECT ") + box)
        return r

    def idle(self, seconds):
        """IDLE for so long; what came is in the view and in the result."""
        import select as sel
        import time
        self.untagged_here, self.name, self.uid_form = [], "IDLE", True
        tag = self.send("IDLE")
        while True:
            parts = self.response()
            if parts[0].startswith(b"+"):
                break
            if not parts[0].startswith(b"* "):
                return self._end(parts[0][len(tag) + 1:], self.untagged_here)
            self.untagged_here.append(self._take(parts))
        end = time.time() + seconds
        while b"\n" in self.data or end > time.time():
            if b"\n" not in self.data and \
                    not sel.select([self.sock], [], [], max(0, end - time.time()))[0]:
                break
            self.untagged_here.append(self._take(self.response()))
        self.raw(b"DONE\r\n")
        return self.wait(tag)

    def close(self):
        self.sock.close()


class Deflated:
    """A socket that sends and receives raw DEFLATE (RFC 4978); split: bytes a write."""
    def __init__(self, sock, level=6, wbits=-15, split=0):
        self.sock, self.split = sock, split
        self.packer = zlib.compressobj(level, zlib.DEFLATED, wbits)
        self.unpacker = zlib.decompressobj(-15)

    def pack(self, data, flush=zlib.Z_SYNC_FLUSH):
        return self.packer.compress(data) + self.packer.flush(flush)

    def put(self, packed):
        step = self.split or max(1, len(packed))
        for i in range(0, len(packed), step):
            self.sock.sendall(packed[i:i + step])

    def sendall(self, data):
        self.put(self.pack(data))

    def recv(self, n):
        while True:
            got = self.sock.recv(n)
            out = self.unpacker.decompress(got)
            if out or not got:
                return out

    def fileno(self):
        return self.sock.fileno()

    def close(self):
        self.sock.close()


class View:
    """What this session may believe about the selected mailbox."""
    def __init__(self):
        self.uids, self.flags, self.modseq = [], {}, {}     # uids by sequence number - 1; None: not known

    def untagged(self, got, c):
        if len(got) < 2 or not isinstance(got[0], int):
            return
        n, what = got[0], got[1]
        if what == b"EXISTS":
            if n < len(self.uids):
                raise Lie("EXISTS went from %d down to %d" % (len(self.uids), n))
            self.uids += [None] * (n - len(self.uids))
        elif what == b"EXPUNGE":
            if not c.uid_form and c.name in ("FETCH", "STORE", "SEARCH"):
                raise Lie("EXPUNGE during %s" % c.name)
            if not 1 <= n <= len(self.uids):
                raise Lie("EXPUNGE %d of %d" % (n, len(self.uids)))
            gone = self.uids.pop(n - 1)
            self.flags.pop(gone, None)
        elif what == b"FETCH":
            if not 1 <= n <= len(self.uids):
                raise Lie("FETCH of %d, but there are %d" % (n, len(self.uids)))
            items = pairs(got[2])
            uid = items.get(b"UID")
            if uid is not None:
                if self.uids[n - 1] not in (None, uid):
                    raise Lie("number %d was uid %d, now %d" % (n, self.uids[n - 1], uid))
                self.uids[n - 1] = uid
                below = [u for u in self.uids[:n - 1] if u is not None]
                above = [u for u in self.uids[n:] if u is not None]
                if below and max(below) >= uid or above and min(above) <= uid:
                    raise Lie("uid %d at %d is out of order" % (uid, n))
            if b"FLAGS" in items and self.uids[n - 1] is not None:
                self.flags[self.uids[n - 1]] = {f for f in items[b"FLAGS"] if f != b"\\Recent"}

    def unknown(self):
        """The range of numbers whose uid is not known yet, or None."""
        holes = [i + 1 for i, u in enumerate(self.uids) if u is None]
        return (min(holes), max(holes)) if holes else None


def pairs(items):
    """FETCH's list as a table; b"BODY[...]" keys as they are."""
    return {items[i] if isinstance(items[i], bytes) else str(items[i]).encode(): items[i + 1]
            for i in range(0, len(items) - 1, 2)}


def unverified():
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
    return ctx


def uidset(text):
    """b"1:3,7" -> [1, 2, 3, 7]"""
    out = []
    for part in text.split(b","):
        a, _, b = part.partition(b":")
        a, b = int(a), int(b or a)
        out += list(range(min(a, b), max(a, b) + 1)) if a <= b else list(range(a, b - 1, -1))
    return out
