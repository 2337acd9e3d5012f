"""A relay that takes all mail and keeps it: what the server under test sends.

    with sending() as relay:
        ...
        relay.wait(1)       # [(sender, recipients, text)]
"""
import contextlib
import re
import socket
import threading
import time

from mansio import configure


class Relay(threading.Thread):
    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.taken, self.lock = [], threading.Lock()

    def run(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(s,), daemon=True).start()

    def serve(self, s):
        try:
            s.settimeout(60)
            self.talk(s, s.makefile("rb"))
        except (OSError, ValueError):
            pass
        s.close()

    def talk(self, s, lines):
        sender, to = "", []
        s.sendall(b"220 relay\r\n")
        for line in lines:
            verb = line[:4].upper()
            if verb == b"EHLO":
                s.sendall(b"250-relay\r\n250-8BITMIME\r\n250-DSN\r\n250 SMTPUTF8\r\n")
            elif verb == b"MAIL":
                sender, to = re.search(rb"<(.*?)>", line).group(1).decode(), []
                s.sendall(b"250 ok\r\n")
            elif verb == b"RCPT":
                to.append(re.search(rb"<(.*?)>", line).group(1).decode())
                s.sendall(b"250 ok\r\n")
            elif verb == b"DATA":
                s.sendall(b"354 go on\r\n")
                text = []
                for t in lines:
                    if t == b".\r\n":
                        break
                    text.append(t[1:] if t[:1] == b"." else t)
                else:
                    return
                with self.lock:
                    self.taken.append((sender, to, b"".join(text)))
                s.sendall(b"250 taken\r\n")
            else:
                s.sendall(b"250 ok\r\n")

    def wait(self, n, seconds=60):
        """The messages so far, as soon as there are n of them."""
        end = time.time() + seconds
        while time.time() < end:
            with self.lock:
                if len(self.taken) >= n:
                    return list(self.taken)
            time.sleep(0.02)
        raise AssertionError("%d messages came, not %d: %r" % (len(self.taken), n, self.taken[:3]))


@contextlib.contextmanager
def sending(settings=""):
    """The server sends through a relay of ours."""
    relay = Relay()
    relay.start()
    undo = configure("relay = \"127.0.0.1:%d\"  tls = none  %s" % (relay.port, settings), "outgoing")
    try:
        yield relay
    finally:
        undo()
        relay.listener.close()
