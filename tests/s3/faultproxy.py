# SPDX-License-Identifier: MIT
"""A proxy in front of an S3 server: counts the bytes on the wire and answers by itself where a test wants it. HTTP/1.1, loopback."""
import http.client
import http.server
import os
import ssl
import subprocess
import threading


def make_ca(folder, name):
    """A certificate authority of its own; the path of its certificate."""
    path = os.path.join(folder, name)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                    "-keyout", path + ".key", "-out", path + ".crt"], check=True, capture_output=True)
    return path + ".crt"


def make_certificate(folder, ca, host):
    """A server's certificate signed by it, and its key, in one file."""
    path = os.path.join(folder, host)
    with open(path + ".ext", "w", encoding="ascii") as f:
        f.write(f"subjectAltName=DNS:{host}\n")
    subprocess.run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={host}", "-keyout", path + ".key",
                    "-out", path + ".csr"], check=True, capture_output=True)
    subprocess.run(["openssl", "x509", "-req", "-in", path + ".csr", "-CA", ca, "-CAkey", ca.removesuffix(".crt") + ".key", "-CAcreateserial", "-days", "2",
                    "-extfile", path + ".ext", "-out", path + ".crt"], check=True, capture_output=True)
    with open(path + ".pem", "wb") as out:
        for part in (".crt", ".key"):
            with open(path + part, "rb") as f:
                out.write(f.read())
    return path + ".pem"


class FaultProxy:
    """fault(method, path, headers) -> None to pass on, or (status, headers, body); the Host header is passed on as it came, so that
    signatures made for this proxy's address are good behind it. log: a dict for each request. certificate: speak TLS, as localhost."""

    def __init__(self, upstream_port, certificate=None):
        self.fault, self.log, self.lock = None, [], threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                head = len(self.raw_requestline) + sum(len(k) + len(v) + 4 for k, v in self.headers.items()) + 2
                answer = outer.fault(self.command, self.path, self.headers) if outer.fault else None
                if answer is None:
                    c = http.client.HTTPConnection("127.0.0.1", upstream_port, timeout=30)
                    c.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                    for k, v in self.headers.items():
                        if k.lower() not in ("connection", "expect"):
                            c.putheader(k, v)
                    c.endheaders(body or None)
                    got = c.getresponse()
                    answer = got.status, [(k, v) for k, v in got.getheaders() if k.lower() not in ("connection", "transfer-encoding")], got.read()
                    c.close()
                status, headers, data = answer
                names = [k.lower() for k, _ in headers]
                if "content-length" not in names and status != 304:
                    headers = [*headers, ("Content-Length", str(len(data)))]
                lines = f"HTTP/1.1 {status} {http.client.responses.get(status, '')}\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers) + "\r\n"
                with outer.lock:
                    outer.log.append({"method": self.command, "path": self.path, "headers": dict(self.headers), "status": status,
                                      "sent": head + len(body), "received": len(lines) + len(data)})
                self.wfile.write(lines.encode() + (b"" if self.command == "HEAD" else data))

            do_GET = do_HEAD = do_PUT = handle_any

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            # the handshake in the thread of the connection, and no traceback for a client that refuses us
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
            self.server.handle_error = lambda *_: None
            self.url = f"https://localhost:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self):
        with self.lock:
            return list(self.log)

    def of(self, end):
        return [r for r in self.take() if r["path"].split("?")[0].endswith(end)]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
