#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Channels from end to end: fota publish, radosgw, the gateway, a board with the real bootloader. test_s3.py BUILD [TEST…]"""
import concurrent.futures
import datetime
import http.client
import json
import os
import re
import struct
import subprocess
import sys
import time
import unittest
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "e2e"), os.path.join(HERE, "..", "lib")]
import radosgw  # noqa: E402
from faultproxy import FaultProxy, make_ca, make_certificate  # noqa: E402
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
        self.wait_log("status 403 (AccessDenied|ExpiredToken).*the presigned URL expired at", 30)
        self.assertNotIn("X-Amz-Signature", self.log())
        self.system.stop_gateway()

    def test_presigned_job(self):
        """A commanded job with a presigned URL, made by `fota presign` and by Python; an expired one is called that."""
        said = self.published(self.one)
        url = f"{self.url}/{said['package']}"
        env = {**direct(), "AWS_ACCESS_KEY_ID": S3.access, "AWS_SECRET_ACCESS_KEY": S3.secret}

        def made(*options):
            done = subprocess.run([self.system.bench.fota, "presign", url, *options], capture_output=True, text=True, check=True, env=env)
            self.assertNotIn(S3.secret, done.stdout + done.stderr)
            return done.stdout.strip()
        now = datetime.datetime.now(datetime.timezone.utc)
        short = made("--expires", "1")
        for good in (made(), presign(url, now, 600)):
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(good, timeout=20) as answer:
                self.assertEqual(answer.read(), read(self.one))
        time.sleep(2.1)
        self.system.start_board().start_broker().start_gateway()
        for expired in (short, presign(url, now - datetime.timedelta(hours=1), 600)):
            job = self.system.last().get("job", "") + "x"
            self.system.command(cmd="update", job=job, device="board1", url=expired, sha256=said["sha256"])
            end = self.system.wait_end(job)
            self.assertEqual((end["state"], end["reason"]), ("failed", "http-error"))
            self.assertRegex(end["detail"], r"status 403 from .*: the presigned URL expired at 20..-")
        self.assertEqual([r["status"] for r in self.proxy.of(".fota")], [200, 200, 200, 403, 403])  # not tried again
        self.system.command(cmd="update", job="good", device="board1", url=made(), sha256=said["sha256"])
        self.assertEqual(self.system.wait_end("good")["state"], "confirmed")
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


class Tls(Case):
    """A server with a certificate of its own authority."""

    def setUp(self):
        super().setUp()
        self.ca, self.other = make_ca(self.system.dir, "ca"), make_ca(self.system.dir, "other")
        certificate = make_certificate(self.system.dir, self.ca, "localhost")
        wrong_name = make_certificate(self.system.dir, self.ca, "s3.example.org")
        self.tls = {"good": FaultProxy(S3.port, certificate), "wrong name": FaultProxy(S3.port, wrong_name)}
        for proxy in self.tls.values():
            self.addCleanup(proxy.close)
        self.url = f"{self.tls['good'].url}/{self.bucket}/fota"

    # what makes it fail: CA file, server, and what is said
    def cases(self):
        return ((self.other, "good", "certificate"), (None, "good", "certificate"), (self.ca, "wrong name", "name.*localhost|localhost.*name"))

    def test_publish(self):
        good = self.url
        for ca, server, pattern in self.cases():
            self.url = f"{self.tls[server].url}/{self.bucket}/fota"
            self.refused("(?i)" + pattern, self.one, *(["--ca", ca] if ca else []))
        self.url = good
        self.assertEqual(self.published(self.one, "--ca", self.ca)["sequence"], 1)
        self.assertEqual(self.tls["wrong name"].take(), [])

    def test_gateway(self):
        self.published(self.one, "--ca", self.ca)
        self.system.start_board().start_broker()
        for ca, server, pattern in self.cases():
            url = f"{self.tls[server].url}/{self.bucket}/fota"
            self.system.start_gateway(channels=[self.channel(**self.credentials(), url=url, **({"ca": ca} if ca else {}))])
            self.wait_log("channel stable: " + url + ": .*(?i:" + pattern + ")")
            self.system.stop_gateway()
            os.rename(self.system.path("gateway.log"), self.system.path("gateway.log.1"))
        self.assertEqual(self.tls["wrong name"].take(), [])
        self.start(ca=self.ca)
        self.wait_version("1.1.0")
        self.system.stop_gateway()

    def test_hub(self):
        self.system.start_broker()
        given = self.credentials()
        for ca, server, pattern in (*self.cases(), (self.ca, "good", None)):
            url = f"{self.tls[server].url}/{self.bucket}/fota"
            self.system.start_hub("--s3-url", url, "--s3-credentials", given["credentials_file"], "--s3-profile", given["profile"],
                                  *(["--s3-ca", ca] if ca else []), env=direct())
            status, said = self.system.upload(read(self.one))
            if pattern:
                self.assertEqual(status, 502)
                self.assertRegex(said["error"]["message"], "(?i)" + pattern)
            else:
                self.assertEqual(status, 201, said)
            self.assertEqual(self.system.hub.stop(), 0)


class Hub(Case):
    """The hub's packages are in the bucket; this disk has copies."""

    def start_hub(self, *options, **environment):
        if self.system.broker is None:
            self.system.start_broker()
        self.system.start_hub("--s3-url", self.url, *options, env={**direct(), **environment})

    def stop_hub(self):
        status = self.system.hub.stop()
        self.system.hub = None
        self.assertEqual(status, 0, self.hub_log())

    def with_credentials(self, secret=None):
        given = self.credentials(secret)
        return ["--s3-credentials", given["credentials_file"], "--s3-profile", given["profile"]]

    def hub_log(self):
        return read(self.system.path("hub.log")).decode("utf-8", "replace")

    def uploaded(self, path):
        status, release = self.system.upload(read(path))
        self.assertIn(status, (200, 201), release)
        return release["sha256"]

    def refused_upload(self, path, pattern, code="bucket"):
        status, said = self.system.upload(read(path))
        self.assertEqual((status, said["error"]["code"]), (502 if code == "bucket" else 503, code), said)
        self.assertRegex(said["error"]["message"], pattern)

    def download(self, sha256, **headers):
        c = http.client.HTTPConnection("127.0.0.1", self.system.hub_port, timeout=30)
        try:
            c.request("GET", f"/api/v1/packages/{sha256}.fota", headers={"Authorization": "Bearer " + self.system.tokens["gateway"], **headers})
            answer = c.getresponse()
            return answer.status, answer.read()
        finally:
            c.close()

    def forget(self, sha256=""):
        for name in os.listdir(self.system.path("hub/cache")):
            if name.startswith(sha256):
                os.unlink(self.system.path("hub/cache/" + name))

    def test_upload_and_download(self):
        self.start_hub(AWS_ACCESS_KEY_ID=S3.access, AWS_SECRET_ACCESS_KEY=S3.secret)
        data = read(self.one)
        sha256 = self.uploaded(self.one)
        self.assertEqual(self.stored(f"/packages/{sha256}.fota")[2], data)
        self.assertEqual(os.listdir(self.system.path("hub/packages")), [])
        put = [r for r in self.proxy.take() if r["method"] == "PUT"]
        self.assertEqual([(r["headers"]["If-None-Match"], r["status"]) for r in put], [("*", 200)])
        self.assertEqual(self.download(sha256), (200, data))
        self.assertEqual(self.uploaded(self.one), sha256)  # 412, and the same content
        # without the copy, after a restart, in two requests at the same time: one GET
        self.stop_hub()
        self.forget()
        self.start_hub(*self.with_credentials())
        before = len(self.proxy.of(".fota"))
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            self.proxy.fault = lambda *_: time.sleep(0.5)
            answers = list(pool.map(lambda headers: self.download(sha256, **headers), ({}, {"Range": "bytes=100-199"})))
        self.proxy.fault = None
        self.assertEqual(answers, [(200, data), (206, data[100:200])])
        self.assertEqual(len(self.proxy.of(".fota")), before + 1)
        self.assertNotIn(S3.secret, self.hub_log())
        self.assertNotIn("AWS4-HMAC", self.hub_log())
        self.stop_hub()

    def test_chunks(self):
        """Over MQTT, too, a package comes from the bucket when no copy is here; one that is no release is not looked for."""
        self.system.start_board().start_broker()
        self.start_hub(*self.with_credentials())
        self.system.start_gateway()
        sha256 = self.uploaded(self.one)
        self.forget()
        asked = len(self.proxy.take())
        for job, digest, state in (("m1", "0" * 64, "failed"), ("m2", sha256, "confirmed")):
            self.system.command(cmd="update", job=job, device="board1", url="mqtt:", sha256=digest)
            self.system.wait_state(job, (state,), 90)
        self.assertEqual([r["status"] for r in self.proxy.take()[asked:]], [200])
        self.system.stop_gateway()
        self.stop_hub()

    def test_bucket_gone(self):
        """Nothing is lost: what is there stays, the hub lives, and goes on when the bucket is back."""
        self.start_hub(*self.with_credentials())
        sha256 = self.uploaded(self.one)
        self.forget()
        key = f"/{self.bucket}/fota/packages/{sha256}.fota"
        S3.request("DELETE", key)
        two = self.system.bench.package("2.0.0")
        status, said = self.download(sha256)
        self.assertEqual(status, 502)
        self.assertRegex(said.decode(), f"{self.bucket}/fota/packages/{sha256}.fota: status 404 NoSuchKey")
        S3.request("DELETE", "/" + self.bucket)
        self.refused_upload(two, f"PUT .*{self.bucket}/fota/packages/[0-9a-f]{{64}}.fota: status 404 NoSuchBucket: the bucket is gone")
        self.assertEqual([r["sha256"] for r in self.system.request("GET", "/releases")[1]["releases"]], [sha256])
        self.assertEqual(os.listdir(self.system.path("hub/tmp")), [])
        S3.request("PUT", "/" + self.bucket)
        self.uploaded(two)
        self.uploaded(self.one)  # which heals it
        self.assertEqual(self.download(sha256), (200, read(self.one)))
        self.stop_hub()

    def test_trouble(self):
        """Wrong key, throttled for a moment, a server that is away, other content; and the end of the hub meanwhile."""
        self.start_hub(*self.with_credentials("wrong"))
        self.refused_upload(self.one, "status 403 SignatureDoesNotMatch: the secret access key")
        self.credentials()  # read again
        answers = [(503, [], XML.format("SlowDown").encode())] * 2
        self.proxy.fault = lambda *_: answers.pop() if answers else None
        sha256 = self.uploaded(self.one)
        self.proxy.fault = lambda *_: (403, [("Date", "Fri, 27 Nov 2026 01:00:00 GMT")], XML.format("RequestTimeTooSkewed").encode())
        two = self.system.bench.package("2.0.0")
        self.refused_upload(two, "RequestTimeTooSkewed.*clock.*01:00:00 GMT")
        self.proxy.fault = None
        S3.request("PUT", f"/{self.bucket}/fota/packages/{sha256}.fota", b"forged")
        self.refused_upload(self.one, "another SHA-256, damaged or forged")
        self.forget()
        self.assertEqual(self.download(sha256)[0], 502)
        # it ends while an upload waits: the client gets an answer
        self.proxy.fault = lambda *_: time.sleep(3)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(self.refused_upload, two, "the hub ends", "busy")
            wait_until(lambda: os.listdir(self.system.path("hub/tmp")), 10, "the upload")
            time.sleep(0.5)
            self.assertEqual(self.system.request("GET", "/health")[0], 200)  # it answers others meanwhile
            self.stop_hub()
            waiting.result()
        self.proxy.close()
        self.start_hub(*self.with_credentials())
        self.refused_upload(two, "Could not connect|Couldn't connect|refused")
        self.assertNotIn(S3.secret, self.hub_log())
        self.stop_hub()

    def test_move_in_and_backup(self):
        """A hub that had no bucket gets one; a backup knows of packages that are elsewhere."""
        self.system.start_broker()
        self.system.start_hub()
        packages = [self.system.bench.package(v) for v in ("1.1.0", "2.0.0")]
        digests = [self.uploaded(p) for p in packages]
        self.stop_hub()
        self.start_hub(*self.with_credentials())
        wait_until(lambda: not os.listdir(self.system.path("hub/packages")), 20, "the packages to move")
        for digest, package in zip(digests, packages):
            self.assertEqual(self.stored(f"/packages/{digest}.fota")[2], read(package))
        self.forget(digests[0])
        hub, backup = self.system.tool("hub", "fota-hub"), self.system.path("backup.sqlite")
        done = subprocess.run([hub, "backup", "--data", self.system.path("hub"), backup], capture_output=True, text=True, check=True)
        self.assertIn("1 packages are in the bucket only", done.stderr)
        self.stop_hub()
        os.rename(self.system.path("hub"), self.system.path("hub.old"))
        subprocess.run([hub, "restore", "--data", self.system.path("hub"), backup], check=True)
        self.start_hub(*self.with_credentials())
        for digest, package in zip(digests, packages):
            self.assertEqual(self.download(digest), (200, read(package)))
        self.stop_hub()

    def test_check_config(self):
        hub = self.system.tool("hub", "fota-hub")
        for options, pattern in ((["--s3-url", "ftp://x"], "does not begin with http"), (["--s3-url", "https://a:b@c/d"], "credentials come from"),
                                 (["--s3-url", self.url], "no credentials for the bucket"),
                                 (["--s3-url", self.url, "--s3-credentials", self.system.path("none")], "No such file")):
            done = subprocess.run([hub, "--data", self.system.path("hub"), "--check-config", *options], capture_output=True, text=True,
                                  env={k: v for k, v in direct().items() if not k.startswith("AWS_")}, check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertRegex(done.stderr, pattern)


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
