"""End to end: uploads, releases, downloads, tokens and roles, against the real fota-hub."""

import glob
import hashlib
import http.client
import os
import subprocess
import unittest

from hubtest import HUB, ROLES, SIGNATURE_AT, Answer, Broker, Hub, free_port, wait_until

ABSENT = "0" * 64


def flip(data, at):
    out = bytearray(data)
    out[at] ^= 0x40
    return bytes(out)


def setUpModule():
    global broker, hub
    broker = Broker().start()
    hub = Hub(broker.address()).start()
    wait_until(lambda: hub.get("/health", role=None)["mqtt"], 15, "the hub's connection to the broker")


def tearDownModule():
    try:
        hub.__exit__(None, None, None)
    finally:
        broker.__exit__(None, None, None)


def partials():
    return glob.glob(os.path.join(hub.data, "tmp", "*"))


class Uploads(unittest.TestCase):
    def test_package(self):
        data = hub.package("1.1.0", 300000)
        digest = hashlib.sha256(data).hexdigest()
        answer = hub.upload(data, "?name=app%201.1.fota&notes=first%0A%C3%A4", role="operator")
        self.assertEqual(answer.status, 201, answer.body)
        release = answer.json()
        self.assertEqual(list(release), ["sha256", "size", "identity", "product", "version", "hw_min", "hw_max", "counter",
                                         "image_size", "key_id", "name", "notes", "uploaded"])
        self.assertEqual(release["sha256"], digest)
        self.assertEqual(release["size"], len(data))
        self.assertEqual(release["identity"], hashlib.sha256(data[:SIGNATURE_AT]).hexdigest())
        self.assertEqual(release["product"], "5a010203-0405-4607-8809-0a0b0c0d0e0f")
        self.assertEqual((release["version"], release["hw_min"], release["hw_max"], release["counter"]), ("1.1.0", 1, 3, 7))
        self.assertEqual(release["image_size"], 300000)
        self.assertEqual(len(release["key_id"]), 16)
        self.assertEqual((release["name"], release["notes"]), ("app 1.1.fota", "first\nä"))
        self.assertRegex(release["uploaded"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ$")
        self.assertEqual(hub.get("/releases/" + digest), release)
        again = hub.upload(data, "?name=other")
        self.assertEqual((again.status, again.json()), (200, release))
        second = hub.upload(hub.package("1.1.1")).json()
        self.assertEqual([r["sha256"] for r in hub.get("/releases")["releases"]][:2], [second["sha256"], digest])
        with open(os.path.join(hub.data, "packages", digest + ".fota"), "rb") as f:
            self.assertEqual(f.read(), data)
        self.assertEqual(partials(), [])

    def refused(self, data, status, code, word=None, query="", **kw):
        before = len(hub.get("/releases")["releases"])
        answer = hub.upload(data, query, **kw)
        self.assertEqual((answer.status, answer.json()["error"]["code"]), (status, code), answer.body)
        if word:
            self.assertIn(word, answer.message())
        answer.error()
        self.assertEqual(len(hub.get("/releases")["releases"]), before)
        self.assertEqual(partials(), [])

    def test_bad_files(self):
        good = hub.package()
        self.refused(b"", 400, "truncated", "empty")
        self.refused(b"hello, world\n", 400, "magic", "text")
        self.refused(b"just some text, and more of it\n" * 100, 400, "magic", "text")
        self.refused(b"\x7fELF" + bytes(2000), 400, "magic", "ELF")
        self.refused(hub.firmware_bin(), 400, "magic", "fota pack")
        self.refused(b"XOTA" + good[4:], 400, "magic", "0x41544f58")
        self.refused(good[:100], 400, "truncated", "100")
        self.refused(good[:512], 400, "truncated", "512")
        self.refused(good[:-1], 400, "truncated", str(len(good) - 1))
        self.refused(good + b"x", 400, "trailing")
        self.refused(flip(good, 4), 400, "format")
        self.refused(flip(good, SIGNATURE_AT + 5), 400, "signature")
        self.refused(flip(good, 20), 400, "signature")  # the product
        self.refused(hub.package(key="dev"), 400, "key", "not trusted")
        code = hub.upload(flip(good, len(good) - 100)).json()["error"]["code"]
        self.assertIn(code, ("crc", "hash"))

    def test_too_large(self):
        self.refused(bytes(1024 * 1024 + 1), 413, "too-large", "1048576")

        def pieces():
            for _ in range(33):
                yield bytes(32768)
        # chunked: nobody says how long it will be
        self.refused(pieces(), 413, "too-large", "1048576")

    def test_bad_query(self):
        good = hub.package()
        self.refused(good, 400, "bad-request", "129", query="?name=" + "x" * 129)
        self.refused(good, 400, "bad-request", "UTF-8", query="?name=%FF")
        self.refused(good, 400, "bad-request", "control", query="?name=a%00b")
        self.refused(good, 400, "bad-request", "control", query="?notes=a%1Bb")
        self.refused(good, 400, "bad-request", "--data-binary", headers={"Content-Type": "multipart/form-data; boundary=x"})

    def test_delete(self):
        data = hub.package("2.0.0")
        digest = hub.upload(data).json()["sha256"]
        self.assertEqual(hub.request("DELETE", "/releases/" + digest, role="operator").error(), (403, "forbidden", "role"))
        answer = hub.request("DELETE", "/releases/" + digest)
        self.assertEqual((answer.status, answer.body), (204, b""))
        self.assertEqual(hub.request("DELETE", "/releases/" + digest).error(), (404, "not-found", "sha256"))
        self.assertEqual(hub.request("GET", f"/packages/{digest}.fota").status, 404)
        self.assertFalse(os.path.exists(os.path.join(hub.data, "packages", digest + ".fota")))
        self.assertEqual(hub.upload(data).status, 201)


class Downloads(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.data = hub.package("1.2.0", 300000)
        cls.digest = hub.upload(cls.data).json()["sha256"]
        cls.path = f"/packages/{cls.digest}.fota"
        cls.etag = f'"{cls.digest}"'

    def fetch(self, method="GET", **headers):
        return hub.request(method, self.path, role="gateway", headers={k.replace("_", "-"): v for k, v in headers.items()})

    def test_whole(self):
        answer = self.fetch()
        self.assertEqual((answer.status, answer.body), (200, self.data))
        self.assertEqual(answer.headers["ETag"], self.etag)
        self.assertEqual(answer.headers["Accept-Ranges"], "bytes")
        self.assertEqual(answer.headers["Content-Length"], str(len(self.data)))
        self.assertEqual(answer.headers["Content-Type"], "application/octet-stream")

    def test_head(self):
        for headers in ({}, {"Range": "bytes=0-9"}):
            answer = self.fetch("HEAD", **headers)
            self.assertEqual((answer.status, answer.body), (200, b""))
            self.assertEqual(answer.headers["ETag"], self.etag)
            self.assertEqual(answer.headers["Content-Length"], str(len(self.data)))

    def test_ranges(self):
        n = len(self.data)
        for text, first, last in (("0-0", 0, 0), ("0-99", 0, 99), (f"{n - 1}-", n - 1, n - 1), ("1000-", 1000, n - 1),
                                  ("-1", n - 1, n - 1), ("-1000", n - 1000, n - 1), (f"-{n + 5}", 0, n - 1),
                                  (f"100-{n + 5}", 100, n - 1)):
            answer = self.fetch(Range="bytes=" + text)
            self.assertEqual(answer.status, 206, text)
            self.assertEqual(answer.body, self.data[first:last + 1], text)
            self.assertEqual(answer.headers["Content-Range"], f"bytes {first}-{last}/{n}")
            self.assertEqual(answer.headers["Content-Length"], str(last - first + 1))
            self.assertEqual(answer.headers["ETag"], self.etag)

    def test_unsatisfiable(self):
        n = len(self.data)
        for text in (f"{n}-", f"{n + 1}-{n + 2}", "-0", "99999999999999999999999-"):
            answer = self.fetch(Range="bytes=" + text)
            self.assertEqual(answer.error(), (416, "bad-request", "Range"), text)
            self.assertEqual(answer.headers["Content-Range"], f"bytes */{n}")

    def test_ignored_ranges(self):
        for text in ("bytes=5-2", "bytes=a-b", "bytes=0-1,5-6", "lines=0-5", "bytes="):
            answer = self.fetch(Range=text)
            self.assertEqual((answer.status, answer.body), (200, self.data), text)

    def test_if_range(self):
        answer = self.fetch(Range="bytes=10-19", If_Range=self.etag)
        self.assertEqual((answer.status, answer.body), (206, self.data[10:20]))
        for other in ('"other"', "W/" + self.etag, "Sat, 21 Nov 2026 04:00:00 GMT"):
            answer = self.fetch(Range="bytes=10-19", If_Range=other)
            self.assertEqual((answer.status, answer.body), (200, self.data), other)
        # A range behind the end of what is another file now: the whole new file, not 416.
        self.assertEqual(self.fetch(Range="bytes=99999999-", If_Range='"other"').status, 200)

    def test_if_none_match(self):
        for value in (self.etag, "W/" + self.etag, "*", f'"x", {self.etag}'):
            for method in ("GET", "HEAD"):
                answer = self.fetch(method, If_None_Match=value)
                self.assertEqual((answer.status, answer.body), (304, b""), value)
                self.assertEqual(answer.headers["ETag"], self.etag)
                self.assertEqual(answer.headers["Content-Length"], str(len(self.data)))
        self.assertEqual(self.fetch(If_None_Match='"x"').status, 200)
        self.assertEqual(self.fetch(If_None_Match=self.etag, Range="bytes=0-1").status, 304)

    def test_one_connection(self):
        """Answers without a body leave the connection usable."""
        connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=10)
        token = {"Authorization": "Bearer " + hub.token["gateway"]}
        try:
            for method, extra, status, body in (("GET", {"If-None-Match": "*"}, 304, b""), ("HEAD", {}, 200, b""),
                                                ("GET", {"Range": "bytes=0-9"}, 206, self.data[:10]),
                                                ("GET", {"Range": "bytes=99999999-"}, 416, None), ("GET", {}, 200, self.data)):
                connection.request(method, "/api/v1" + self.path, headers={**token, **extra})
                if status == 304:
                    local = connection.sock.getsockname()
                self.assertEqual(connection.sock.getsockname(), local)
                answer = Answer(connection.getresponse())
                self.assertEqual(answer.status, status)
                if body is not None:
                    self.assertEqual(answer.body, body)
        finally:
            connection.close()

    def test_names(self):
        for name in (f"{ABSENT}.fota", self.digest, self.digest.upper() + ".fota", self.digest + ".bin", "x.fota",
                     self.digest + ".fota.fota", "..%2Fhub.db", "%2e%2e"):
            self.assertEqual(hub.request("GET", "/packages/" + name).error()[:2], (404, "not-found"), name)

    def test_lost_file(self):
        data = hub.package("3.0.0")
        digest = hub.upload(data).json()["sha256"]
        os.unlink(os.path.join(hub.data, "packages", digest + ".fota"))
        self.assertEqual(hub.request("GET", f"/packages/{digest}.fota").error(), (500, "internal", "sha256"))
        self.assertEqual(hub.upload(data).status, 200)  # brings it back
        self.assertEqual(hub.request("GET", f"/packages/{digest}.fota").body, data)


class Access(unittest.TestCase):
    ROUTES = (  # method, path, roles that may; what a permitted role gets
        ("GET", "/releases", "admin operator viewer", 200),
        ("GET", "/releases/" + ABSENT, "admin operator viewer", 404),
        ("GET", f"/packages/{ABSENT}.fota", "admin operator viewer gateway", 404),
        ("HEAD", f"/packages/{ABSENT}.fota", "admin operator viewer gateway", 404),
        ("GET", "/devices", "admin operator viewer", 200),
        ("GET", "/devices/g/d", "admin operator viewer", 404),
        ("GET", "/devices/g/d/history", "admin operator viewer", 404),
        ("GET", "/updates", "admin operator viewer", 200),
        ("GET", "/updates/j", "admin operator viewer", 404),
        ("POST", "/releases", "admin operator", 400),
        ("POST", "/updates", "admin operator", 400),
        ("POST", "/updates/j/cancel", "admin operator", 404),
        ("DELETE", "/releases/" + ABSENT, "admin", 404),
    )

    def test_roles(self):
        for method, path, roles, status in self.ROUTES:
            for role in ROLES:
                answer = hub.request(method, path, role=role)
                self.assertEqual(answer.status, status if role in roles.split() else 403, (method, path, role))
            for headers in ({}, {"Authorization": "Bearer " + "0" * 69}, {"Authorization": "Basic eDp5"},
                            {"Authorization": "Bearer"}, {"Authorization": hub.token["admin"]},
                            {"Authorization": "Bearer " + hub.token["admin"] + "0"},
                            {"Authorization": "Bearer " + hub.token["admin"].upper()}):
                answer = hub.request(method, path, role=None, headers=headers)
                self.assertEqual(answer.status, 401, (method, path, headers))
                self.assertIn("Bearer", answer.headers["WWW-Authenticate"])

    def test_health_is_open(self):
        answer = hub.get("/health", role=None)
        self.assertEqual(list(answer), ["ok", "version", "mqtt"])
        self.assertIs(answer["ok"], True)

    def test_unknown_and_method(self):
        self.assertEqual(hub.request("GET", "/nothing", role=None).status, 401)
        for path in ("/nothing", "", "/releases/", "/releases/a/b", "/devices/a", "/../../etc/passwd", "/updates//cancel"):
            self.assertEqual(hub.request("GET", path).error(), (404, "not-found", "path"), path)
        answer = hub.request("PUT", "/releases")
        self.assertEqual(answer.error(), (405, "method", "method"))
        self.assertEqual(answer.headers["Allow"], "POST, GET, HEAD")
        self.assertEqual(hub.request("POST", "/devices").error(), (405, "method", "method"))

    def test_refused_upload_gets_its_answer(self):
        answer = hub.upload(hub.package(), role="viewer")
        self.assertEqual(answer.error(), (403, "forbidden", "role"))
        self.assertEqual(hub.upload(bytes(900000), role=None).status, 401)
        self.assertEqual(partials(), [])

    def test_token_life(self):
        token = hub.add_token("viewer", "short-lived")  # while the hub runs
        self.assertEqual(hub.request("GET", "/devices", token=token).status, 200)
        done = hub.cli("token", "add", "--data", hub.data, "--role", "viewer", "--name", "short-lived")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("short-lived", done.stderr)
        listing = hub.cli("token", "list", "--data", hub.data).stdout
        self.assertIn("short-lived", listing)
        self.assertNotIn(token, listing)
        self.assertEqual(hub.cli("token", "revoke", "--data", hub.data, "--name", "short-lived").returncode, 0)
        self.assertEqual(hub.request("GET", "/devices", token=token).status, 401)
        self.assertEqual(hub.cli("token", "revoke", "--data", hub.data, "--name", "short-lived").returncode, 1)
        for name in glob.glob(os.path.join(hub.data, "hub.db*")):
            with open(name, "rb") as f:
                self.assertNotIn(token.encode(), f.read())


class CommandLine(unittest.TestCase):
    def run_hub(self, *args):
        return subprocess.run([HUB, *args], capture_output=True, text=True, timeout=20)

    def test_help_and_version(self):
        done = self.run_hub("--help")
        self.assertEqual(done.returncode, 0)
        for option in ("--data", "--listen", "--port-file", "--mqtt", "--mqtt-user", "--mqtt-password-file", "--public-url",
                       "--key", "--dev-key", "--max-upload", "--log-level", "--die-with-parent", "token add"):
            self.assertIn(option, done.stdout)
        self.assertRegex(self.run_hub("--version").stdout, r"^fota-hub \d+\.\d+\.\d+")
        self.assertEqual(self.run_hub("token", "--help").returncode, 0)

    def test_usage_errors(self):
        for args, word in (((), "--data"), (("--data", "x", "--listen", "nonsense"), "nonsense"),
                           (("--data", "x", "--max-upload", "12x"), "12x"), (("--data", "x", "--log-level", "loud"), "loud"),
                           (("--data", "x", "--public-url", "ftp://x"), "ftp://x"), (("--data", "x", "surplus"), "surplus"),
                           (("token", "add", "--data", "x", "--role", "king", "--name", "n"), "king"),
                           (("token", "add", "--data", "x", "--role", "admin", "--name", "a b"), "a b"),
                           (("token", "add", "--role", "admin", "--name", "n"), "--data"), (("token", "eat"), "eat")):
            done = self.run_hub(*args)
            self.assertEqual(done.returncode, 64, args)
            self.assertIn(word, done.stderr)

    def test_start_errors(self):
        mqtt = ("--mqtt", f"127.0.0.1:{free_port()}", "--listen")
        for args, word in ((("--data", hub.data, *mqtt, "127.0.0.1:0"), "another fota-hub"),
                           (("--data", hub.path("d2"), *mqtt, f"127.0.0.1:{hub.port}"), str(hub.port)),
                           (("--data", hub.path("d2"), *mqtt, "127.0.0.1:0", "--key", "/nonexistent.pem"), "/nonexistent.pem"),
                           (("--data", "/nonexistent/x", *mqtt, "127.0.0.1:0"), "/nonexistent/x")):
            done = self.run_hub(*args)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn(word, done.stderr)


class DevKey(unittest.TestCase):
    def test_signs_on_the_spot(self):
        with Hub(broker.address(), dev=True) as bench:
            answer = bench.upload(bench.firmware_bin("1.5.0"), "?name=firmware.bin", role="operator")
            self.assertEqual(answer.status, 201, answer.body)
            release = answer.json()
            self.assertEqual((release["version"], release["counter"], release["image_size"]), ("1.5.0", 7, 20000))
            package = bench.request("GET", f"/packages/{release['sha256']}.fota").body
            self.assertEqual(hashlib.sha256(package).hexdigest(), release["sha256"])
            # What the bench signed passes the check of a hub that trusts its key; that of release.pem passes here as well.
            self.assertEqual(bench.upload(package).status, 200)
            self.assertEqual(bench.upload(bench.package("1.6.0")).status, 201)
            self.assertEqual(hub.upload(package).json()["error"]["code"], "key")
            for data in (b"", b"text\n" * 500, package[:-1], flip(package, SIGNATURE_AT), bytes(5000)):
                answer = bench.upload(data)
                self.assertEqual(answer.status, 400, answer.body)
                answer.error()
            bare = bench.firmware_bin("1.7.0")[:20000]
            answer = bench.upload(bare, "?name=bare.bin")
            self.assertEqual(answer.status, 400, answer.body)
            self.assertIn("relocation table", answer.message())
            self.assertEqual(glob.glob(os.path.join(bench.data, "tmp", "*")), [])
            self.assertEqual(len(glob.glob(os.path.join(bench.data, "packages", "*"))), 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
