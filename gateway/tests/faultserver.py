"""A small HTTP server with Range, ETag and faults on purpose. Standard library only."""

import http.server
import threading
import time


class FaultServer:
    """Serves bytes under names; `fault[name]` says how to spoil the answer.

    Faults: ("status", n[, times]) | ("drop", at_byte, times) | ("stall", at_byte, times) | ("long-said",) | ("long-sent",) |
    ("short-said",) | ("slow", bytes_a_second) | ("redirect", url) | ("norange-drop", at_byte)
    """

    def __init__(self):
        self.files, self.fault, self.etag = {}, {}, {}
        self.requests = []  # (name, {header: value})
        self.stopping = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):  # noqa: N802
                outer.serve(self)

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, request, client_address):
                pass  # a gateway that was killed, or that has seen enough

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def url(self, name):
        return f"http://127.0.0.1:{self.server.server_address[1]}/{name}"

    def count(self, name):
        return sum(1 for n, _ in self.requests if n == name)

    def close(self):
        self.stopping.set()
        self.server.shutdown()
        self.server.server_close()

    def _fault(self, name):
        fault = self.fault.get(name)
        if fault and fault[0] in ("status", "drop", "stall") and len(fault) == 3:
            if fault[2] == 0:
                return None
            self.fault[name] = (*fault[:2], fault[2] - 1)
        return fault

    def serve(self, handler):
        name = handler.path.lstrip("/").split("?")[0]
        self.requests.append((name, dict(handler.headers)))
        data = self.files.get(name)
        fault = self._fault(name) or ("none",)
        if data is None or fault[0] == "status":
            return self._plain(handler, 404 if data is None else fault[1])
        if fault[0] == "redirect":
            handler.send_response(302)
            handler.send_header("Location", fault[1])
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return None
        etag = self.etag.get(name, f'"{hash(data) & 0xffffffff:08x}"')
        start = 0
        wanted = handler.headers.get("Range")
        if wanted and fault[0] != "norange-drop" and handler.headers.get("If-Range", etag) == etag:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(data):
                return self._plain(handler, 416)
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        if etag:
            handler.send_header("ETag", etag)
        self._body(handler, data[start:], start, fault)
        return None

    def _plain(self, handler, status):
        handler.send_response(status)
        handler.send_header("Content-Length", "5")
        handler.end_headers()
        handler.wfile.write(b"oops\n")

    def _body(self, handler, data, start, fault):
        kind = fault[0]
        if kind == "long-sent":  # no length is said, the connection's end is the end
            handler.close_connection = True
            data = data + b"\xff" * (2 << 20)
        else:
            length = len(data) + (4096 if kind == "long-said" else 0)
            if kind == "short-said":
                data = data[:len(data) // 2]
                length = len(data)
            handler.send_header("Content-Length", str(length))
        if kind == "long-sent":
            handler.send_header("Connection", "close")
        handler.end_headers()
        cut = None
        if kind in ("drop", "stall", "norange-drop"):
            cut = max(0, fault[1] - start)
        try:
            if kind == "slow":
                for at in range(0, len(data), 2048):
                    if self.stopping.is_set():
                        return
                    handler.wfile.write(data[at:at + 2048])
                    time.sleep(2048 / fault[1])
                return
            handler.wfile.write(data if cut is None else data[:cut])
            handler.wfile.flush()
            if kind == "stall":
                self.stopping.wait(20)
            if cut is not None:
                handler.close_connection = True
        except (BrokenPipeError, ConnectionResetError):
            handler.close_connection = True
