"""A mail relay for tests: takes what it is given, and does at each step what it is told.

    relay = Relay(offers=["PIPELINING", "8BITMIME"])
    relay.plan = [("rcpt", "450 4.2.0 later"), None, ("dot", "close")]
    relay.got            # messages that it took: .sender .to .params .text .user .tls
    relay.seen           # these, and those whose end came and nobody was told

plan: for one message after the other a step and what happens at it; None: all goes well; when it is over
all goes well for ever.  Steps: greeting, ehlo, starttls, mail, rcpt, data, text (after its first bytes), dot.
What happens: a reply; "close"; "reset": the connection is torn; "hold": it says nothing until release()."""
import base64
import socket
import ssl
import struct
import threading
import time


class Gone(Exception):
    pass


class Message:
    sender = to = params = text = user = None
    tls = False


class Relay:
    def __init__(self, offers=("PIPELINING", "8BITMIME", "SMTPUTF8", "DSN", "SIZE 10000000"), tls=None,
                 implicit=False, users=None, port=0):
        """tls: (certificate, key) in PEM files; users: {name: password}, asked for before mail."""
        self.offers, self.users, self.implicit = list(offers), users, implicit
        self.ctx = None
        if tls:
            self.ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.ctx.load_cert_chain(*tls)
        self.plan, self.got, self.seen = [], [], []
        self.connections = 0
        self.held, self.go_on = threading.Event(), threading.Event()
        self.lock = threading.Lock()
        self.sock = socket.create_server(("127.0.0.1", port), backlog=64)
        self.port = self.sock.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.go_on.set()
        self.sock.close()

    def release(self):
        self.go_on.set()

    def wait_held(self, seconds=60):
        assert self.held.wait(seconds), "nobody came to that step"

    def accept(self):
        while True:
            try:
                s, _ = self.sock.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(s,), daemon=True).start()

    def serve(self, s):
        try:
            s.settimeout(60)
            if self.implicit:
                s = self.ctx.wrap_socket(s, server_side=True)
            Session(self, s).run()
        except (Gone, OSError, ssl.SSLError):
            pass
        finally:
            s.close()

    def at(self, step):
        """What is planned for the message at hand, when it is at this step; it is used up then."""
        with self.lock:
            if self.plan and (self.plan[0] is None and step == "mail" or
                              self.plan[0] is not None and self.plan[0][0] == step):
                return self.plan.pop(0)
        return None


class Session:
    def __init__(self, relay, sock):
        self.r, self.sock, self.data = relay, sock, b""
        self.user, self.tls, self.m = None, relay.implicit, None

    def say(self, *lines):
        out = b""
        for i, line in enumerate(lines):
            code, _, words = line.partition(" ")
            out += ("%s%s%s\r\n" % (code, " " if i + 1 == len(lines) else "-", words)).encode()
        self.sock.sendall(out)

    def more(self):
        got = self.sock.recv(65536)
        if not got:
            raise Gone
        self.data += got

    def line(self):
        while b"\r\n" not in self.data:
            self.more()
        line, self.data = self.data.split(b"\r\n", 1)
        return line.decode("utf-8", "surrogateescape")

    def step(self, name, well):
        """True: it went well."""
        what = self.r.at(name)
        if what is None or what[1:] == (None,):
            self.say(*well) if well else None
            return True
        do = what[1]
        if do == "hold":
            self.r.held.set()
            self.r.go_on.wait(60)
            raise Gone
        if do == "reset":
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if do in ("close", "reset"):
            raise Gone
        self.say(do)
        return False

    def run(self):
        if not self.step("greeting", ["220 relay.test here"]):
            return
        while True:
            line = self.line()
            verb = line.split(" ")[0].upper()
            handler = getattr(self, "do_" + verb.lower().replace(":", ""), None)
            if handler is None:
                self.say("502 5.5.1 what?")
            elif handler(line) is False:
                return

    def do_ehlo(self, line):
        offers = [o for o in self.r.offers]
        if self.r.ctx and not self.tls:
            offers.append("STARTTLS")
        if self.r.users and self.tls:
            offers.append("AUTH PLAIN LOGIN")
        self.step("ehlo", ["250 relay.test"] + ["250 " + o for o in offers])

    def do_helo(self, line):
        self.say("250 relay.test")

    def do_starttls(self, line):
        if not self.step("starttls", ["220 go on"]):
            return
        self.data = b""
        self.sock = self.r.ctx.wrap_socket(self.sock, server_side=True)
        self.tls = True

    def do_auth(self, line):
        _, how, *first = line.split(" ")
        if how.upper() == "PLAIN":
            who, password = base64.b64decode(first[0]).split(b"\0")[1:]
        else:
            self.say("334 VXNlcm5hbWU6")
            who = base64.b64decode(self.line())
            self.say("334 UGFzc3dvcmQ6")
            password = base64.b64decode(self.line())
        if self.r.users.get(who.decode()) == password.decode():
            self.user = who.decode()
            self.say("235 2.7.0 in")
        else:
            self.say("535 5.7.8 no")

    def do_rset(self, line):
        self.m = None
        self.say("250 ok")

    def do_noop(self, line):
        self.say("250 ok")

    def do_quit(self, line):
        self.say("221 bye")
        return False

    def do_mail(self, line):
        if self.r.users and not self.user:
            self.say("530 5.7.0 log in first")
            return
        if not self.step("mail", ["250 ok"]):
            return
        self.m = Message()
        path, _, self.m.params = line[len("MAIL FROM:"):].partition(" ")
        self.m.sender, self.m.to, self.m.rcpt_params = path.strip("<>"), [], []
        self.m.user, self.m.tls = self.user, self.tls

    def do_rcpt(self, line):
        if self.m is None:
            self.say("503 5.5.1 MAIL first")
        elif self.step("rcpt", ["250 ok"]):
            path, _, params = line[len("RCPT TO:"):].partition(" ")
            self.m.to.append(path.strip("<>"))
            self.m.rcpt_params.append(params)

    def do_data(self, line):
        if self.m is None or not self.m.to:
            self.say("503 5.5.1 RCPT first")
            return
        if not self.step("data", ["354 go on"]):
            return
        if self.r.plan and self.r.plan[0] and self.r.plan[0][0] == "text":
            self.more()
            if not self.step("text", None):
                raise Gone
        while b"\r\n.\r\n" not in self.data and not self.data.startswith(b".\r\n"):
            self.more()
        text, _, self.data = (b"\r\n" + self.data).partition(b"\r\n.\r\n")
        self.m.text = (text[2:] + b"\r\n").replace(b"\r\n..", b"\r\n.")
        try:
            if self.step("dot", ["250 2.0.0 taken"]):
                self.r.got.append(self.m)
                self.r.seen.append(self.m)
        except Gone:
            self.r.seen.append(self.m)
            raise
        self.m = None


def until(what, seconds=60, why="", every=0.05):
    end = time.time() + seconds
    while not what():
        assert time.time() < end, why or "it did not happen"
        time.sleep(every)
