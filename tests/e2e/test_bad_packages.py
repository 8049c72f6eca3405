#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every bad package against the whole system: the hub takes none, a gateway's job for it fails with the reason, the bootloader
refuses it where it can see the fault; nothing is erased, and the device still runs what it ran. A good update works afterwards.

usage: test_bad_packages.py BUILD_DIR [test names]"""
import json
import subprocess
import sys
import unittest

from cases import CASES, MISFITS, facts, others
from system import FACTORY, System, build_dir, read

PACKAGE_MIN, PACKAGE_MAX = 540, 1 << 20
BUILD = None


class BadPackages(unittest.TestCase):
    """The tests run in the order of their numbers on one system."""
    success = True

    @classmethod
    def setUpClass(cls):
        cls.system = s = System(BUILD)
        cls.addClassCleanup(lambda: s.close(not cls.success))
        cls.good, cls.next = s.bench.package("2.0.0"), s.bench.package("1.1.0")
        cls.bad = s.make_bad(cls.good)
        s.bench.firmware_bin("2.0.0")
        key_id = lambda name: json.loads(s.fota("inspect", s.path(name), "--json").stdout)["key_id"]  # noqa: E731
        cls.facts = facts(read(cls.good), key_id("demo.pub.pem"), key_id("other.pub.pem"))
        s.start_board().start_broker().start_hub().start_gateway()
        cls.others = others(read, lambda n: s.tool("target", n), s.path)

    def setUp(self):
        s = self.system
        if s.gateway is None:
            self.assert_factory_runs()
        self.before = s.flash_state()

    def tearDown(self):
        type(self).success = type(self).success and self._outcome.success

    def assert_untouched(self):
        """Nothing was erased or programmed since the test began."""
        self.assertEqual(self.system.flash_state(), self.before, "the device's flash was touched")

    def assert_factory_runs(self):
        status = self.system.status()
        self.assertEqual((status["version"], status["slot"], status["confirmed_slot"], status["trial"]), (FACTORY, "A", "A", "none"))
        return status

    def assert_says(self, text, phrases):
        for phrase in phrases:
            self.assertIn(phrase.format(**self.facts), text)

    # --- the hub
    def test_1_hub(self):
        s = self.system
        for name, data, code, says in ([(c.name, read(self.bad[c.name]), c.reason, c.says) for c in CASES] +
                                       [(o.name, o.data, o.hub, o.says) for o in self.others]):
            with self.subTest(name):
                status, answer = s.upload(data)
                if len(data) > PACKAGE_MAX:
                    code, says = "too-large", ("1048576",)
                self.assertEqual((status, answer["error"]["code"]), (413 if len(data) > PACKAGE_MAX else 400, code), answer)
                self.assert_says(answer["error"]["message"], says)
                if status == 400:
                    self.assertEqual(answer["error"]["field"], code)
        self.assertEqual(s.request("GET", "/releases"), (200, {"releases": []}))

    # --- the gateway
    def failed(self, job, reason, says):
        end = self.system.wait_end(job)
        self.assertEqual((end["state"], end["reason"]), ("failed", reason), end)
        self.assert_says(end["detail"], says)
        self.assertEqual(self.system.states(job), ["download", "failed"])
        self.assertEqual((end["version"], end["slot"], end["confirmed"]), (FACTORY, "A", True))
        self.assert_untouched()

    def job(self, name, data, reason, says):
        if len(data) < PACKAGE_MIN:
            reason, says = "too-short", (f"{len(data)} bytes", "540")
        elif len(data) > PACKAGE_MAX:
            reason, says = "too-long", (f"{len(data)} bytes", "1048576")
        self.system.serve(name, data)
        self.failed(self.system.update(name), reason, says)

    def test_2_gateway(self):
        s = self.system
        for case in CASES:
            with self.subTest(case.name):
                self.job(case.name, read(self.bad[case.name]), case.reason, case.says)
        for other in self.others:
            with self.subTest(other.name):
                self.job(other.name, other.data, other.verify, other.says)
        with self.subTest("digest-mismatch"):
            s.serve("good", read(self.good))
            self.failed(s.update("good", sha256="ab" * 32), "digest-mismatch", ("SHA-256", "ab" * 32, "wrong file or wrong digest"))
        self.assertEqual(s.request("GET", "/devices")[1]["devices"][0]["version"], FACTORY)

    def test_3_not_for_this_device(self):
        """The package is good, so the hub takes it; the device's own product, hardware and floor decide."""
        s = self.system
        for case, _ in MISFITS:
            with self.subTest(case.name):
                self.job(case.name, read(self.bad[case.name]), case.reason, ())
                status, release = s.upload(read(self.bad[case.name]))
                self.assertEqual(status, 201, release)
                status, update = s.request("POST", "/updates", json.dumps({"gateway": "gw1", "device": "board1",
                                                                           "release": release["sha256"]}))
                self.assertEqual(status, 201, update)
                end = s.wait_end(update["job"])
                self.failed(update["job"], case.reason, case.says[:-1])
                self.assertIn("pick", end["detail"])

    def test_4_gateway_ends(self):
        s = self.system
        s.stop_gateway()
        status = self.assert_factory_runs()
        self.assertEqual((status["mode"], status["rejected"], status["last_reason"]), ("application", [], ""), status)
        self.assert_untouched()

    # --- the device alone
    def test_5_fota_flash(self):
        """Without --key the signature is the device's business."""
        s = self.system
        for case in CASES + [c for c, _ in MISFITS]:
            with self.subTest(case.name):
                done = s.fota("flash", self.bad[case.name], "--port", s.tty, "--json")
                end = json.loads(done.stdout.splitlines()[-1])
                self.assertEqual((done.returncode, end["ok"], end["reason"]), (1, False, case.reason), done)
                if case.reason not in ("key", "signature"):
                    self.assert_says(end["message"], case.says)
                elif case.reason == "key":
                    self.assert_says(end["message"], ("{unknown}", "not trusted"))
                self.assert_untouched()
        for other in self.others:
            with self.subTest(other.name):
                file = s.path("other-" + other.name)
                with open(file, "wb") as f:
                    f.write(other.data)
                done = s.fota("flash", file, "--port", s.tty, "--json")
                end = json.loads(done.stdout)
                self.assertEqual((done.returncode, end["ok"], end["reason"]), (1, False, other.verify), done)
                self.assert_says(end["message"], (file, *other.says))
        self.assert_untouched()
        self.assert_factory_runs()

    def raw(self, *arguments):
        done = subprocess.run([self.system.tool("tests", "e2e", "raw_link"), self.system.tty, *arguments], capture_output=True,
                              text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_6_bootloader_refuses_the_header(self):
        """A host that checks nothing: nothing is erased before the header has passed every check."""
        for case in CASES + [c for c, _ in MISFITS]:
            if case.boot is not None:
                with self.subTest(case.name):
                    self.assertEqual(self.raw("begin", self.bad[case.name]), {"begin": case.boot})
                    self.assert_untouched()
        for length in ("0", "4", "508", "511"):
            with self.subTest(length=length):
                self.assertEqual(self.raw("begin", self.good, length), {"begin": "truncated"})
                self.assert_untouched()
        self.assert_factory_runs()
        # The same host with the good header is let in, and that is seen: what was asserted above can fail.
        self.assertEqual(self.raw("begin", self.good), {"begin": "ok"})
        self.assertNotEqual(self.system.flash_state(), self.before)
        self.assert_factory_runs()

    def test_7_bootloader_refuses_the_code(self):
        """What only the whole code shows: the spare slot has been written then, but is never tried."""
        s = self.system
        for case in CASES:
            if case.finish is not None:
                with self.subTest(case.name):
                    self.assertEqual(self.raw("install", self.bad[case.name]), {"begin": "ok", "slot": "B", "finish": case.finish})
                    self.assert_factory_runs()
        erases, programs = s.flash_work()
        self.assertEqual((erases[:7], programs[:7]), (self.before[0][:7], self.before[1][:7]), "bootloader or slot A were touched")
        self.assertGreater(erases[7], self.before[0][7])
        self.assertEqual(s.control("status")["counters"]["resets"]["watchdog"], 0)

    # --- and then
    def test_8_a_good_update_still_works(self):
        s = self.system
        if s.gateway is None:
            s.start_gateway()
        status, release = s.upload(read(self.next))
        self.assertEqual(status, 201, release)
        status, update = s.request("POST", "/updates", json.dumps({"gateway": "gw1", "device": "board1",
                                                                   "release": release["sha256"]}))
        self.assertEqual(status, 201, update)
        end = s.wait_end(update["job"])
        self.assertEqual((end["state"], end["version"], end["slot"], end["confirmed"]), ("confirmed", "1.1.0", "B", True), end)
        self.assertEqual(s.states(update["job"]), ["download", "write", "verify", "jump", "confirmed"])
        self.assertEqual(s.request("GET", f"/updates/{update['job']}")[1]["state"], "confirmed")
        s.stop_gateway()
        s.control("power off")
        self.assertFalse(s.control("status")["power"])
        s.control("power on")
        status = s.status()
        self.assertEqual((status["version"], status["slot"], status["confirmed_slot"], status["trial"]), ("1.1.0", "B", "B", "none"))


if __name__ == "__main__":
    BUILD = build_dir(sys.argv)
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]], verbosity=2)
