#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Bad jobs, bad servers and bad luck against a real device: a job for nobody, a job twice, 404, 500, too long, too short, stalls; a
broker and a serial port that go away and come back. The job ends with its reason, or goes on; the device never loses what it runs.

usage: test_bad_jobs.py BUILD_DIR [test names]"""
import os
import sys
import time
import unittest

from system import FACTORY, System, build_dir, read

STALL_MS = 400
BUILD = None


class Case(unittest.TestCase):
    def setUp(self):
        self.system = s = System(BUILD)
        self.addCleanup(lambda: s.close(not self._outcome.success))
        s.start_board().start_broker().start_gateway(stall_ms=STALL_MS)
        self.size = len(read(s.bench.package("1.1.0")))
        s.serve("good", read(s.bench.package("1.1.0")))
        self.before = s.flash_state()

    def untouched(self):
        self.assertEqual(self.system.flash_state(), self.before, "the device's flash was touched")
        last = self.system.last()
        self.assertEqual((last["version"], last["slot"], last["confirmed"]), (FACTORY, "A", True))

    def failed(self, job, reason, *says):
        end = self.system.wait_end(job)
        self.assertEqual((end["state"], end["reason"]), ("failed", reason), end)
        for phrase in says:
            self.assertIn(phrase, end["detail"])
        self.assertEqual(self.system.states(job), ["download", "failed"])
        self.untouched()

    def confirmed(self, job, states=("download", "write", "verify", "jump", "confirmed")):
        end = self.system.wait_end(job)
        self.assertEqual((end["state"], end["reason"], end["version"], end["slot"], end["confirmed"]),
                         ("confirmed", "", "1.1.0", "B", True), end)
        self.assertEqual(self.system.states(job), list(states))
        s = self.system
        s.stop_gateway()
        s.control("power off")
        s.control("power on")
        status = s.status()
        self.assertEqual((status["version"], status["confirmed_slot"], status["trial"]), ("1.1.0", "B", "none"), status)

    def written(self, at_least):
        def seen():
            return any(p["state"] == "write" and p["bytes"] >= at_least for p in self.system.of("board1/progress"))
        return seen


class Jobs(Case):
    def refused(self, job, reason, *says):
        reply = self.system.reply(job)
        self.assertEqual((reply["ok"], reply["reason"]), (False, reason), reply)
        for phrase in says:
            self.assertIn(phrase, reply["detail"])
        self.assertEqual(self.system.states(job), [])
        self.untouched()

    def test_commands_and_servers(self):
        s, web = self.system, self.system.web
        s.update("good", job="nobody", device="boardX")
        self.refused("nobody", "unknown-device", '"boardX"', "board1")
        s.update("good", job="digest", sha256="12")
        self.refused("digest", "bad-job", '"sha256" is "12"')
        s.update("good", job="scheme", url="ftp://127.0.0.1/good")
        self.refused("scheme", "bad-job", "ftp://127.0.0.1/good")

        self.failed(s.update("good", url=web.url("nothing")), "http-error", "404", web.url("nothing"))
        self.failed(s.update("good", url="http://127.0.0.1:9/good"), "http-error", "http://127.0.0.1:9/good")
        web.fault["good"] = ("status", 500)
        self.failed(s.update("good"), "http-error", "500", web.url("good"))
        self.assertGreater(web.count("good"), 1, "a 500 may be over soon")
        web.fault["good"] = ("stall", 30000)
        self.failed(s.update("good"), "stalled", f"{STALL_MS} ms", "30000 bytes")
        s.serve("fresh", read(s.bench.package("2.0.0")))
        web.fault["fresh"] = ("long-sent",)
        self.failed(s.update("fresh", size=len(web.files["fresh"])), "too-long", str(len(web.files["fresh"])))
        self.failed(s.update("fresh"), "too-long", "1048576")
        web.fault["fresh"] = ("short-said",)
        self.failed(s.update("fresh", size=len(web.files["fresh"])), "too-short", str(len(web.files["fresh"]) // 2))
        web.fault["fresh"] = ("norange-drop", 3000)
        self.failed(s.update("fresh"), "too-short", "3000", str(len(web.files["fresh"])))
        web.fault.clear()
        self.failed(s.update("good", size=self.size + 1), "too-short", str(self.size + 1))

        # A server that stalls and answers 503 now and then is no reason to give up, and a job comes but once.
        web.fault["good"] = ("status", 503, 2)
        job = s.update("good")
        s.wait_state(job, ("write",))
        s.update("good", job=job)
        self.assertTrue(s.reply(job, 2)["duplicate"])
        other = s.update("good")
        self.assertEqual(s.reply(other)["reason"], "busy")
        s.wait_end(job)
        s.update("good", job=job)
        self.assertTrue(s.reply(job, 3)["duplicate"])
        self.confirmed(job)
        self.assertEqual(s.flash_work()[0][7], self.before[0][7] + 1, "written once")


class Interruptions(Case):
    def test_broker_goes_away_and_comes_back(self):
        s = self.system
        job = s.update("good")
        s.wait_state(job, ("write",))
        s.broker.stop()
        s.gateway.wait_output("lost the broker")
        s.gateway.wait_output("board1: confirmed", 60)
        self.assertFalse(any(p["state"] == "confirmed" for p in s.of("board1/state")))
        s.broker.start()
        self.confirmed(job, ("download", "write", "confirmed"))  # what happened in between is not made up for

    def test_serial_port_vanishes_and_returns(self):
        s = self.system
        job = s.update("good")
        s.wait_state(job, ("write",))
        time.sleep(1)
        s.control("uart 3 disconnect")
        self.assertFalse(os.path.exists(s.tty))
        s.gateway.wait_output("vanished")
        time.sleep(1.5)
        self.assertEqual(s.states(job)[-1], "write")
        s.control("uart 3 connect")
        self.confirmed(job)
        self.assertIn("writing slot B from offset 0 ", read(s.path("gateway.log")).decode())
        self.assertRegex(read(s.path("gateway.log")).decode(), r"writing slot B from offset [1-9]\d+ ", "it went on where it was")

    def test_serial_port_vanishes_for_good(self):
        s = self.system
        s.control("uart 3 disconnect")
        s.gateway.wait_output("vanished")
        job = s.update("good")
        end = s.wait_end(job)
        self.assertEqual((end["state"], end["reason"]), ("failed", "device-lost"), end)
        self.assertIn("port was not there", end["detail"])
        s.control("uart 3 connect")
        self.untouched()
        self.confirmed(s.update("good"))


if __name__ == "__main__":
    BUILD = build_dir(sys.argv)
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]], verbosity=2)
