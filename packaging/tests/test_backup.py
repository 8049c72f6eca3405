#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""fota-hub backup and restore: while the hub works, into an empty directory, and what is refused."""
import glob
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "..", "hub", "tests"), os.path.join(HERE, "..", "..", "tests", "lib")]
from hubtest import Broker, Gateway, Hub, wait_until  # noqa: E402


class Backup(unittest.TestCase):
    def setUp(self):
        self.broker = self.enterContext(Broker())
        self.hub = self.enterContext(Hub(self.broker.address()))
        self.gateway = Gateway(self.broker)
        self.addCleanup(self.gateway.close)
        self.packages = [self.hub.package(v) for v in ("1.1.0", "1.2.0")]
        for data in self.packages:
            self.assertEqual(self.hub.upload(data).status, 201)
        self.gateway.presence()
        self.gateway.state("idle", version="1.0.0", slot="A", confirmed=True)
        wait_until(lambda: self.hub.get("/devices")["devices"], 10, "the device")
        self.file = self.hub.path("backup.sqlite")

    def backup(self, file=None, data=None):
        return self.hub.cli("backup", "--data", data or self.hub.data, file or self.file)

    def restore(self, to, file=None):
        return self.hub.cli("restore", "--data", self.hub.path(to), file or self.file)

    def good_backup(self):
        done = self.backup()
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_there_and_back(self):
        before = {p: self.hub.get(p) for p in ("/releases", "/devices", "/devices/gw1/board1/history")}
        self.good_backup()
        self.assertEqual(stat.S_IMODE(os.stat(self.file).st_mode), 0o600)
        self.assertEqual(glob.glob(self.file + ".*") + glob.glob(self.file + "-*"), [])
        with open(self.file, "rb") as f:
            content = f.read()
        for token in self.hub.token.values():
            self.assertNotIn(token.encode(), content)
        done = self.restore("new")
        self.assertEqual(done.returncode, 0, done.stderr)
        with sqlite3.connect(self.hub.path("new/hub.db")) as db:
            self.assertEqual(db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'package'").fetchone()[0], 0)
            self.assertEqual(db.execute("PRAGMA application_id").fetchone()[0], 0)
        db.close()
        # The restored directory under the same hub: the same answers to the same tokens, the same packages.
        self.broker.stop()
        self.assertEqual(self.hub.proc.stop(), 0)
        self.hub.data = self.hub.path("new")
        self.hub.start()
        for path, answer in before.items():
            now = self.hub.get(path)
            if path == "/devices":
                for key in ("mqtt", "broker", "connected"):
                    answer.pop(key, None), now.pop(key, None)
            self.assertEqual(now, answer, path)
        for release in before["/releases"]["releases"]:
            got = self.hub.request("GET", f"/packages/{release['sha256']}.fota", role="gateway")
            self.assertEqual(got.status, 200)
            self.assertIn(got.body, self.packages)
        self.broker.start()

    def test_while_it_works(self):
        """Releases come and go meanwhile; every backup is whole and can be restored."""
        end = threading.Event()
        errors = []

        def churn():
            n = 0
            while not end.is_set():
                n += 1
                data = self.hub.package(f"2.0.{n % 5}", size=300000)
                up = self.hub.upload(data)
                if up.status not in (200, 201):
                    errors.append(up.body)
                    return
                gone = self.hub.request("DELETE", "/releases/" + up.json()["sha256"])
                if gone.status not in (200, 204):
                    errors.append(gone.body)
                    return
                self.gateway.progress(job="x", state="write", percent=n % 100, bytes=n, total=1000, rate=1)
        thread = threading.Thread(target=churn)
        thread.start()
        try:
            for i in range(8):
                done = self.backup(f"{self.file}.{i}")
                self.assertEqual(done.returncode, 0, done.stderr)
                done = self.restore(f"new{i}", f"{self.file}.{i}")
                self.assertEqual(done.returncode, 0, done.stderr)
                with sqlite3.connect(self.hub.path(f"new{i}/hub.db")) as db:
                    rows = {row[0] for row in db.execute("SELECT sha256 FROM releases")}
                db.close()
                files = {os.path.basename(f)[:64] for f in glob.glob(self.hub.path(f"new{i}/packages/*.fota"))}
                self.assertEqual(rows, files)
                self.assertGreaterEqual(len(rows), 2)
        finally:
            end.set()
            thread.join()
        self.assertEqual(errors, [])

    def refuse(self, done, *words):
        self.assertEqual(done.returncode, 1, done.stdout)
        for word in words:
            self.assertIn(word, done.stderr)

    def test_refused(self):
        self.good_backup()
        self.refuse(self.backup(), "there already")
        self.refuse(self.backup(self.hub.path("x"), self.hub.path("nowhere")), "nowhere")
        self.refuse(self.restore("data"), "not an empty directory")
        self.assertEqual(self.hub.cli("backup", "--data", "x").returncode, 64)
        self.assertEqual(self.hub.cli("restore", "x").returncode, 64)
        with open(self.hub.path("text"), "w", encoding="ascii") as f:
            f.write("this is no database " * 300)
        self.refuse(self.restore("new", self.hub.path("text")), "text")
        self.refuse(self.restore("new", self.hub.data + "/hub.db"), "no backup")
        self.refuse(self.restore("new", "/nonexistent"), "/nonexistent")

        def changed(name, *statements):
            copy = self.hub.path(name)
            shutil.copyfile(self.file, copy)
            with sqlite3.connect(copy) as db:
                for statement in statements:
                    db.execute(statement)
            db.close()
            return copy
        self.refuse(self.restore("new", changed("a", "UPDATE package SET data = substr(data, 1, 100) || x'00' || substr(data, 102)")),
                    "SHA-256")
        self.refuse(self.restore("new", changed("b", "DELETE FROM package")), "no package")
        self.refuse(self.restore("new", changed("c", "PRAGMA user_version = 99")), "99")
        # A cut in the middle of the file, and bits that rotted.
        with open(self.file, "rb") as f:
            content = f.read()
        with open(self.hub.path("short"), "wb") as f:
            f.write(content[:len(content) // 2])
        self.refuse(self.restore("new", self.hub.path("short")), "short")
        self.assertFalse(os.path.exists(self.hub.path("new")))
        self.assertEqual(glob.glob(self.hub.path("*.part")), [])

    def test_damaged_package(self):
        """A package whose bits have rotted is not carried on as if it were good."""
        name = glob.glob(self.hub.data + "/packages/*.fota")[0]
        os.chmod(name, 0o600)
        with open(name, "r+b") as f:
            f.seek(1000)
            byte = f.read(1)
            f.seek(1000)
            f.write(bytes([byte[0] ^ 1]))
        self.refuse(self.backup(), "damaged", os.path.basename(name))
        os.unlink(name)
        self.refuse(self.backup(), "missing", os.path.basename(name)[:64])
        self.assertEqual(glob.glob(self.file + "*"), [])

    def test_nothing_left_behind(self):
        """A restore that cannot write all of it, at whichever file, leaves the directory as it was."""
        self.good_backup()
        largest = max(os.path.getsize(f) for f in glob.glob(self.hub.data + "/packages/*"))
        self.assertLess(largest, 60 * 1024)
        for kib in (largest // 2048, 64): # the first package does not fit; the packages do, the database does not
            done = subprocess.run(["bash", "-c", "trap '' XFSZ; ulimit -f $0; exec \"$@\"", str(kib), os.environ["FOTA_HUB"], "restore",
                                   "--data", self.hub.path("new"), self.file], capture_output=True, text=True, timeout=30)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertEqual(os.listdir(self.hub.path("new")), [], kib)
        self.assertEqual(self.restore("new").returncode, 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
