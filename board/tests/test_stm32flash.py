#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Debian's stm32flash against the factory bootloader of the real fota-board, through a pty. Linux ptys refuse parity, so
it is told 8n1; the board's wire fits whatever the chip uses."""
import json
import os
import random
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

FOTA_BOARD = os.environ["FOTA_BOARD"]
FIRMWARE = os.environ["FIRMWARE_DIR"]
ROMS = ("9.1", "3.1")


class Stm32flash(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="fota-board-")
        self.addCleanup(shutil.rmtree, self.dir)
        self.tty, self.ctl = self.path("tty"), self.path("ctl")

    def path(self, name):
        return os.path.join(self.dir, name)

    def start(self, rom, uart=3):
        flash = self.path("flash")
        if os.path.exists(flash):
            os.unlink(flash)
        board = subprocess.Popen(
            [FOTA_BOARD, "--flash", flash, "--uart", f"{uart}=pty:{self.tty},baud=termios", "--control", self.ctl, "--rom",
             rom, "--boot0", "1", "--fast", "--die-with-parent"], stderr=subprocess.DEVNULL)
        self.addCleanup(board.wait)
        self.addCleanup(board.kill)
        self.until(self.is_there)
        self.until(lambda: self.ask("status")["rom"] == "listening")
        return board

    def is_there(self):
        """The socket is there a moment before it listens."""
        try:
            return self.ask("status")["ok"]
        except (FileNotFoundError, ConnectionRefusedError):
            return False

    def stop(self, board):
        self.ask("quit")
        self.assertEqual(board.wait(10), 0)

    def until(self, what, seconds=20):
        end = time.monotonic() + seconds
        while not what():
            self.assertLess(time.monotonic(), end, "it did not come in time")
            time.sleep(0.02)

    def ask(self, command):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.ctl)
            s.sendall(command.encode() + b"\n")
            answer = json.loads(s.makefile().readline())
        self.assertTrue(answer["ok"], answer)
        return answer

    def dump(self, address, length):
        return bytes.fromhex(self.ask(f"dump {address:#x} {length}")["hex"])

    def run_tool(self, *arguments, good=True):
        r = subprocess.run(["stm32flash", "-m", "8n1", *arguments, self.tty], capture_output=True, text=True, timeout=120)
        self.assertEqual(r.returncode == 0, good, r.stdout + r.stderr)
        return r.stdout + r.stderr

    def again(self):
        """Into the ROM once more, as BOOT0 and NRST do it."""
        self.ask("nrst pulse")
        self.until(lambda: self.ask("status")["rom"] == "listening")

    def test_questions(self):
        for rom in ROMS:
            board = self.start(rom, uart=1)
            for rate in ("9600", "57600", "115200", "921600"):
                said = self.run_tool("-b", rate)
                self.assertIn("0x0413 (STM32F40xxx/41xxx)", said)
                self.assertIn("Version      : 0x31", said)
                self.assertEqual(self.ask("status")["rom"], "USART1")
                self.again()
            self.stop(board)

    def test_write_verify_read_erase_start(self):
        image = open(os.path.join(FIRMWARE, "probe.bin"), "rb").read()
        for rom in ROMS:
            board = self.start(rom)
            said = self.run_tool("-b", "115200", "-w", os.path.join(FIRMWARE, "probe.bin"), "-v", "-S",
                                 f"0x08000000:{len(image)}")
            self.assertIn("Wrote and verified", said)
            self.assertEqual(self.dump(0x08000000, len(image)), image)
            # a sector of its own, read back by the tool
            data = random.Random(rom).randbytes(3001)
            with open(self.path("data"), "wb") as f:
                f.write(data)
            self.run_tool("-b", "115200", "-w", self.path("data"), "-v", "-S", "0x08060000:3001")
            self.run_tool("-b", "115200", "-r", self.path("back"), "-S", "0x08060000:3001")
            self.assertEqual(open(self.path("back"), "rb").read(), data)
            self.run_tool("-b", "115200", "-o", "-S", "0x08060000:0x20000")
            self.assertEqual(self.dump(0x08060000, 4096), b"\xff" * 4096)
            self.assertEqual(self.dump(0x08000000, len(image)), image)
            said = self.run_tool("-b", "115200", "-g", "0x08000000")
            self.assertIn("done", said)
            self.until(lambda: self.ask("status")["rom"] == "off")
            status = self.ask("status")
            self.assertIn(status["cpu"], ("running", "sleeping"))
            self.assertEqual(status["counters"]["violations"], 0, status["counters"])
            tty = os.open(self.tty, os.O_RDWR | os.O_NOCTTY)
            os.write(tty, b"q")  # the firmware echoes letters
            heard = b""
            while b"q\n" not in heard:
                heard += os.read(tty, 100)
            os.close(tty)
            self.stop(board)

    def test_protection_and_trouble(self):
        self.start("9.1")
        self.run_tool("-b", "115200", "-w", os.path.join(FIRMWARE, "probe.bin"), "-S", "0x08000000:256")
        self.run_tool("-b", "115200", "-j")  # readout protection on: the chip resets itself
        self.again()
        self.run_tool("-b", "115200", "-r", self.path("back"), "-S", "0x08000000:256", good=False)
        self.again()
        self.run_tool("-b", "115200", "-k")  # and off, which erases all
        self.again()
        self.assertEqual(self.dump(0x08000000, 256), b"\xff" * 256)
        self.ask("options wrp=0")
        self.again()
        said = self.run_tool("-b", "115200", "-w", os.path.join(FIRMWARE, "probe.bin"), "-v", "-S", "0x08000000:256",
                             good=False)
        self.assertIn("verify", said)  # nothing but reading back tells
        self.again()
        self.run_tool("-b", "115200", "-u")
        self.again()
        self.run_tool("-b", "115200", "-w", os.path.join(FIRMWARE, "probe.bin"), "-v", "-S", "0x08000000:256")
        self.again()
        self.ask("rom nack 1 1")  # the first command
        self.run_tool("-b", "115200", good=False)
        self.again()
        self.ask("uart 3 error parity 1 1")
        self.run_tool("-b", "115200", good=False)
        self.again()
        self.ask("rom mute on")
        self.run_tool("-b", "115200", good=False)


if __name__ == "__main__":
    unittest.main()
