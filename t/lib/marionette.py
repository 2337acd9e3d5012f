"""Drives a program of Mozilla's by its remote protocol: a connection on loopback that carries
"LENGTH:JSON", requests [0, id, command, parameters] and answers [1, id, error, result]."""
import json
import os
import signal
import socket
import subprocess
import time


class Failed(Exception):
    pass


class Marionette:
    """program: started without a window, with a fresh profile in `folder`."""

    def __init__(self, program, folder, prefs, port):
        os.makedirs(folder + "/profile")
        os.makedirs(folder + "/home", exist_ok=True)
        with open(folder + "/profile/user.js", "w") as f:
            for name, value in dict(prefs, **{"marionette.port": port}).items():
                f.write("user_pref(%s, %s);\n" % (json.dumps(name), json.dumps(value)))
        self.log = open(folder + "/log", "wb")
        self.program = subprocess.Popen(
            [program, "--headless", "--no-remote", "--marionette", "--remote-allow-system-access",
             "--profile", folder + "/profile"], stdout=self.log, stderr=self.log,
            env=dict(os.environ, HOME=folder + "/home", MOZ_HEADLESS="1"), start_new_session=True)
        self.next, self.rest = 0, b""
        end = time.time() + 120
        while True:
            try:
                self.sock = socket.create_connection(("127.0.0.1", port), 10)
                break
            except OSError:
                if self.program.poll() is not None or time.time() > end:
                    raise Failed("it does not listen: " + open(folder + "/log").read()[-2000:])
                time.sleep(0.5)
        self.sock.settimeout(180)
        self.read()
        self.ask("WebDriver:NewSession", {"acceptInsecureCerts": True})
        self.ask("Marionette:SetContext", {"value": "chrome"})
        self.ask("WebDriver:SetTimeouts", {"script": 120000})

    def read(self):
        while b":" not in self.rest:
            self.more()
        head, self.rest = self.rest.split(b":", 1)
        while len(self.rest) < int(head):
            self.more()
        text, self.rest = self.rest[:int(head)], self.rest[int(head):]
        return json.loads(text)

    def more(self):
        part = self.sock.recv(65536)
        if not part:
            raise Failed("it went away")
        self.rest += part

    def ask(self, command, parameters):
        self.next += 1
        text = json.dumps([0, self.next, command, parameters]).encode()
        self.sock.sendall(b"%d:%s" % (len(text), text))
        _, _, error, result = self.read()
        if error:
            raise Failed("%s: %s" % (error.get("error"), error.get("message")))
        return result

    def run(self, body, *args):
        """`body` is that of an async function of `args`; gives what it returns."""
        script = ("const [args, done] = [Array.from(arguments).slice(0, -1), arguments[arguments.length - 1]];"
                  "(async (args) => {%s})(args).then(v => done([v]), e => done([null, String(e) + e.stack]));" % body)
        value = self.ask("WebDriver:ExecuteAsyncScript", {"script": script, "args": list(args)})["value"]
        if len(value) > 1:
            raise Failed(value[1])
        return value[0]

    def close(self):
        try:
            os.killpg(self.program.pid, signal.SIGKILL)
        except OSError:
            pass
        self.program.wait()
        self.log.close()
