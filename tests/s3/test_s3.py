#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Channels from end to end: fota publish, radosgw, the gateway, a board with the real bootloader. test_s3.py BUILD [TEST…]"""
import datetime
import json
import os
import re
import struct
import subprocess
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "e2e"), os.path.join(HERE, "..", "lib")]
import radosgw  # noqa: E402
from faultproxy import FaultProxy  # noqa: E402
from system import PRODUCT, System, build_dir, direct, read, wait_until  # noqa: E402

BUILD = build_dir(sys.argv)
if radosgw.missing():
    print("skipped:", radosgw.missing())
    sys.exit(77)
XML = '<?xml version="1.0"?><Error><Code>{}</Code></Error>'
INDEX = f"/{PRODUCT}/stable.idx"
S3 = None


def setUpModule():
    global S3
    S3 = radosgw.Radosgw().start()


def tearDownModule():
    S3.stop()


class Case(unittest.TestCase):
    number = 0

    def setUp(self):
        Case.number += 1
        self.bucket = f"bucket{Case.number}"
        assert S3.request("PUT", "/" + self.bucket)[0] == 200
        self.proxy = FaultProxy(S3.port)
        self.addCleanup(self.proxy.close)
        self.url = f"{self.proxy.url}/{self.bucket}/fota"
        self.system = System(BUILD)
        self.addCleanup(lambda: self.system.close(show_logs=self.failed()))
        self.one = self.system.bench.package("1.1.0")

    def failed(self):
        return any(e for _, e in (self._outcome.errors if hasattr(self._outcome, "errors") else self._outcome.result.errors + self._outcome.result.failures))

    def publish(self, *arguments, key=None, secret=None, access=None, env=None):
        environment = {**direct(), "AWS_ACCESS_KEY_ID": access or S3.access, "AWS_SECRET_ACCESS_KEY": secret or S3.secret, **(env or {})}
        done = subprocess.run([self.system.bench.fota, "publish", "--key", key or self.system.bench.key, "--channel", "stable", "--url", self.url, "--json",
                               *arguments], capture_output=True, text=True, env=environment, timeout=60)
        self.assertNotIn(S3.secret, done.stdout + done.stderr)
        return done.returncode, json.loads(done.stdout)

    def published(self, *arguments, **more):
        status, said = self.publish(*arguments, **more)
        self.assertEqual(status, 0, said)
        return said

    def refused(self, pattern, *arguments, **more):
        status, said = self.publish(*arguments, **more)
        self.assertNotEqual(status, 0, said)
        self.assertRegex(said["message"], pattern)

    def stored(self, path):
        return S3.request("GET", f"/{self.bucket}/fota{path}")

    def channel(self, **more):
        return {"channel": "stable", "product": PRODUCT, "url": self.url, "poll_s": 1, "sign": True, **more}

    def credentials(self, secret=None):
        path = self.system.path("credentials")
        with open(path, "w", encoding="ascii") as f:
            f.write(f"[default]\naws_access_key_id = wrong\naws_secret_access_key = wrong\n[gw]\naws_access_key_id = {S3.access}\n"
                    f"aws_secret_access_key={secret or S3.secret}\n")
        return {"credentials_file": path, "profile": "gw"}

    def start(self, broker=True, **more):
        if self.system.broker is None:
            self.system.start_board().start_broker()
        return self.system.start_gateway(channels=[self.channel(**{**self.credentials(), **more})])

    def log(self):
        return read(self.system.path("gateway.log")).decode("utf-8", "replace")

    def wait_log(self, pattern, timeout=20):
        return wait_until(lambda: re.search(pattern, self.log()), timeout, f"{pattern!r} in the gateway's log:\n{self.log()[-2000:]}")

    def wait_version(self, version, timeout=90):
        wait_until(lambda: self.system.last().get("version") == version and self.system.last()["state"] == "confirmed", timeout,
                   f"{version}; the device is {self.system.last()}")


class Publish(Case):
    def test_two_versions(self):
        first = self.published(self.one)
        self.assertEqual((first["sequence"], first["version"], first["uploaded"]), (1, "1.1.0", True))
        self.assertEqual(self.stored(INDEX)[2][:4], b"FCHI")
        self.assertEqual(self.stored("/" + first["package"])[2], read(self.one))
        again = self.published(self.one)
        self.assertEqual((again["sequence"], again["uploaded"]), (2, False))
        renewed = self.published("--renew", "--product", PRODUCT, "--expires", "5")
        self.assertEqual((renewed["sequence"], renewed["sha256"]), (3, first["sha256"]))
        self.assertAlmostEqual(renewed["expiry"], time.time() + 5 * 86400, delta=60)

    def test_two_publishers(self):
        """Between reading and writing the index somebody else writes it."""
        self.published(self.one)

        def fault(method, path, _):
            if method == "PUT" and path.endswith(".idx"):
                self.proxy.fault = None
                S3.request("PUT", path, b"x" * 256)
        self.proxy.fault = fault
        self.refused("changed by somebody else", self.one)

    def test_first_index_is_create_only(self):
        def fault(method, path, _):
            if method == "PUT" and path.endswith(".idx"):
                S3.request("PUT", path, b"y" * 256)
        self.proxy.fault = fault
        self.refused("changed by somebody else", self.one)

    def test_forged_package_in_place(self):
        said = self.published(self.one)
        S3.request("PUT", f"/{self.bucket}/fota/{said['package']}", b"forged")
        self.refused("other content", self.one)

    def test_refusals(self):
        self.refused("InvalidAccessKeyId|access key id", self.one, access="NOBODY")
        self.refused("SignatureDoesNotMatch.*secret access key", self.one, secret="wrong")
        self.refused("belong together", self.one, env={"AWS_SECRET_ACCESS_KEY": ""})
        self.refused("no credentials", self.one, env={"AWS_SECRET_ACCESS_KEY": "", "AWS_ACCESS_KEY_ID": ""})
        self.refused("profile \"nobody\" is not there", self.one, "--credentials", self.credentials()["credentials_file"], "--profile", "nobody")
        S3.request("DELETE", "/" + self.bucket)
        self.refused("NoSuchBucket.*bucket is gone", self.one)

    def test_skewed_clock(self):
        self.proxy.fault = lambda *_: (403, [("Date", "Fri, 27 Nov 2026 01:00:00 GMT")], XML.format("RequestTimeTooSkewed").encode())
        self.refused("RequestTimeTooSkewed.*clock.*01:00:00 GMT", self.one)

    def test_throttled(self):
        """Asked again, until it works; then the same for ever."""
        answers = [(503, [], XML.format("SlowDown").encode())] * 2
        self.proxy.fault = lambda *_: answers.pop() if answers else None
        self.assertEqual(self.published(self.one)["sequence"], 1)
        self.proxy.fault = lambda *_: (503, [], XML.format("SlowDown").encode())
        self.refused("503 SlowDown: the server asks for fewer", self.one)

    def test_other_key(self):
        self.published(self.one)
        other = self.system.path("other.pem")
        package = self.system.path("other.fota")
        elf = os.path.join(BUILD, "target", "hello-1.1.0")
        self.system.bench.run("pack", elf + ".a.elf", elf + ".b.elf", "--key", other, "-o", package)
        self.refused("--trust", package, key=other)
        self.assertEqual(self.published(package, "--trust", self.system.bench.public, key=other)["sequence"], 2)

    def test_directory(self):
        folder = self.system.path("www")
        argv = [self.system.bench.fota, "publish", self.one, "--key", self.system.bench.key, "--channel", "stable", "--directory", folder, "--json"]
        for sequence in (1, 2):
            done = subprocess.run(argv, capture_output=True, text=True, check=True, env=direct())
            self.assertEqual(json.loads(done.stdout)["sequence"], sequence)
        self.assertEqual(len(read(folder + INDEX)), 256)


class Server(Case):
    """What radosgw itself says to our signatures: the core's signer through the gateway, Python's as the peer."""

    def test_conditions(self):
        self.published(self.one)
        path = f"/{self.bucket}/fota{INDEX}"
        _, headers, _ = S3.request("GET", path)
        etag = {k.lower(): v for k, v in headers.items()}["etag"]
        self.assertEqual(S3.request("GET", path, headers={"If-None-Match": etag})[0], 304)
        self.assertEqual(S3.request("GET", path, headers={"If-Match": '"0"'})[0], 412)
        self.assertEqual(S3.request("GET", path, headers={"Range": "bytes=0-9"})[0], 206)
        self.assertEqual(S3.request("GET", path, headers={"Range": "bytes=999-"})[0], 416)

    def test_skewed_clock(self):
        when = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)
        signed = radosgw.sign("GET", S3.endpoint + "/" + self.bucket, S3.access, S3.secret, when=when)
        import http.client
        c = http.client.HTTPConnection("127.0.0.1", S3.port)
        c.request("GET", "/" + self.bucket, headers=signed)
        answer = c.getresponse()
        self.assertEqual((answer.status, b"RequestTimeTooSkewed" in answer.read()), (403, True))


class Gateway(Case):
    def test_update_and_quiet_polls(self):
        said = self.published(self.one)
        self.start()
        self.wait_version("1.1.0")
        last = self.system.last()
        self.assertEqual((last["origin"], last["channel"], last["target"]["sha256"]), ("channel", "stable", said["sha256"]))
        self.assertEqual(self.system.states(last["job"]), ["download", "write", "verify", "jump", "confirmed"])
        pieces = self.proxy.of(".fota")
        self.assertTrue(all(p["status"] == 206 for p in pieces if p["method"] == "GET"), pieces)
        self.assertTrue(pieces[-1]["headers"]["Range"].startswith("bytes=0-262143"))
        before = len(self.proxy.take())
        wait_until(lambda: len(self.proxy.take()) >= before + 3, 10, "three more polls")
        for poll in self.proxy.take()[before:]:
            self.assertEqual((poll["status"], poll["path"].endswith(".idx")), (304, True))
            self.assertLess(poll["sent"] + poll["received"], 1024, poll)
            print(f"a poll that finds nothing new: {poll['sent']} + {poll['received']} bytes", flush=True)
        self.assertNotIn(S3.secret, self.log())
        self.assertNotIn("AWS4-HMAC", self.log())
        # the next one, while the gateway runs; and after a restart nothing is installed again
        self.published(self.system.bench.package("2.0.0"))
        self.wait_version("2.0.0")
        jobs = {p["job"] for p in self.system.of("board1/state")}
        self.system.stop_gateway()
        self.start()
        time.sleep(4)
        self.assertEqual({p["job"] for p in self.system.of("board1/state")}, jobs)
        self.assertNotIn("did not answer", self.log())
        self.system.stop_gateway()

    def test_bad_release(self):
        """1.3.0 hangs in its trial: rolled back, and not tried again by this channel, also after a restart; the next release is."""
        self.published(self.system.bench.package("1.3.0"))
        self.start()
        wait_until(lambda: self.system.last()["state"] == "rolled-back", 90, "the rollback")
        time.sleep(3)
        self.system.stop_gateway()
        self.start()
        time.sleep(4)
        last = self.system.last()
        self.assertEqual((last["state"], last["version"], last["origin"]), ("rolled-back", "1.0.0", "channel"))
        self.published(self.one)
        self.wait_version("1.1.0")
        self.system.stop_gateway()

    def test_changed_object_and_replay(self):
        """412 in the middle, an old index put back, a forged one."""
        self.published(self.one)
        old = self.stored(INDEX)[2]
        state = {"left": 1}

        def fault(_, path, headers):
            if path.endswith(".fota") and state["left"]:
                state["left"] -= 1
                return 412, [], XML.format("PreconditionFailed").encode()
        self.proxy.fault = fault
        self.start()
        self.wait_log("status 412")
        self.wait_version("1.1.0")
        self.published(self.one)
        self.wait_log("sequence 2")
        S3.request("PUT", f"/{self.bucket}/fota{INDEX}", old)
        self.wait_log("sequence 1, 2 was seen already")
        S3.request("PUT", f"/{self.bucket}/fota{INDEX}", old[:56] + struct.pack("<I", 9) + old[60:])
        self.wait_log("signature is wrong")
        S3.request("PUT", f"/{self.bucket}/fota{INDEX}", b"z" * 5000)
        self.wait_log("too long|no channel index")
        self.system.stop_gateway()

    def test_trouble(self):
        """Wrong key, 5xx, throttling with Retry-After, bucket gone; then it works, without a restart."""
        self.published(self.one)
        credentials = self.credentials("wrong")
        self.system.start_board().start_broker()
        self.system.start_gateway(channels=[self.channel(**credentials)])
        self.wait_log("SignatureDoesNotMatch: the secret access key")
        self.proxy.fault = lambda *_: (500, [], b"")
        self.wait_log("status 500")
        self.proxy.fault = lambda *_: (503, [("Retry-After", "3")], XML.format("SlowDown").encode())
        self.wait_log("503 SlowDown: the server asks")
        before = len(self.proxy.take())
        time.sleep(2)
        self.assertLessEqual(len(self.proxy.take()), before + 1)  # it waits as it was asked to
        self.proxy.fault = lambda *_: (404, [], XML.format("NoSuchBucket").encode())
        self.wait_log("NoSuchBucket: the bucket is gone")
        self.proxy.fault = None
        self.credentials()
        self.wait_version("1.1.0")
        self.assertNotIn(S3.secret, self.log())
        self.system.stop_gateway()

    def test_expired_index(self):
        """Frozen: the index is good, but its time is over."""
        said = self.published(self.one)
        raw = bytearray(self.stored(INDEX)[2])
        now = int(time.time())
        raw[64:80] = struct.pack("<QQ", now - 200, now - 100)
        path = self.system.path("raw")
        with open(path, "wb") as f:
            f.write(raw[:192])
        der = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.system.bench.key, path], check=True, capture_output=True).stdout
        r_length = der[3]
        r, s = der[4:4 + r_length], der[6 + r_length:]
        raw[192:] = r[-32:].rjust(32, b"\0") + s[-32:].rjust(32, b"\0")
        S3.request("PUT", f"/{self.bucket}/fota{INDEX}", bytes(raw))
        self.start()
        self.wait_log("expired at .* frozen, or not renewed")
        self.assertEqual(self.system.last()["version"], "1.0.0", said)
        self.system.stop_gateway()

    def test_presigned_and_plain(self):
        """A presigned URL for the index until it expires; packages from where everybody may read."""
        self.published(self.one)
        index = f"/{self.bucket}/fota{INDEX}"
        scope = datetime.datetime.now(datetime.timezone.utc)
        url = presign(self.proxy.url + index, scope, 6)

        def open_packages(method, path, _):
            if path.endswith(".fota"):
                status, headers, body = S3.request(method, path)
                return status, [(k, v) for k, v in headers.items() if k.lower() not in ("connection", "content-length")], body
        self.proxy.fault = open_packages
        self.start(index_url=url, sign=False, credentials_file=self.system.path("credentials"))
        self.wait_version("1.1.0")
        self.wait_log("status 403 (AccessDenied|ExpiredToken).*presigned", 30)
        self.assertNotIn("X-Amz-Signature", self.log())
        self.system.stop_gateway()

    def test_broker_away(self):
        self.published(self.one)
        self.start()
        self.wait_version("1.1.0")
        self.system.broker.stop()
        self.wait_log("lost the broker")
        self.published(self.system.bench.package("2.0.0"))
        self.wait_log("board1: prints: hello 2.0.0 in slot ., confirmed", 90)
        self.wait_log("board1: confirmed(.|\n)*board1: confirmed", 30)
        self.system.stop_gateway()


def presign(url, when, expires):
    import hashlib
    import hmac
    import urllib.parse
    parts = urllib.parse.urlsplit(url)
    day, stamp = when.strftime("%Y%m%d"), when.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{day}/us-east-1/s3/aws4_request"
    query = urllib.parse.urlencode(sorted({"X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": f"{S3.access}/{scope}", "X-Amz-Date": stamp,
                                           "X-Amz-Expires": str(expires), "X-Amz-SignedHeaders": "host"}.items()))
    canonical = f"GET\n{parts.path}\n{query}\nhost:{parts.netloc}\n\nhost\nUNSIGNED-PAYLOAD"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = ("AWS4" + S3.secret).encode()
    for part in (day, "us-east-1", "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return f"{url}?{query}&X-Amz-Signature={hmac.new(key, text.encode(), hashlib.sha256).hexdigest()}"


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]], verbosity=2)
