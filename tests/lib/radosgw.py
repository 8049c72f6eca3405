# SPDX-License-Identifier: MIT
"""radosgw on loopback for tests: one monitor with cephx, one OSD with its objects in memory, one radosgw, all in a folder of their own.

    with Radosgw() as s3:
        s3.endpoint, s3.access, s3.secret      # path-style: <endpoint>/<bucket>/<key>
        s3.request("PUT", "/bucket")           # signed with Python's hmac, independent of the code under test

About 20 s to start. Debian: radosgw, ceph-mon, ceph-osd.
"""
import datetime
import hashlib
import hmac
import http.client
import os
import shutil
import subprocess
import tempfile
import urllib.parse
import uuid

from fotatest import Proc, free_port, port_open, wait_until

NEEDED = ("radosgw", "radosgw-admin", "ceph-mon", "ceph-osd", "ceph-authtool", "monmaptool", "ceph")


def missing():
    """What is not installed, as a sentence; or ''."""
    gone = [t for t in NEEDED if shutil.which(t) is None]
    return f"{', '.join(gone)} missing: make deps" if gone else ""


def sign(method, url, access, secret, payload=b"", region="us-east-1", headers=None, when=None):
    """The headers of a request signed with SigV4, from the S3 API reference."""
    parts = urllib.parse.urlsplit(url)
    when = when or datetime.datetime.now(datetime.timezone.utc)
    stamp, day = when.strftime("%Y%m%dT%H%M%SZ"), when.strftime("%Y%m%d")
    digest = hashlib.sha256(payload).hexdigest()
    signed = {k.lower(): v for k, v in (headers or {}).items()}
    signed.update({"host": parts.netloc, "x-amz-date": stamp, "x-amz-content-sha256": digest})
    names = ";".join(sorted(signed))
    query = "&".join(sorted(q if "=" in q else q + "=" for q in parts.query.split("&") if q))
    canonical = "\n".join([method, parts.path or "/", query, *(f"{k}:{signed[k]}" for k in sorted(signed)), "", names, digest])
    scope = f"{day}/{region}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + secret).encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    signed["authorization"] = f"AWS4-HMAC-SHA256 Credential={access}/{scope},SignedHeaders={names},Signature={signature}"
    return signed


class Radosgw:
    """access and secret are those of its one user."""

    access, secret = "FOTATESTACCESS", "fotatestsecret/with+signs"

    def __init__(self, folder=None):
        self.dir = folder or tempfile.mkdtemp(prefix="fota-rgw-")
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.parts = []

    def path(self, name):
        return os.path.join(self.dir, name)

    def tool(self, *argv, timeout=60):
        done = subprocess.run([argv[0], "-c", self.path("ceph.conf"), *argv[1:]], capture_output=True, text=True, timeout=timeout, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(argv)}: {done.stderr[-2000:]}")
        return done.stdout

    def _configure(self):
        fsid, self.mon_port = str(uuid.uuid4()), free_port()
        run = self.path("run")
        for d in ("run", "mon", "osd"):
            os.makedirs(self.path(d), exist_ok=True)
        with open(self.path("ceph.conf"), "w", encoding="ascii") as f:
            f.write(f"""[global]
fsid = {fsid}
mon host = v2:127.0.0.1:{self.mon_port}
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon initial members = a
run dir = {run}
admin socket = {run}/$cluster-$name.asok
pid file = {run}/$name.pid
log file =
err to stderr = true
log to stderr = true
mon cluster log file = /dev/null
keyring = {self.path('keyring')}
ms bind ipv6 = false
[mon]
mon data = {self.path('mon')}
mon data avail warn = 1
mon data avail crit = 1
mon max pg per osd = 1000
keyring = {self.path('keyring')}
[osd]
osd data = {self.path('osd')}
osd objectstore = memstore
memstore device bytes = 268435456
osd class load list = *
osd max object name len = 256
keyring = {self.path('keyring')}
[client.admin]
keyring = {self.path('keyring')}
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:{self.port}
rgw enable usage log = false
rgw data = {self.path('run')}
rgw dns name = localhost
keyring = {self.path('keyring')}
""")
        key = self.path("keyring")
        for name, caps in (("mon.", ["--cap", "mon", "allow *"]),
                           ("client.admin", ["--cap", "mon", "allow *", "--cap", "osd", "allow *", "--cap", "mgr", "allow *"]),
                           ("client.rgw", ["--cap", "mon", "allow rwx", "--cap", "osd", "allow rwx"]),
                           ("osd.0", ["--cap", "mon", "allow profile osd", "--cap", "osd", "allow *"])):
            create = [] if os.path.exists(key) else ["--create-keyring"]
            subprocess.run(["ceph-authtool", *create, key, "--gen-key", "-n", name, *caps], check=True, capture_output=True)
        subprocess.run(["monmaptool", "--create", "--clobber", "--addv", "a", f"[v2:127.0.0.1:{self.mon_port}]", "--fsid", fsid,
                        self.path("monmap")], check=True, capture_output=True)
        self.tool("ceph-mon", "--mkfs", "-i", "a", "--monmap", self.path("monmap"), "--keyring", key)

    def _run(self, name, *argv):
        self.parts.append(Proc([argv[0], "-c", self.path("ceph.conf"), "-f", *argv[1:]], name, log=self.path(name + ".log")).start())

    def start(self):
        self._configure()
        self._run("mon", "ceph-mon", "-i", "a")
        wait_until(lambda: port_open(self.mon_port), 20, "ceph-mon")
        osd = str(uuid.uuid4())
        self.tool("ceph", "-n", "client.admin", "osd", "new", osd, "0")
        self.tool("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
        self._run("osd", "ceph-osd", "-i", "0")
        wait_until(lambda: "1 up" in self.tool("ceph", "-n", "client.admin", "osd", "stat"), 30, "ceph-osd", 0.3)
        self._run("rgw", "radosgw", "-n", "client.rgw")
        wait_until(lambda: port_open(self.port) or not self.parts[-1].alive(), 60, "radosgw", 0.2)
        self.add_user("fota", self.access, self.secret)
        return self

    def add_user(self, uid, access, secret):
        self.tool("radosgw-admin", "-n", "client.rgw", "user", "create", "--uid", uid, "--display-name", uid, "--access-key", access,
                  "--secret-key", secret)

    def request(self, method, path, body=b"", headers=None):
        """(status, headers, body), signed."""
        signed = sign(method, self.endpoint + path, self.access, self.secret, body, headers=headers)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body=body or None, headers=signed)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def stop(self):
        for part in reversed(self.parts):
            part.stop(5)
        self.parts = []
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            for part in self.parts:
                print(f"---- {part.name}\n{part.output()[-3000:]}", flush=True)
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()
        return False
