"""A small JMAP client for tests: session, calls, upload, download, events.

MANSIO_JMAP, MANSIO_JMAPS: the ports, when they are not the port base + 80 and + 443."""
import base64
import http.client
import json
import os
import ssl
import urllib.parse

from mansio import BASE, HOST, PASSWORD, user

PORT, PORT_TLS = (int(os.environ.get("MANSIO_" + name, BASE + port))
                  for name, port in (("JMAP", 80), ("JMAPS", 443)))
CORE = "urn:ietf:params:jmap:core"
MAIL = "urn:ietf:params:jmap:mail"
BLOB = "urn:ietf:params:jmap:blob"
QUOTA = "urn:ietf:params:jmap:quota"
ALL = [CORE, MAIL, BLOB, QUOTA]


class Failed(Exception):
    """A method-level error; .type and .args[0] its object."""
    def __init__(self, error):
        super().__init__(error)
        self.type = error["type"]


class Refused(Exception):
    """An HTTP status other than 2xx; .status, .problem (the object, or the body's text)."""
    def __init__(self, status, body):
        super().__init__(status, body[:500])
        self.status = status
        try:
            self.problem = json.loads(body)
        except ValueError:
            self.problem = body


class Client:
    """One connection of one user.  c.session is the session object, c.account the account id."""
    def __init__(self, n=1, tls=False, name=None, password=PASSWORD, auth=None, using=None):
        self.tls = tls
        self.auth = auth or "Basic " + base64.b64encode(
            ("%s:%s" % (name or user(n), password)).encode()).decode()
        self.conn = self.connect()
        self.session = self.get_session()
        self.account = self.session["primaryAccounts"][MAIL] \
            if MAIL in self.session["primaryAccounts"] else next(iter(self.session["accounts"]))
        self.using = using or [u for u in ALL if u in self.session["capabilities"]]
        self.created = None

    def connect(self):
        if self.tls:
            return http.client.HTTPSConnection(HOST, PORT_TLS, timeout=60,
                                               context=ssl._create_unverified_context())
        return http.client.HTTPConnection(HOST, PORT, timeout=60)

    def http(self, method, target, body=None, headers=(), ok=(200, 201)):
        """(status, headers, body); raises Refused unless the status is in ok."""
        head = {"Authorization": self.auth, **dict(headers)}
        if target.startswith("http"):
            u = urllib.parse.urlsplit(target)
            target = u.path + ("?" + u.query if u.query else "")
        try:
            self.conn.request(method, target, body, head)
            r = self.conn.getresponse()
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            self.conn.close()           # it was idle for too long
            self.conn = self.connect()
            self.conn.request(method, target, body, head)
            r = self.conn.getresponse()
        data = r.read()
        if r.status in (301, 302, 303, 307, 308) and r.status not in ok:
            return self.http(method, r.headers["Location"], body, headers, ok)
        if ok and r.status not in ok:
            raise Refused(r.status, data.decode("utf-8", "replace"))
        return r.status, r.headers, data

    def get_session(self):
        return json.loads(self.http("GET", "/.well-known/jmap")[2])

    def post(self, request):
        """The Response to a Request object, or to its text."""
        if not isinstance(request, (str, bytes)):
            request = json.dumps(request)
        _, headers, body = self.http("POST", self.session["apiUrl"],
                                     request.encode() if isinstance(request, str) else request,
                                     {"Content-Type": "application/json"})
        assert headers.get_content_type() == "application/json", headers
        return json.loads(body)

    def calls(self, *calls, using=None, **more):
        """Runs (method, arguments) or (method, arguments, id); accountId is put where it is
        missing (but in Core/ and PushSubscription/).  Returns the methodResponses."""
        out = []
        for i, call in enumerate(calls):
            name, args = call[0], dict(call[1])
            if not name.startswith(("Core/", "PushSubscription/")):
                args.setdefault("accountId", self.account)
            out.append([name, args, call[2] if len(call) > 2 else str(i)])
        answer = self.post({"using": using or self.using, "methodCalls": out, **more})
        self.session_state = answer["sessionState"]
        self.created = answer.get("createdIds")
        return answer["methodResponses"]

    def call(self, method, _using=None, **args):
        """One method's answer; its error is raised as Failed."""
        r = self.calls((method, args), using=_using)
        name, got, _ = r[0]
        if name == "error":
            raise Failed(got)
        assert name == method, r
        return got

    def fails(self, method, type, _using=None, **args):
        """The method's error, which must be of that type."""
        try:
            got = self.call(method, _using=_using, **args)
        except Failed as e:
            assert e.type == type, (e, type)
            assert e.args[0].get("description"), e
            return e.args[0]
        raise AssertionError("%s did not fail: %r" % (method, got))

    def upload(self, data, type="application/octet-stream"):
        """The answer to an upload: accountId, blobId, type, size."""
        url = self.session["uploadUrl"].replace("{accountId}", self.account)
        return json.loads(self.http("POST", url, data, {"Content-Type": type})[2])

    def download_url(self, blob, name="file", type="application/octet-stream", account=None):
        url = self.session["downloadUrl"]
        for key, value in (("accountId", account or self.account), ("blobId", blob),
                           ("name", name), ("type", type)):
            url = url.replace("{%s}" % key, urllib.parse.quote(value, safe=""))
        return url

    def download(self, blob, name="file", type="application/octet-stream", headers=()):
        return self.http("GET", self.download_url(blob, name, type), headers=headers,
                         ok=(200, 206))[2]

    def events(self, types="*", closeafter="no", ping=0, last=None):
        """Yields (event, data, id) of an EventSource on a connection of its own."""
        url = self.session["eventSourceUrl"]
        for key, value in (("types", types), ("closeafter", closeafter), ("ping", str(ping))):
            url = url.replace("{%s}" % key, urllib.parse.quote(value, safe=""))
        u = urllib.parse.urlsplit(url)
        conn = self.connect()
        head = {"Authorization": self.auth, "Accept": "text/event-stream"}
        if last is not None:
            head["Last-Event-ID"] = last
        conn.request("GET", u.path + "?" + u.query, headers=head)
        r = conn.getresponse()
        if r.status != 200:
            raise Refused(r.status, r.read().decode("utf-8", "replace"))
        event, data, ident = "message", [], None
        try:
            while True:
                line = r.readline()
                if not line:
                    return
                line = line.decode().rstrip("\r\n")
                if line == "":
                    if data:
                        yield event, json.loads("\n".join(data)), ident
                    event, data = "message", []
                    continue
                key, _, value = line.partition(":")
                value = value[1:] if value.startswith(" ") else value
                if key == "event":
                    event = value
                elif key == "data":
                    data.append(value)
                elif key == "id":
                    ident = value
        finally:
            conn.close()

    def mailbox(self, role=None, name=None):
        """The id of a mailbox by role or name; None: there is none."""
        for m in self.call("Mailbox/get", ids=None)["list"]:
            if (role and m["role"] == role) or (name and m["name"] == name):
                return m["id"]
        return None

    def close(self):
        self.conn.close()
