#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Configuration files of hub and gateway: the ones that are shipped, wrong members, what --check-config prints."""
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "lib"))
from fotatest import Proc, wait_until  # noqa: E402

HUB, GATEWAY, MKPACKAGE = (os.environ[n] for n in ("FOTA_HUB", "FOTA_GATEWAY", "FOTA_HUB_MKPACKAGE"))
PACKAGING = os.environ["FOTA_PACKAGING"]
SECRET = "hunter2-never-printed"


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


class Config(unittest.TestCase):
    def setUp(self):
        self.temp = tempfile.TemporaryDirectory(prefix="fota-config-")
        self.dir = self.temp.name
        subprocess.run([MKPACKAGE, "key", self.path("release")], check=True)
        for name in ("password", "token"):
            self.write(name, SECRET + "\n")

    def tearDown(self):
        self.temp.cleanup()

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)
        return self.path(name)

    def check(self, program, *options):
        done = subprocess.run([program, *options, "--check-config"], capture_output=True, text=True, timeout=20)
        self.assertNotIn(SECRET, done.stdout + done.stderr)
        return done

    def shipped(self, name):
        """The shipped file, with its paths below /…/fota turned to files that exist."""
        text = read(os.path.join(PACKAGING, name))
        for pattern, to in ((r"[^\"]*/fota/[a-z0-9]+\.mqtt-password", "password"), (r"[^\"]*/fota/gw1\.token", "token"),
                            (r"[^\"]*/fota/release\.pub\.pem", "release.pub.pem"), ("/var/lib/fota-hub", "data"),
                            ("/var/lib/fota-gateway", "cache")):
            text = re.sub("\"" + pattern, "\"" + self.path(to), text)
        return self.write(name, text)

    def test_shipped_gateway(self):
        done = self.check(GATEWAY, "--config", self.shipped("gateway.json"))
        self.assertEqual(done.returncode, 0, done.stderr)
        for word in ("gw1", "localhost:1883, no TLS, user gw1, with a password", "http://127.0.0.1:8080, with a token",
                     "/dev/ttyUSB0, 115200 baud", "16 packages and 8388608", "30000 ms", "info"):
            self.assertIn(word, done.stdout)

    def test_shipped_hub(self):
        done = self.check(HUB, "--config", self.shipped("hub.json"))
        self.assertEqual(done.returncode, 0, done.stderr)
        for word in ("127.0.0.1:8080", "localhost:1883, no TLS, user fota-hub, with a password", "at most 1048576 bytes",
                     "header 15 s, idle 30 s, in all 600 s", "no answer 60 s, silence 900 s", "release.pub.pem"):
            self.assertIn(word, done.stdout)

    def test_shipped_as_it_is(self):
        """Without the administrator's files both say which one is missing."""
        for program, name in ((GATEWAY, "gateway.json"), (HUB, "hub.json")):
            done = self.check(program, "--config", os.path.join(PACKAGING, name))
            self.assertNotEqual(done.returncode, 0)
            self.assertRegex(done.stderr, r"fota/[a-z0-9]+\.(mqtt-password|pub\.pem|token): No such file|fota/release\.pub\.pem")

    def test_every_member_of_the_shipped_files_is_every_option(self):
        """hub.json has all options in it, set or commented out."""
        text = read(os.path.join(PACKAGING, "hub.json"))
        helped = subprocess.run([HUB, "--help"], capture_output=True, text=True, check=True).stdout
        options = set(re.findall(r"--([a-z0-9-]+)=", helped)) - {"config", "key", "port-file"}
        self.assertGreater(len(options), 18)
        for option in options:
            self.assertIn('"' + option.replace("-", "_") + '":', text)
        text = read(os.path.join(PACKAGING, "gateway.json"))
        for member in ("broker_ca", "broker_cert", "broker_key", "cache_files", "cache_bytes", "stall_ms", "retry_ms", "chunk", "fallback"):
            self.assertIn('"' + member + '":', text)

    def refused(self, program, text, *words, status):
        done = self.check(program, "--config", self.write("x.json", text))
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)

    def test_wrong_hub(self):
        for text, *words in (('{"data": "/x", "colour": 1}', "colour"), ('{"data": 7}', '"data"', "7"),
                             ('{"data": "/x", "max_upload": "big"}', "max_upload", "big"),
                             ('{"data": "/x", "max_upload": 5}', "max_upload", "5", "1024"),
                             ('{"data": "/x", "idle_timeout": 1.5}', "idle_timeout", "1.5"),
                             ('{"data": "/x", "listen": "nowhere"}', "listen", "nowhere"),
                             ('{"data": "/x", "keys": "a.pem"}', "keys", "a.pem"), ('{"data": "/x", "keys": [1]}', "keys", "1"),
                             ('{"data": "/x", "log_level": "loud"}', "log_level", "loud"),
                             ('{"data": "/x", "mqtt-user": "u"}', "mqtt-user"),
                             ('{"data": "/x", "mqtt_ca": "/none"}', "mqtt_ca", "/none"),
                             ('{"data": "/x", "mqtt_cert": "/dev/null"}', "--mqtt-ca"),
                             ('{"data": "/x",\n "data": "/y"}', "twice"), ('{"data": "/x",\n oops}', "line 2"), ("{}", "data"),
                             ('{"config": "x"}', "config"), ('{"die_with_parent": true}', "die_with_parent")):
            with self.subTest(text):
                self.refused(HUB, text, *words, status=64)
        self.refused(HUB, '{"data": "/x", "keys": ["/none.pem"]}', "/none.pem", status=1)
        self.refused(HUB, '{"data": "/x", "mqtt_user": "u", "mqtt_password_file": "/none"}', "/none", status=1)

    def test_wrong_gateway(self):
        for text, *words in (('{"colour": 1}', "colour"), ('{"id": 7}', '"id"', "7"), ('{"stall_ms": 1}', "stall_ms", "is 1;"),
                             ('{"stall_ms": 500.5}', "500.5"), ('{"stall_ms": "x"}', '"x"'),
                             ('{"devices": [7]}', "devices", "7"), ('{"devices": [{"baud": -1}]}', "baud", "-1"),
                             ('{"broker_ca": "/none"}', "broker_ca", "/none"), ('{"id": "a", "id": "b"}', "twice"),
                             ('{"broker": "h", "broker_cert": "/dev/null"}', "broker_ca")):
            with self.subTest(text):
                self.refused(GATEWAY, text, *words, status=2)

    def test_options_override_the_file(self):
        text = json.dumps({"data": self.path("a"), "listen": "127.0.0.1:1", "keys": ["/none.pem"], "log_level": "error"})
        done = self.check(HUB, "--listen", "127.0.0.1:2", "--key", self.path("release.pub.pem"), "--config", self.write("h.json", text))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("127.0.0.1:2", done.stdout)
        self.assertNotIn("/none.pem", done.stdout)
        self.assertIn("log       error", done.stdout)

    def test_runs_from_the_file(self):
        text = "// a comment\n" + json.dumps({"data": self.path("data"), "listen": "127.0.0.1:0", "mqtt": "127.0.0.1:1",
                                               "port_file": self.path("port"), "keys": [self.path("release.pub.pem")]})
        with Proc([HUB, "--config", self.write("h.json", text), "--die-with-parent"]) as hub:
            wait_until(lambda: os.path.exists(self.path("port")) or not hub.alive(), 15, "the hub")
            self.assertTrue(hub.alive(), hub.output())
            self.assertTrue(os.path.exists(self.path("data") + "/hub.db"))

    def test_journal(self):
        """On the journal: its levels, no time of our own; elsewhere the other way round."""
        log = self.path("log")
        with open(log, "wb") as f:
            st = os.fstat(f.fileno())
            for name, first in ((f"{st.st_dev}:{st.st_ino}", r"^<3>"), (f"{st.st_dev}:{st.st_ino + 1}", r"^\d{4}-.*error: ")):
                for program, options in ((HUB, ["--data", self.path("d"), "--key", "/none.pem"]),
                                         (GATEWAY, ["--id", "a", "--broker", "x"])):
                    f.truncate(0)
                    f.seek(0)
                    done = subprocess.run([program, *options], stderr=f, env=dict(os.environ, JOURNAL_STREAM=name), timeout=20)
                    self.assertEqual(done.returncode, 1)
                    self.assertRegex(read(log), first)

    def test_versions(self):
        want = read(os.path.join(PACKAGING, "VERSION")).strip()
        self.assertRegex(want, r"^\d+\.\d+\.\d+")
        for program in (HUB, GATEWAY, os.path.join(PACKAGING, "fota-broker-setup")):
            done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
            self.assertEqual(done.stdout.strip(), f"{os.path.basename(program)} {want}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
