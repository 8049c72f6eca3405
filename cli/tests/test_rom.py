# SPDX-License-Identifier: MIT
"""fota provision, flash --rom, rescue and dump against the board's model of ST's factory bootloader, over UART (a pty) and SPI; the Arm binaries run."""
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
from fotatest import Proc, wait_until  # noqa: E402

FOTA, BOARD, TARGET = sys.argv[1:4]
PRODUCT = "5f0e1a52-7c34-4b11-9d20-610b3a774001"
FLASH = 0x08000000


class Rom(unittest.TestCase):
    wire = "uart"

    def setUp(self):
        self.tmp = tempfile.TemporaryDirectory(prefix="fota-rom-")
        self.dir = self.tmp.name
        self.good("keygen", "-o", self.path("key"))
        self.good("bootloader", f"{TARGET}/bootloader.bin", "--key", self.path("key.pub.pem"), "--product", PRODUCT, "--hw", "1", "-o", self.path("boot.bin"))
        for version in ("1.0.0", "1.1.0", "1.2.0"):
            self.good("pack", f"{TARGET}/hello-{version}.a.elf", f"{TARGET}/hello-{version}.b.elf", "--key", self.path("key.pem"), "-o", self.path(f"{version}.fota"))
        self.board = Proc([BOARD, "--flash", self.path("flash"), "--uart", f"3=pty:{self.path('tty')}", "--spi", f"1=unix:{self.path('spi')},gap=15000",
                           "--control", self.path("control"), "--speed", "20", "--die-with-parent"], "fota-board").start()
        wait_until(lambda: os.path.exists(self.path("tty")) and os.path.exists(self.path("control")), 10, "the board")
        self.where = ["--port", self.path("tty") if self.wire == "uart" else f"spi:unix:{self.path('spi')}", "--control", self.path("control")]

    def tearDown(self):
        self.board.stop()
        os.unlink(self.board.log_path)
        self.tmp.cleanup()

    def path(self, name):
        return os.path.join(self.dir, name)

    def run_fota(self, *arguments):
        return subprocess.run([FOTA, *map(str, arguments)], capture_output=True, text=True, timeout=280)

    def good(self, *arguments):
        run = self.run_fota(*arguments)
        self.assertEqual(run.returncode, 0, f"{arguments}: {run.stderr}{run.stdout}")
        return run.stdout

    def status(self):
        for _ in range(60):  # it verifies, and runs its trial
            run = self.run_fota("status", *self.where[:2], "--json")
            if run.returncode == 0 and json.loads(run.stdout)["mode"] == "application":
                return json.loads(run.stdout)
            time.sleep(0.2)
        self.fail(run.stderr + run.stdout)

    def control(self, command):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.path("control"))
            s.sendall(command.encode() + b"\n")
            return json.loads(s.makefile().readline())

    def test_from_blank_to_rescue(self):
        out = self.good("provision", self.path("boot.bin"), self.path("1.0.0.fota"), *self.where)
        self.assertIn("provisioned: bootloader, image in slot A, journal; all of it read back\n", out)
        self.assertEqual((self.status()["version"], self.status()["confirmed_slot"]), ("1.0.0", "A"))
        options = json.loads(self.good("dump", "options", *self.where, "--json"))
        self.assertEqual((options["rdp"], options["bor"], options["write_protected"]), (0, 3, [0]))

        again = self.run_fota("provision", self.path("boot.bin"), self.path("1.0.0.fota"), *self.where, "--json")
        self.assertEqual(again.returncode, 1)
        self.assertIn("--force provisions it anew", json.loads(again.stdout)["message"])

        run = self.run_fota("flash", self.path("1.1.0.fota"), "--rom", *self.where, "--json")
        self.assertEqual(run.returncode, 0, run.stderr + run.stdout)
        end = json.loads(run.stdout.splitlines()[-1])
        self.assertEqual((end["state"], end["version"]), ("confirmed", "1.1.0"))
        self.assertEqual(self.status()["confirmed_slot"], "B")

        journal = json.loads(self.good("dump", "journal", *self.where, "--json"))
        kinds = [r["type"] for r in journal["records"]]
        self.assertEqual((journal["confirmed_slot"], kinds[0], kinds[-1]), ("B", "clean", "confirmed"))
        for kind in ("install", "erasing", "erased", "progress", "pending", "trial"):
            self.assertIn(kind, kinds)
        words = self.good("dump", "journal", *self.where)
        self.assertRegex(words, r"confirmed          slot B\n")
        self.assertRegex(words, r"\d+  pending    slot B  [0-9a-f]{32}\n")
        self.good("dump", "bootloader", *self.where, "-o", self.path("back.bin"))
        with open(self.path("back.bin"), "rb") as back, open(self.path("boot.bin"), "rb") as boot:
            self.assertEqual(back.read(), boot.read())

        with open(self.path("flash"), "r+b") as flash:  # as a bad debugger session leaves it
            flash.write(os.urandom(16384))
        found = json.loads(self.good("rescue", self.path("boot.bin"), *self.where, "--json"))
        self.assertEqual((found["bootloader_kept"], found["journal_kept"], found["good_slots"]), (False, True, ["A", "B"]))
        self.assertEqual((self.status()["version"], self.status()["confirmed_slot"]), ("1.1.0", "B"))

    def test_rdp_and_bad_input(self):
        out = self.good("provision", self.path("boot.bin"), self.path("1.0.0.fota"), "--rdp1", *self.where)
        self.assertIn("readout protection level 1", out)
        self.assertEqual(self.status()["version"], "1.0.0")
        for command in (("dump", "journal"), ("flash", self.path("1.1.0.fota"), "--rom"), ("rescue", self.path("boot.bin"), self.path("1.0.0.fota"))):
            run = self.run_fota(*command, *self.where)
            self.assertNotEqual(run.returncode, 0)
            self.assertIn("readout protection is on (RDP level 1)", run.stderr)
        self.good("rescue", self.path("boot.bin"), self.path("1.1.0.fota"), "--erase-everything", *self.where)
        self.assertEqual(self.status()["version"], "1.1.0")

        run = self.run_fota("provision", f"{TARGET}/bootloader.bin", self.path("1.0.0.fota"), *self.where)
        self.assertEqual(run.returncode, 1)
        self.assertIn("a configured bootloader has 16384", run.stderr)
        run = self.run_fota("provision", self.path("boot.bin"), self.path("1.0.0.fota"), "--port", self.where[1])
        self.assertEqual(run.returncode, 2)
        self.assertIn("--pins is missing", run.stderr)


class RomSpi(Rom):
    wire = "spi"
    test_rdp_and_bad_input = None  # the same over both


if __name__ == "__main__":
    missing = [f for f in (FOTA, BOARD, f"{TARGET}/bootloader.bin", f"{TARGET}/hello-1.2.0.b.elf") if not os.path.exists(f)]
    if missing:
        print("skipped, not built:", *missing)
        sys.exit(77)
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]], verbosity=2)
