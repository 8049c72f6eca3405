#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An update while the application runs, through broker and gateway: the application is reset once, into the new image, and keeps running
meanwhile. The gateway is killed in the middle, or the device loses its power.

usage: test_agent.py BUILD_DIR [test names]"""
import sys
import unittest

from system import DEVICE, System, build_dir, read, wait_until

BUILD = None


class Agent(unittest.TestCase):
    def setUp(self):
        self.system = s = System(BUILD, "busy")
        self.addCleanup(lambda: s.close(not self._outcome.success))
        s.start_board().start_broker().start_gateway()
        s.serve("busy", read(s.bench.package("1.1.0")))
        self.resets = s.control("status")["counters"]["resets"]

    def written(self, at_least):
        return lambda: any(p["state"] == "write" and p["bytes"] >= at_least for p in self.system.of("board1/progress"))

    def confirmed(self, job, resets):
        s = self.system
        end = s.wait_end(job, 90)
        self.assertEqual((end["state"], end["reason"], end["version"], end["slot"], end["confirmed"]), ("confirmed", "", "1.1.0", "B", True), end)
        now = s.control("status")["counters"]["resets"]
        self.assertEqual({k: v - self.resets[k] for k, v in now.items() if v != self.resets[k]}, resets)

    def test_while_it_runs(self):
        job = self.system.update("busy")
        self.confirmed(job, {"software": 1})
        self.assertEqual(self.system.states(job), ["download", "write", "verify", "jump", "confirmed"])

    def test_through_the_bootloader_all_the_same(self):
        s = self.system
        s.stop_gateway()
        s.start_gateway(devices=[{"name": DEVICE, "port": s.tty, "via": "bootloader"}])
        self.confirmed(s.update("busy"), {"software": 2})

    def test_gateway_killed(self):
        s = self.system
        job = s.update("busy")
        wait_until(self.written(30000), 30, "30 000 bytes")
        s.gateway.kill()
        s.gateway.wait()
        s.start_gateway()
        self.confirmed(job, {"software": 1})

    def test_power_lost(self):
        s = self.system
        job = s.update("busy")
        wait_until(self.written(30000), 30, "30 000 bytes")
        s.control("power off")
        s.control("power on")
        self.confirmed(job, {"software": 1, "power": 1})


if __name__ == "__main__":
    BUILD = build_dir(sys.argv)
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]], verbosity=2)
