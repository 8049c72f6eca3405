#!/usr/bin/env python3
"""fota-gateway against the real bootloader and applications on the virtual board.

usage: test_board.py FOTA_GATEWAY FOTA FOTA_BOARD TARGET_DIR [test names]
Ends with 77 (skipped) when one of them is not built.
"""

import hashlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "tests" / "lib")]
from faultserver import FaultServer  # noqa: E402
from fotatest import Broker, Proc, wait_until  # noqa: E402

GATEWAY, FOTA, BOARD, TARGET = sys.argv[1:5]
PRODUCT = "5f0e1a52-7c34-4b11-9d20-610b3a774001"
SPEED = 10  # virtual seconds a second: a trial that fails takes 20 of them and more


class Case(unittest.TestCase):
    speed = SPEED
    wire = ""  # of the board's serial port
    port = "DIR/tty"  # of the gateway
    more = ""  # of its device

    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="fota-gw-board-"))
        self.web = FaultServer()
        self.broker = Broker().start()
        self.messages = self.broker.subscribe("fota/v1/gw1/board1/state")
        self.seen, self.jobs = [], 0
        self.fota("keygen", "-o", self.dir / "key")
        self.fota("bootloader", f"{TARGET}/bootloader.bin", "--key", self.dir / "key.pub.pem", "--product", PRODUCT, "--hw", "1",
                  "-o", self.dir / "boot.bin")
        for version in ("1.0.0", "1.1.0", "1.2.0", "1.3.0"):
            self.fota("pack", f"{TARGET}/hello-{version}.a.elf", f"{TARGET}/hello-{version}.b.elf", "--key", self.dir / "key.pem",
                      "-o", self.dir / f"{version}.fota")
            self.web.files[version] = (self.dir / f"{version}.fota").read_bytes()
        code = pathlib.Path(f"{TARGET}/hello-1.0.0.a.bin").read_bytes()
        (self.dir / "slot.bin").write_bytes(self.web.files["1.0.0"][:512] + code)
        self.board = Proc([BOARD, "--flash", self.dir / "flash", "--load", f"0x08000000:{self.dir}/boot.bin", "--load",
                           f"0x08004000:{self.dir}/slot.bin", "--uart", f"3=pty:{self.dir}/tty{self.wire}", "--spi", f"1=unix:{self.dir}/spi", "--control",
                           self.dir / "control", "--speed", self.speed, "--die-with-parent"], "fota-board").start()
        wait_until(lambda: (self.dir / "tty").exists() and (self.dir / "control").exists(), 10, "the board")
        self.gateway = self.start_gateway()
        wait_until(lambda: self.state().get("confirmed"), 30, "the factory's image to be confirmed")

    def tearDown(self):
        status = self.gateway.stop()
        if status != 0 or not self._outcome.success:
            print("---- gateway", self.gateway.output(), "---- board", self.board.output(), sep="\n", flush=True)
        self.board.stop()
        self.messages.close()
        self.broker.__exit__(None, None, None)
        self.web.close()
        for proc in (self.gateway, self.board):
            os.unlink(proc.log_path)
        shutil.rmtree(self.dir)
        self.assertEqual(status, 0)

    def fota(self, *arguments):
        subprocess.run([FOTA, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL, timeout=60)

    def start_gateway(self):
        environment = {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}
        return Proc([GATEWAY, "--id", "gw1", "--broker", self.broker.address(), "--key", self.dir / "key.pub.pem", "--cache",
                     self.dir / "cache", "--device", f"name=board1,port={self.port.replace('DIR', str(self.dir))},pins=board:{self.dir}/control{self.more}",
                     "--log-level", "debug", "--die-with-parent"], "gateway", env=environment).start()

    def control(self, command):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.connect(str(self.dir / "control"))
            s.sendall(command.encode() + b"\n")
            return json.loads(s.makefile().readline())

    def state(self):
        self.seen += [json.loads(p) for _, p in self.messages.take()]
        return self.seen[-1] if self.seen else {}

    def update(self, version):
        self.jobs += 1
        job = f"job-{self.jobs}"
        digest = hashlib.sha256(self.web.files[version]).hexdigest()
        self.broker.publish("fota/v1/gw1/cmd", json.dumps({"v": 1, "cmd": "update", "job": job, "device": "board1",
                                                           "url": self.web.url(version), "sha256": digest}))
        return job

    def wait_end(self, job, timeout=90):
        def ended():
            self.state()
            return next((p for p in self.seen if p["job"] == job and p["state"] in ("confirmed", "rolled-back", "failed")), None)
        return wait_until(ended, timeout, f"{job} to end")

    def states(self, job):
        found = []
        for p in self.seen:
            if p["job"] == job and (not found or found[-1] != p["state"]):
                found.append(p["state"])
        return found


class Board(Case):
    def test_good_then_bad(self):
        job = self.update("1.1.0")
        end = self.wait_end(job)
        self.assertEqual((end["state"], end["version"], end["slot"], end["confirmed"]), ("confirmed", "1.1.0", "B", True), end)
        self.assertEqual(self.states(job), ["download", "write", "verify", "jump", "confirmed"])
        self.assertEqual((end["info"]["product"], end["info"]["hw"]), (PRODUCT, 1))
        job = self.update("1.2.0")
        end = self.wait_end(job)
        self.assertEqual((end["state"], end["reason"], end["version"]), ("rolled-back", "deadline", "1.1.0"), end)
        self.assertEqual(self.wait_end(self.update("1.2.0"))["reason"], "rejected")

    def test_power_is_cut_and_the_gateway_killed_while_writing(self):
        job = self.update("1.1.0")
        wait_until(lambda: self.state()["state"] == "write", 30, "the writing")
        self.gateway.kill()
        self.control("power off")
        os.unlink(self.gateway.log_path)
        self.gateway = self.start_gateway()
        self.gateway.wait_output("going on with job")
        self.control("power on")
        end = self.wait_end(job)
        self.assertEqual((end["state"], end["version"]), ("confirmed", "1.1.0"), end)

    def test_hanging_image_and_nrst(self):
        job = self.update("1.3.0")
        end = self.wait_end(job, 150)
        self.assertEqual((end["state"], end["version"]), ("rolled-back", "1.0.0"), end)
        self.assertIn(end["reason"], ("watchdog", "resets"))
        self.assertTrue(self.control("nrst low")["ok"])
        job = self.update("1.1.0")  # the device is held in reset: only the gateway's own pulse lets it run
        end = self.wait_end(job)
        self.assertEqual(end["state"], "confirmed", end)


class AgreedRate(Case):
    """The board follows the rate that the gateway sets on the pty: a wrong one is garbage."""
    speed = 1
    wire = ",baud=termios"

    def test_two_megabit_and_back(self):
        for version in ("1.1.0", "1.0.0"):
            end = self.wait_end(self.update(version))
            self.assertEqual((end["state"], end["version"]), ("confirmed", version), end)  # seen at 115200 again
        self.assertRegex(self.gateway.output(), r"the link runs at (2000000|1000000|921600) baud")  # lower on a machine that is busy


class Spi(Case):
    port = "spi:unix:DIR/spi"

    def test_good_bad_and_a_restart_on_the_way(self):
        job = self.update("1.1.0")
        wait_until(lambda: self.state()["state"] == "write", 30, "the writing")
        self.gateway.kill()
        os.unlink(self.gateway.log_path)
        self.gateway = self.start_gateway()
        end = self.wait_end(job)
        self.assertEqual((end["state"], end["version"], end["slot"]), ("confirmed", "1.1.0", "B"), end)
        end = self.wait_end(self.update("1.2.0"))
        self.assertEqual((end["state"], end["reason"], end["version"]), ("rolled-back", "deadline", "1.1.0"), end)

    def test_fota_flash(self):
        self.gateway.stop()
        where = ["--port", f"spi:unix:{self.dir}/spi", "--control", f"{self.dir}/control", "--json"]
        status = json.loads(subprocess.run([FOTA, "status", *where[:2], "--json"], check=True, capture_output=True, timeout=60).stdout)
        self.assertEqual((status["mode"], status["version"]), ("application", "1.0.0"))
        run = subprocess.run([FOTA, "flash", f"{self.dir}/1.1.0.fota", *where], capture_output=True, text=True, timeout=120)
        self.assertEqual(run.returncode, 0, run.stderr + run.stdout)
        self.gateway = self.start_gateway()
        self.gateway.wait_output("is open")


class ThroughRom(Case):
    more = ",via=rom"

    def test_good_killed_and_bad(self):
        job = self.update("1.1.0")
        wait_until(lambda: self.state()["state"] == "write", 30, "the writing")
        time.sleep(1.5)
        self.gateway.kill()  # leaves the chip in the ROM
        os.unlink(self.gateway.log_path)
        self.gateway = self.start_gateway()
        end = self.wait_end(job)
        self.assertEqual((end["state"], end["version"], end["slot"]), ("confirmed", "1.1.0", "B"), end)
        job = self.update("1.2.0")
        end = self.wait_end(job)
        self.assertEqual((end["state"], end["reason"], end["version"]), ("rolled-back", "deadline", "1.1.0"), end)
        self.assertEqual(self.states(job), ["download", "write", "verify", "jump", "rolled-back"])
        end = self.wait_end(self.update("1.2.0"))
        self.assertEqual((end["state"], end["reason"]), ("failed", "rejected"), end)


if __name__ == "__main__":
    needed = [GATEWAY, FOTA, BOARD, f"{TARGET}/bootloader.bin", f"{TARGET}/hello-1.3.0.b.elf"]
    missing = [f for f in needed if not os.path.exists(f)]
    if missing:
        print("skipped, not built:", *missing)
        sys.exit(77)
    unittest.main(argv=[sys.argv[0], *sys.argv[5:]], verbosity=2)
