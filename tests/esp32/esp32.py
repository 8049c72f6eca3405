# SPDX-License-Identifier: MIT
"""The ESP32's gateway, built for ESP-IDF's linux target, in the place of fota-gateway in tests/e2e/system.py."""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
from system import DEVICE, GATEWAY, System, direct, read, wait_until  # noqa: E402

FLASH_SIZE, TABLE, CACHE = 4 << 20, 0x8000, (0x2E0000, 0x100000)
OTADATA, PLACES, DESCRIPTION = 0x19000, (0x20000, 0x180000), 32  # gateway/esp32/partitions.csv
BAUD = "115200"


class Chip:
    """The program with its emulated flash; what an ESP32 with its power supply is."""

    def __init__(self, folder, elf, partitions):
        self.elf, self.flash, self.log = elf, os.path.join(folder, "esp32.flash"), os.path.join(folder, "gateway.log")
        self.process, self.env = None, {}
        with open(self.flash, "wb") as f:
            f.write(b"\xff" * FLASH_SIZE)
            f.seek(TABLE)
            f.write(read(partitions))

    def environment(self):
        return {**direct(), "FOTA_FLASH": self.flash, **self.env}

    def boot(self):
        """What ESP-IDF's bootloader does with rollback: a new program is started once, and stays if it says so. @return (place, path)."""
        with open(self.flash, "rb") as f:
            f.seek(OTADATA)
            valid, following = f.read(2)
        place = following if following <= 1 else valid if valid <= 1 else 0
        if following <= 1:
            self.poke(OTADATA + 1, b"\xff")
        path = os.path.join(os.path.dirname(self.flash), f"place{place}.elf")
        with open(self.flash, "rb") as f:
            f.seek(PLACES[place])
            head = f.read(DESCRIPTION)
            program = f.read(int.from_bytes(head[28:32], "little"))[256:] if head[0] == 0xE9 else read(self.elf)  # the latter: over the cable
        with open(path, "wb") as f:
            f.write(program)
        os.chmod(path, 0o755)
        return place, path

    def configure(self, lines):
        """Lines for the serial console; they hold from the next start on."""
        done = subprocess.run([self.boot()[1]], input="".join(line + "\n" for line in [*lines, "restart"]), env=self.environment(),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30)
        assert done.returncode == 0 and done.stdout.count("kept; in force") == sum(line.startswith(("set ", "unset ", "ca")) for line in lines), done.stdout

    def start(self):
        place, path = self.boot()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([path], env={**self.environment(), "FOTA_RUNS": str(place)}, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT)
        return self

    def type(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def alive(self):
        return self.process.poll() is None

    def cut(self):
        """The power is gone."""
        if self.process is None:
            return
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process = None

    def stop(self):
        self.cut()
        return 0

    def poke(self, offset, data):
        """Change the flash while it has no power."""
        with open(self.flash, "r+b") as f:
            f.seek(offset)
            f.write(data)


class Esp32System(System):
    def __init__(self, build, elf, partitions):
        super().__init__(build)
        self.chip = Chip(self.dir, elf, partitions)

    def settings(self, **more):
        key = "".join(line for line in read(self.bench.public).decode().split("\n") if "-----" not in line)
        return {"broker": f"mqtt://{self.broker.address()}", "key1": key, "log": "debug", "max_baud": BAUD, **more}

    def start_gateway(self, wait=True, **settings):
        """At the device's own rate: slow enough for something to happen while it is written."""
        pem = settings.pop("ca", None)
        values = self.settings(**settings)
        lines = [f"set {name} {value}" for name, value in values.items()]
        if pem is not None:
            lines += ["ca", *pem.strip().split("\n"), ""]
        self.chip.env.update(FOTA_PORT=self.tty, FOTA_PINS=self.control_path)
        self.chip.configure(lines)
        return self.power_on(wait)

    def power_on(self, wait=True):
        heard = len(self.of("presence"))
        self.gateway = self.chip.start()
        if wait:
            wait_until(lambda: any(p["online"] for p in self.of("presence")[heard:]), 20, "the gateway")
            wait_until(lambda: self.last().get("confirmed"), 30, "the gateway to hear of the device")
        return self

    def fota_env(self, *arguments, **variables):
        return subprocess.run([self.bench.fota, *arguments], capture_output=True, text=True, timeout=60, cwd=self.dir, env={**direct(), **variables})

    def log(self):
        return read(self.chip.log).decode("utf-8", "replace")

    def wait_log(self, text, timeout=30):
        wait_until(lambda: text in self.log(), timeout, f"{text!r} in the log:\n{self.log()[-3000:]}")

    def boots(self, version, slot):
        """The STM32 boots, with nobody at its line."""
        self.chip.cut()
        self.gateway = None
        self.control("power off")
        self.control("power on")
        status = wait_until(lambda: self.settled(), 30, "the device to be on a confirmed image")
        assert (status["version"], status["confirmed_slot"]) == (version, slot), status

    def settled(self):
        status = self.status()
        return status if status["trial"] == "none" else None


__all__ = ["BAUD", "CACHE", "DEVICE", "FLASH_SIZE", "GATEWAY", "Chip", "Esp32System", "read", "wait_until"]
