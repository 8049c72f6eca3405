"""End to end: what a client may not do to the hub, and what a crash leaves behind."""

import glob
import hashlib
import os
import socket
import threading
import time
import unittest

from hubtest import Broker, Hub, free_port, wait_until


class Limits(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # No broker at all: HTTP does not depend on it.
        cls.hub = Hub(f"127.0.0.1:{free_port()}", "--header-timeout", "2", "--idle-timeout", "2", "--request-timeout", "4",
                      "--max-connections-per-ip", "20", "--max-upload", "400000").start()

    @classmethod
    def tearDownClass(cls):
        cls.hub.__exit__(None, None, None)

    def connect(self):
        s = socket.create_connection(("127.0.0.1", self.hub.port), timeout=15)
        self.addCleanup(s.close)
        return s

    def partials(self):
        return glob.glob(os.path.join(self.hub.data, "tmp", "*"))

    def drip(self, s, data, seconds):
        """Send a byte every 0.2 s; the time until the hub has had enough."""
        start = time.monotonic()
        s.settimeout(0.2)
        while time.monotonic() - start < seconds:
            try:
                s.sendall(data)
            except OSError:
                return time.monotonic() - start
            try:
                if s.recv(1000) == b"":
                    return time.monotonic() - start
            except TimeoutError:
                pass
            except OSError:
                return time.monotonic() - start
        self.fail(f"still connected after {seconds} s")

    def test_health_without_broker(self):
        self.assertIs(self.hub.get("/health", role=None)["mqtt"], False)

    def test_slow_header(self):
        s = self.connect()
        s.sendall(b"GET /api/v1/health HTTP/1.1\r\nHost: x\r\nX: ")
        self.assertLess(self.drip(s, b"a", 10), 5)

    def test_silent_connection(self):
        s = self.connect()
        start = time.monotonic()
        self.assertEqual(s.recv(10), b"")
        self.assertLess(time.monotonic() - start, 6)

    def test_slow_body(self):
        s = self.connect()
        s.sendall(b"POST /api/v1/releases HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\nAuthorization: Bearer "
                  + self.hub.token["operator"].encode() + b"\r\n\r\n")
        wait_until(self.partials, 5, "the upload to begin")
        self.assertLess(self.drip(s, b"a", 15), 8)
        wait_until(lambda: not self.partials(), 5, "the partial upload to be removed")

    def test_client_goes_away(self):
        data = self.hub.package()
        s = self.connect()
        s.sendall(b"POST /api/v1/releases HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nAuthorization: Bearer " % len(data)
                  + self.hub.token["operator"].encode() + b"\r\n\r\n" + data[:-1])
        wait_until(self.partials, 5, "the upload to begin")
        s.close()
        wait_until(lambda: not self.partials(), 5, "the partial upload to be removed")
        self.assertEqual(self.hub.request("GET", "/releases/" + hashlib.sha256(data).hexdigest()).status, 404)

    def test_long_header(self):
        s = self.connect()
        s.sendall(b"GET /api/v1/health HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 40000 + b"\r\n\r\n")
        answer = s.recv(100)
        self.assertRegex(answer, rb"^HTTP/1.1 4(13|14|31) ")

    def test_rubbish(self):
        for data in (b"\x00\xff\xfe" * 100, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
                     b"POST /api/v1/updates HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
                     b"POST /api/v1/updates HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"):
            s = self.connect()
            s.sendall(data)
            try:
                s.shutdown(socket.SHUT_WR)
                while s.recv(1000):
                    pass
            except OSError:
                pass
        self.assertIs(self.hub.get("/health", role=None)["ok"], True)

    def test_expect_continue(self):
        """Who asks before sending is told without having to send."""
        s = self.connect()
        s.sendall(b"POST /api/v1/releases HTTP/1.1\r\nHost: x\r\nContent-Length: 90000000\r\nExpect: 100-continue\r\n"
                  b"Authorization: Bearer " + self.hub.token["operator"].encode() + b"\r\n\r\n")
        self.assertTrue(s.recv(200).startswith(b"HTTP/1.1 413 "))

    def test_max_upload(self):
        self.assertEqual(self.hub.upload(bytes(400001)).status, 413)
        self.assertEqual(self.hub.upload(bytes(400000)).error()[:2], (400, "magic"))

    def test_json_body_is_bounded(self):
        self.assertEqual(self.hub.request("POST", "/updates", "x" * 16385).error(), (413, "too-large", "size"))

        def chunks():
            for _ in range(40):
                yield b" " * 1000
        self.assertEqual(self.hub.request("POST", "/updates", chunks()).error(), (413, "too-large", "size"))

    def test_many_connections(self):
        # All but the 20 allowed are closed; the others wait in peace, and end by the header timeout.
        sockets = [self.connect() for _ in range(40)]
        closed = 0
        for s in sockets:
            s.settimeout(0.1)
            try:
                closed += s.recv(1) == b""
            except ConnectionError:
                closed += 1
            except TimeoutError:
                pass
        self.assertGreaterEqual(closed, 20)
        for s in sockets:
            s.close()

        def answers():
            try:
                return self.hub.request("GET", "/health", role=None).status == 200
            except OSError:
                return False
        wait_until(answers, 10, "the hub to answer again")

    def test_uploads_at_once(self):
        data = self.hub.package("4.0.0")
        held = []
        for _ in range(8):
            s = self.connect()
            s.sendall(b"POST /api/v1/releases HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nAuthorization: Bearer "
                      + self.hub.token["operator"].encode() + b"\r\n\r\n")
            held.append(s)
        wait_until(lambda: len(self.partials()) == 8, 5, "eight uploads")
        answer = self.hub.upload(data)
        self.assertEqual(answer.error()[:2], (503, "busy"))
        for s in held:
            s.close()
        wait_until(lambda: not self.partials(), 5, "the uploads to end")
        self.assertEqual(self.hub.upload(data).status, 201)

    def test_parallel(self):
        """Uploads and downloads at the same time do not mix."""
        packages = [self.hub.package(f"5.{i}.0", 200000) for i in range(4)]
        failures = []

        def work(data):
            for _ in range(3):
                digest = hashlib.sha256(data).hexdigest()
                answer = self.hub.upload(data)
                if answer.status not in (200, 201) or answer.json()["sha256"] != digest:
                    failures.append(answer.body)
                if self.hub.request("GET", f"/packages/{digest}.fota", role="gateway").body != data:
                    failures.append("download")
        threads = [threading.Thread(target=work, args=(p,)) for p in packages]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(failures, [])


class Crash(unittest.TestCase):
    def test_leftovers(self):
        with Broker() as broker, Hub(broker.address()) as hub:
            data = hub.package()
            digest = hub.upload(data).json()["sha256"]
            with socket.create_connection(("127.0.0.1", hub.port)) as s:
                s.sendall(b"POST /api/v1/releases HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\nAuthorization: Bearer "
                          + hub.token["operator"].encode() + b"\r\n\r\n" + data[:500])
                tmp = os.path.join(hub.data, "tmp", "*")
                wait_until(lambda: glob.glob(tmp), 5, "the upload to begin")
                hub.proc.kill()
            self.assertEqual(len(glob.glob(tmp)), 1)
            orphan = os.path.join(hub.data, "packages", "ab" * 32 + ".fota")
            with open(orphan, "wb") as f:
                f.write(b"cut between rename and commit")
            hub.start()
            self.assertEqual(glob.glob(tmp), [])
            self.assertFalse(os.path.exists(orphan))
            self.assertEqual(hub.request("GET", f"/packages/{digest}.fota").body, data)
            self.assertEqual(len(hub.get("/releases")["releases"]), 1)

    def test_ends_without_a_broker(self):
        with Hub(f"127.0.0.1:{free_port()}") as hub:
            start = time.monotonic()
            self.assertEqual(hub.proc.stop(), 0)
            self.assertLess(time.monotonic() - start, 3)


if __name__ == "__main__":
    unittest.main(verbosity=2)
