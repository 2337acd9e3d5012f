"""Keys, signatures and certificates for tests, made by openssl(1)."""
import base64
import json
import os
import subprocess


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def openssl(*args, text=None):
    return subprocess.run(["openssl", *args], input=text, check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout


def new_key(folder, name):
    """An RSA key: the path of it, and its public half as a JWK."""
    path = "%s/%s.pem" % (folder, name)
    openssl("genrsa", "-out", path, "2048")
    n = openssl("rsa", "-in", path, "-noout", "-modulus").decode().strip().split("=")[1]
    return path, {"kty": "RSA", "kid": name, "use": "sig", "e": "AQAB", "n": b64(bytes.fromhex(n))}


def jwt(key, claims, head=None, signature=None):
    """A token with these claims, signed by a key of new_key() unless a signature is given."""
    head = dict({"alg": "RS256", "typ": "JWT", "kid": os.path.basename(key)[:-4]}, **(head or {}))
    text = b64(json.dumps(head).encode()) + "." + b64(json.dumps(claims).encode())
    if signature is None:
        signature = openssl("dgst", "-sha256", "-sign", key, text=text.encode())
    return text + "." + b64(signature)


def authority(folder, name="ca"):
    """NAME.pem and NAME.key: one that may sign certificates."""
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=" + name,
            "-keyout", "%s/%s.key" % (folder, name), "-out", "%s/%s.pem" % (folder, name))


def certificate(folder, host, ca="ca", name="server"):
    """NAME.pem and NAME.key, signed by the authority; host: as "IP:127.0.0.1" or "DNS:a.example"."""
    at = "%s/%s" % (folder, name)
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=" + name, "-keyout", at + ".key",
            "-out", at + ".csr")
    with open(at + ".ext", "w") as f:
        f.write("subjectAltName=%s\n" % host)
    openssl("x509", "-req", "-in", at + ".csr", "-CA", "%s/%s.pem" % (folder, ca), "-CAkey",
            "%s/%s.key" % (folder, ca), "-CAcreateserial", "-days", "2", "-extfile", at + ".ext",
            "-out", at + ".pem")
