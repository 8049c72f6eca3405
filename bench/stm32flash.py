#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Debian's stm32flash writes 368 KiB into slot B through the board's model of ST's ROM, over a UART at 115 200. Its pauses are the host's and not counted: the time is
that of the wire (bytes both ways, 11 bits each: 8E1) and of the chip (erases and programs, typical), from the board's counters. bench_target prints the same
of our own host. Prints lines of `name value unit`."""
import argparse
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time

BASE, SIZE, FIRST, LAST = 0x08060000, 368 * 1024, 7, 9
BITS, BAUD, PROGRAM_S = 11, 115200, 16e-6
ERASE_S = {1: 2.0, 2: 1.3, 4: 1.0}  # of 128 KiB, by the width of the work in bytes (DS8626 table 40)


def ask(path, command):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        s.sendall(command.encode() + b"\n")
        return json.loads(s.makefile().readline())


def until(what, seconds=20):
    end = time.monotonic() + seconds
    while True:
        try:
            if what():
                return
        except (FileNotFoundError, ConnectionRefusedError):
            pass
        if time.monotonic() > end:
            sys.exit("the board did not start")
        time.sleep(0.02)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--build", default="build")
    a = p.parse_args()
    folder = tempfile.mkdtemp(prefix="fota-bench-")
    tty, control = os.path.join(folder, "tty"), os.path.join(folder, "ctl")
    with open(os.path.join(folder, "code"), "wb") as code:
        code.write(random.Random(1).randbytes(SIZE))
    board = subprocess.Popen([os.path.join(a.build, "board", "fota-board"), "--flash", os.path.join(folder, "flash"), "--uart", f"3=pty:{tty},baud=termios",
                              "--control", control, "--boot0", "1", "--fast", "--die-with-parent"], stderr=subprocess.DEVNULL)
    try:
        until(lambda: ask(control, "status")["rom"] == "listening")
        run = subprocess.run(["stm32flash", "-m", "8n1", "-b", str(BAUD), "-w", code.name, "-S", f"{BASE:#x}:{SIZE}", tty], capture_output=True, text=True, timeout=300)
        counters = ask(control, "status")["counters"]
        written = subprocess.run(["cmp", "-i", f"{BASE - 0x08000000}:0", "-n", str(SIZE), os.path.join(folder, "flash"), code.name], capture_output=True).returncode == 0
        if run.returncode != 0 or not written:
            sys.exit(f"stm32flash: {run.stdout}{run.stderr}")
    finally:
        board.kill()
        board.wait()
        shutil.rmtree(folder)
    programs, erases = sum(counters["flash_programs"][FIRST:LAST + 1]), sum(counters["flash_erases"])
    width = round(SIZE / programs)
    wire = (counters["uart_rx"][2] + counters["uart_tx"][2]) * BITS / BAUD
    print(f"rom_uart_stm32flash_wire_s {wire:.2f} s")
    print(f"rom_uart_stm32flash_chip_s {programs * PROGRAM_S + erases * ERASE_S[width]:.2f} s")


if __name__ == "__main__":
    main()
