#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The ESP32's application on ESP-IDF's linux target, against the real broker, web server and bootloader on the virtual board.

usage: test_linux.py BUILD_DIR ESP32_BUILD_DIR [test names]"""
import os
import sys
import unittest

from esp32 import Esp32System, read, wait_until

BUILD = ELF = PARTITIONS = None


class Case(unittest.TestCase):
    def setUp(self):
        self.system = s = Esp32System(BUILD, ELF, PARTITIONS)
        self.addCleanup(lambda: s.close(not self._outcome.success))
        s.start_board().start_broker()
        s.serve("good", read(s.bench.package("1.1.0")))

    def confirmed(self, job, version="1.1.0", slot="B"):
        end = self.system.wait_end(job, 120)
        self.assertEqual((end["state"], end["reason"], end["version"], end["slot"], end["confirmed"]), ("confirmed", "", version, slot, True), end)


class Updates(Case):
    def test_update(self):
        s = self.system.start_gateway()
        job = s.update("good")
        self.confirmed(job)
        self.assertEqual(s.states(job), ["download", "write", "verify", "jump", "confirmed"])
        s.chip.type("memory")
        s.wait_log("memory: task http")
        print("\n".join(line for line in s.log().split("\n") if line.startswith("memory:")))
        s.boots("1.1.0", "B")


def main():
    global BUILD, ELF, PARTITIONS
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    BUILD = os.path.abspath(sys.argv[1])
    ELF = os.path.join(sys.argv[2], "fota_gateway.elf")
    PARTITIONS = os.path.join(sys.argv[2], "partition_table", "partition-table.bin")
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)


if __name__ == "__main__":
    main()
