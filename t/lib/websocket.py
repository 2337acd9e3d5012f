"""A WebSocket client (RFC 6455) for tests: text messages, with permessage-deflate if wanted."""
import base64
import hashlib
import os
import socket
import struct
import zlib


class Closed(Exception):
    """The server closed it; .code."""
    def __init__(self, code):
        super().__init__(code)
        self.code = code


class WebSocket:
    def __init__(self, host, port, path, headers=(), protocol="jmap", deflate=False, context=None):
        self.sock = socket.create_connection((host, port), 60)
        if context:
            self.sock = context.wrap_socket(self.sock, server_hostname="localhost")
        key = base64.b64encode(os.urandom(16)).decode()
        head = ["GET %s HTTP/1.1" % path, "Host: %s:%d" % (host, port), "Upgrade: websocket",
                "Connection: Upgrade", "Sec-WebSocket-Key: " + key, "Sec-WebSocket-Version: 13"]
        if protocol:
            head.append("Sec-WebSocket-Protocol: " + protocol)
        if deflate:
            head.append("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits")
        head += ["%s: %s" % h for h in dict(headers).items()]
        self.sock.sendall(("\r\n".join(head) + "\r\n\r\n").encode())
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            self.more()
        answer, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        lines = answer.decode().split("\r\n")
        self.status = int(lines[0].split()[1])
        self.headers = {n.lower(): v for n, v in (line.split(": ", 1) for line in lines[1:])}
        if self.status != 101:
            return
        want = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        assert self.headers["sec-websocket-accept"] == base64.b64encode(want).decode()
        self.deflate = "permessage-deflate" in self.headers.get("sec-websocket-extensions", "")

    def more(self):
        got = self.sock.recv(65536)
        if not got:
            raise Closed(None)
        self.buffer += got

    def take(self, n):
        while len(self.buffer) < n:
            self.more()
        got, self.buffer = self.buffer[:n], self.buffer[n:]
        return got

    def frame(self, op, data, fin=True, rsv1=False, mask=True):
        head = bytes([(0x80 if fin else 0) | (0x40 if rsv1 else 0) | op])
        bit = 0x80 if mask else 0
        if len(data) < 126:
            head += bytes([bit | len(data)])
        elif len(data) < 65536:
            head += bytes([bit | 126]) + struct.pack(">H", len(data))
        else:
            head += bytes([bit | 127]) + struct.pack(">Q", len(data))
        if not mask:
            return head + data
        key = os.urandom(4)
        n = len(data)
        mask_all = (key * (n // 4 + 1))[:n]
        return head + key + (int.from_bytes(data, "big") ^ int.from_bytes(mask_all, "big")) \
            .to_bytes(n, "big")

    def send(self, text, pieces=1):
        data = text.encode() if isinstance(text, str) else text
        if self.deflate:
            z = zlib.compressobj(6, zlib.DEFLATED, -15)
            data = (z.compress(data) + z.flush(zlib.Z_SYNC_FLUSH))[:-4]
        step = max(1, -(-len(data) // pieces))
        parts = [data[i:i + step] for i in range(0, len(data), step)] or [b""]
        for i, part in enumerate(parts):
            self.sock.sendall(self.frame(1 if i == 0 else 0, part, i == len(parts) - 1,
                                         self.deflate and i == 0))

    def receive(self):
        """(op, data) of the next frame."""
        first, second = self.take(2)
        assert first & 0x80 and not second & 0x80
        n = second & 0x7f
        if n == 126:
            n = struct.unpack(">H", self.take(2))[0]
        elif n == 127:
            n = struct.unpack(">Q", self.take(8))[0]
        data = self.take(n)
        if first & 0x40:
            data = zlib.decompressobj(-15).decompress(data + b"\0\0\xff\xff")
        return first & 0xf, data

    def text(self):
        """The next message; pings are answered."""
        while True:
            op, data = self.receive()
            if op == 1:
                return data.decode()
            if op == 9:
                self.sock.sendall(self.frame(10, data))
            if op == 8:
                raise Closed(struct.unpack(">H", data[:2])[0] if data else None)

    def close(self):
        self.sock.close()
