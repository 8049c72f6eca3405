# SPDX-License-Identifier: MIT
"""fota flash and fota status against a simulated device (core's own installer and journal) on a Unix socket."""
import json
import os
import pty
import re
import signal
import socket
import subprocess
import time
import unittest

from support import FOTA, OTHER_PRODUCT, PRODUCT, Scratch

SIM = os.environ.get("SIM_PORT", "sim_port")
# What the application does is the patch number of its version (gateway/tests/sim.h).
NEVER, FAULT, UNLINKED = 1, 2, 6


class Device(Scratch):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.links("app", "-DFILLER=60000")

    def make(self, version, *more, key="k.pem"):
        name = f"{version}.fota"
        self.good("pack", "app_a.elf", "app_b.elf", "--key", key, "-o", name, "--version", version, "--deadline", "2", *more)
        return name

    def device(self, factory="1.0.0", floor=0, hw=2, rate=200000):
        """Power up a device with factory firmware; it is ended when the test ends."""
        self.make(factory, "--hw", "0-9")
        for name in ("port", "control"):
            if os.path.exists(self.path(name)):
                os.remove(self.path(name))
        sim = subprocess.Popen([SIM, "port", "control", f"{factory}.fota", "k.pub.pem", PRODUCT, str(hw), str(floor), str(rate)],
                               cwd=self.dir, stdout=subprocess.PIPE, text=True)

        def end():
            sim.kill()
            sim.wait()
            sim.stdout.close()
        self.addCleanup(end)
        self.assertEqual(sim.stdout.readline(), "ready\n")
        time.sleep(0.6)  # until it has booted and confirmed itself
        return sim

    def counters(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.path("control"))
            s.sendall(b"counters\n")
            return json.loads(s.recv(1000))

    def status(self):
        return self.good_json("status", "--port", "unix:port")

    def flash(self, package, *more, code=0):
        r = self.run_fota("flash", package, "--port", "unix:port", *more)
        self.assertEqual(r.returncode, code, r.stderr + r.stdout)
        return r

    def flash_json(self, package, *more, code=0):
        lines = [json.loads(line) for line in self.flash(package, *more, "--json", code=code).stdout.splitlines()]
        return lines[:-1], lines[-1]

    def test_status(self):
        self.device(floor=2, hw=7)
        out = self.status()
        self.assertEqual((out["mode"], out["slot"], out["confirmed_slot"], out["trial"], out["version"], out["product"], out["hw"],
                          out["floor"], out["rejected"], out["configured"], out["bootable"], out["uid"]),
                         ("application", "A", "A", "none", "1.0.0", PRODUCT, 7, 3, [], True, True, "5a" * 12))
        text = self.good("status", "--port", "unix:port")
        for line in ("answering          the application\n", "version            1.0.0 in slot A\n", "confirmed slot     A\n",
                     f"product            {PRODUCT}, hardware revision 7\n", "floor              3\n"):
            self.assertIn(line, text)

    def test_an_update_is_confirmed(self):
        self.device()
        self.make("1.1.0")
        r = self.flash("1.1.0.fota", "--key", "k.pub.pem")
        self.assertEqual(r.stderr, "")
        self.assertRegex(r.stdout, r"(?s)^enter: getting into the bootloader\nwrite: 60\d\d\d bytes into slot B\n.* 100 % +60\d\d\d "
                         r"bytes, \d+\.\d KiB/s\nverify: .*\njump: the device tries the new image, it has 2 s to confirm\nconfirmed: "
                         r"the device runs version 1\.1\.0 in slot B\n$")
        self.assertGreaterEqual(len(re.findall(r"^ +\d+ % ", r.stdout, re.M)), 5, "a line for each tenth")
        out = self.status()
        self.assertEqual((out["slot"], out["confirmed_slot"], out["version"]), ("B", "B", "1.1.0"))
        erases = self.counters()["erases"]
        states, end = self.flash_json("1.1.0.fota")  # it is there already
        self.assertEqual((end["ok"], end["state"], self.counters()["erases"]), (True, "confirmed", erases))
        states, end = self.flash_json("1.1.0.fota", "--force")  # written again, into slot A
        self.assertEqual((end["ok"], end["state"], end["version"], end["resumed_at"]), (True, "confirmed", "1.1.0", 0))
        order = [s["state"] for s in states]
        self.assertEqual(sorted(set(order), key=order.index), ["enter", "write", "verify", "jump"])
        self.assertEqual(self.status()["slot"], "A")

    def test_an_image_that_faults_is_rolled_back(self):
        self.device()
        self.make(f"1.2.{FAULT}")
        r = self.flash("1.2.2.fota", code=4)
        self.assertEqual(r.stderr, "fota: rolled-back: the application ended in a fault; look at its fault handler with a debug "
                         "probe. The device runs version 1.0.0 again\n")
        out = self.status()
        self.assertEqual((out["version"], out["slot"], out["last_reason"], [e["reason"] for e in out["rejected"]]),
                         ("1.0.0", "A", "fault", ["fault"]))
        self.assertIn("the application ended in a fault\n", self.good("status", "--port", "unix:port"))
        _, end = self.flash_json("1.2.2.fota", code=1)
        self.assertEqual((end["state"], end["reason"]), ("failed", "rejected"))
        self.assertEqual(end["message"], "this image was rejected by the device before; an operator may ask for a retry (fota flash "
                         "--retry, or \"retry\": true in the job)")
        _, end = self.flash_json("1.2.2.fota", "--retry", code=4)
        self.assertEqual((end["state"], end["reason"]), ("rolled-back", "fault"))

    def test_an_image_that_never_confirms_is_rolled_back(self):
        self.device()
        self.make(f"1.2.{NEVER}")
        states, end = self.flash_json("1.2.1.fota", code=4)
        self.assertEqual((end["ok"], end["state"], end["reason"]), (False, "rolled-back", "deadline"))
        self.assertIn("did not confirm before the trial deadline", end["message"])
        self.assertEqual(states[-1]["state"], "jump")

    def test_what_does_not_fit_erases_nothing(self):
        self.device(floor=3, hw=2)
        erases = self.counters()["erases"]  # of the journal, at the first start
        for name, more, reason, message in (
                ("product", ("--product", OTHER_PRODUCT), "product", f"the image is for product {OTHER_PRODUCT}, the device is "
                 f"{PRODUCT}: choose the package for this product"),
                ("hw", ("--hw", "3-4"), "hw-revision", "hardware revision 2 of the device is outside 3 to 4, for which the image is "
                 "made: choose another package, or pack it with a wider --hw"),
                ("floor", ("--counter", "2"), "floor", "security counter 2 is below the floor 3 of the device: a release with that "
                 "floor was confirmed there; pack this version with --counter 3 or higher if it may be installed")):
            with self.subTest(name):
                _, end = self.flash_json(self.make("1.3.0", *more), code=1)
                self.assertEqual((end["state"], end["reason"], end["message"]), ("failed", reason, message))
        _, end = self.flash_json(self.make("1.3.0", key="k2.pem"), code=1)  # known here by nobody: the device says no
        self.assertEqual((end["state"], end["reason"]), ("failed", "key"))
        r = self.flash("1.3.0.fota", "--key", "k.pub.pem", code=1)  # and here it does not even get there
        self.assertIn("which is not trusted here; trusted: ", r.stderr)
        bad = bytearray(self.read(self.make("1.3.0")))
        bad[500] ^= 1
        self.write("bad.fota", bytes(bad))
        _, end = self.flash_json("bad.fota", code=1)
        self.assertEqual(end["reason"], "signature")
        self.write("bad.fota", bytes(bad[:-20]))
        r = self.flash("bad.fota", code=1)
        self.assertIn("before it is complete", r.stderr)
        self.assertEqual(self.counters()["erases"], erases)
        self.assertEqual(self.status()["version"], "1.0.0")

    def interrupt(self, signal_number):
        """Begin to flash, send a signal once a third is written."""
        p = subprocess.Popen([FOTA, "flash", "1.1.0.fota", "--port", "unix:port", "--json"], cwd=self.dir,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        last = {}
        for line in p.stdout:
            last = json.loads(line)
            if last["state"] == "write" and last["bytes"] > 20000:
                p.send_signal(signal_number)
                break
        rest, _ = p.communicate(timeout=30)
        return p.returncode, last["bytes"], rest

    def test_it_goes_on_where_it_was(self):
        self.device(rate=20000)
        self.make("1.1.0")
        code, written, _ = self.interrupt(signal.SIGKILL)
        self.assertEqual(code, -signal.SIGKILL)
        states, end = self.flash_json("1.1.0.fota")
        self.assertEqual(end["state"], "confirmed")
        self.assertGreaterEqual(end["resumed_at"], 16384)
        self.assertEqual(states[-1]["total"], end["resumed_at"] + end["bytes"])

    def test_ctrl_c_cancels(self):
        self.device(rate=20000)
        self.make("1.1.0")
        code, _, rest = self.interrupt(signal.SIGINT)
        end = json.loads(rest.splitlines()[-1])
        self.assertEqual((code, end["state"], end["reason"]), (1, "failed", "cancelled"))
        time.sleep(1)
        self.assertEqual(self.status()["version"], "1.0.0")

    def test_no_wait(self):
        self.device()
        self.make(f"1.2.{NEVER}")
        began = time.monotonic()
        r = self.flash("1.2.1.fota", "--no-wait")
        self.assertLess(time.monotonic() - began, 8)
        self.assertTrue(r.stdout.endswith("not waiting: fota status tells whether version 1.2.1 was confirmed\n"), r.stdout)
        time.sleep(3)
        self.assertEqual(self.status()["version"], "1.0.0")

    def test_nrst_gets_in_where_the_application_does_not_answer(self):
        self.device(factory=f"1.0.{UNLINKED}")
        self.make("1.1.0")
        r = self.run_fota("status", "--port", "unix:port")
        self.assertEqual((r.returncode, r.stdout), (3, ""))
        self.assertRegex(r.stderr, r"^fota: unix:port: no answer from the device")
        _, end = self.flash_json("1.1.0.fota", "--control", "control")
        self.assertEqual(end["state"], "confirmed")
        self.assertGreaterEqual(self.counters()["pulses"], 1)

    def test_a_bar_on_a_terminal(self):
        self.device(rate=40000)
        self.make("1.1.0")
        ours, its = pty.openpty()
        p = subprocess.Popen([FOTA, "flash", "1.1.0.fota", "--port", "unix:port"], cwd=self.dir, stdout=its)
        os.close(its)
        data = b""
        try:
            while piece := os.read(ours, 4096):
                data += piece
        except OSError:  # EIO: the other end is closed
            pass
        os.close(ours)
        text = data.decode()
        self.assertEqual(p.wait(), 0, text)
        self.assertRegex(text, r"\r\[#+\.+\] +\d+ % +\d+ bytes, \d+\.\d KiB/s, \d+ s left")
        self.assertIn("[" + "#" * 30 + "] 100 %", text)

    def test_ports_that_are_none(self):
        self.make("1.1.0")
        for arguments in (("status",), ("flash", "1.1.0.fota")):
            self.refused("/dev/ttyNONE: No such file or directory: is the device plugged in? dmesg names new ports", *arguments,
                         "--port", "/dev/ttyNONE", code=3)
            self.refused("k.pem: neither a serial port nor a socket: is the device plugged in? dmesg names new ports", *arguments,
                         "--port", "k.pem", code=3)
        r = self.run_fota("status", "--port", "/dev/ttyS0", "--baud", "12345")
        self.assertEqual(r.returncode, 2)
        self.assertIn("--baud: 12345 is not a rate that serial ports of this system know", r.stderr)
        r = self.run_fota("flash", "1.1.0.fota", "--port", "/dev/ttyS0", "--max-baud", "3000000")
        self.assertEqual(r.returncode, 2)
        self.assertIn("--max-baud", r.stderr)


if __name__ == "__main__":
    unittest.main()
