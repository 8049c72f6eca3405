#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The ESP32's application on ESP-IDF's linux target, against the real broker, hub, S3 server and the bootloader on the virtual board: `make esp32-linux`.

usage: test_linux.py BUILD_DIR ESP32_BUILD_DIR [test names]; FOTA_KILLS=N runs of the random kills (50), FOTA_SEED=N where they begin"""
import collections
import contextlib
import functools
import hashlib
import json
import operator
import os
import random
import subprocess
import sys
import threading
import time
import unittest

from esp32 import CACHE, DEVICE, GATEWAY, Esp32System, read, wait_until

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "tests", "s3"))
import radosgw  # noqa: E402
from faultproxy import FaultProxy, make_ca, make_certificate  # noqa: E402
from fotatest import Broker, free_port  # noqa: E402
from system import FACTORY, PRODUCT  # noqa: E402

BUILD = ELF = PARTITIONS = None
OTHER_PRODUCT = "00000000-0000-4000-8000-000000000001"


def make_program(system, version, program=None, chip=0xFFFF, **options):
    """A package of what ESP-IDF would make (docs/image.md), with one segment; the program is that of the test, when no other is given."""
    if program is None:
        subprocess.run(["strip", "-o", system.path("stripped.elf"), ELF], check=True)
        program = read(system.path("stripped.elf"))
    code = (0xABCD5432).to_bytes(4, "little") + (1).to_bytes(4, "little") + bytes(8) + version.encode().ljust(240, b"\0") + program
    code += bytes(-(32 + len(code) + 1) % 16)
    image = bytes([0xE9, 1]) + bytes(10) + chip.to_bytes(2, "little") + bytes(9) + b"\x01" + bytes(4) + len(code).to_bytes(4, "little") + code
    image += bytes([functools.reduce(operator.xor, code, 0xEF)])
    path, out = system.path("program.bin"), system.path("program.fota")
    with open(path, "wb") as f:
        f.write(image + hashlib.sha256(image).digest())
    system.bench.run("pack", path, "--key", system.bench.key, "-o", out, *(x for k, v in options.items() for x in (f"--{k}", v)))
    return read(out)


class Case(unittest.TestCase):
    def setUp(self):
        self.system = s = Esp32System(BUILD, ELF, PARTITIONS)
        self.addCleanup(lambda: s.close(self.failed()))
        s.start_board().start_broker()
        s.serve("good", read(s.bench.package("1.1.0")))

    def failed(self):
        outcome = self._outcome
        return any(e for _, e in (outcome.errors if hasattr(outcome, "errors") else outcome.result.errors + outcome.result.failures))

    def confirmed(self, job, version="1.1.0", slot="B"):
        end = self.system.wait_end(job, 120)
        self.assertEqual((end["state"], end["reason"], end["version"], end["slot"], end["confirmed"]), ("confirmed", "", version, slot, True), end)

    def refused(self, job, reason, *says):
        end = self.system.wait_end(job, 120)
        self.assertEqual((end["state"], end["reason"]), ("failed", reason), end)
        for phrase in says:
            self.assertIn(phrase, end["detail"])
        self.assertEqual((end["version"], end["slot"], end["confirmed"]), (FACTORY, "A", True))

    def memory(self):
        """Print what was used at most."""
        s = self.system
        s.chip.type("memory")
        s.wait_log("memory: task mqtt-out")
        print("\n".join(line for line in s.log().split("\n") if line.startswith("memory:")), flush=True)

    def progress(self, state, at_least):
        return lambda: any(p["state"] == state and p["bytes"] >= at_least for p in self.system.of(f"{DEVICE}/progress"))


class Updates(Case):
    def test_update(self):
        s = self.system.start_gateway()
        job = s.update("good")
        self.confirmed(job)
        self.assertEqual(s.states(job), ["download", "write", "verify", "jump", "confirmed"])
        self.memory()
        s.boots("1.1.0", "B")

    def test_rolled_back(self):
        s = self.system.start_gateway()
        s.serve("bad", read(s.bench.package("1.2.0")))
        end = s.wait_end(s.update("bad"), 120)
        self.assertEqual((end["state"], end["reason"], end["version"], end["slot"]), ("rolled-back", "deadline", FACTORY, "A"), end)
        s.boots(FACTORY, "A")

    def test_hub(self):
        """The package from the hub, with the gateway's token; and in chunks over MQTT alone."""
        s = self.system.start_hub()
        status, release = s.upload(read(s.bench.package("1.1.0")))
        self.assertIn(status, (200, 201))
        s.start_gateway(hub_url=f"http://127.0.0.1:{s.hub_port}", hub_token=s.tokens["gateway"])
        sha256 = release["sha256"]
        s.command(cmd="update", job="over-http", device=DEVICE, url=f"http://127.0.0.1:{s.hub_port}/api/v1/packages/{sha256}.fota", sha256=sha256)
        self.confirmed("over-http")
        self.assertNotIn(s.tokens["gateway"], s.log())
        status, release = s.upload(read(s.bench.package("2.0.0")))
        s.command(cmd="update", job="over-mqtt", device=DEVICE, url="mqtt:", sha256=release["sha256"])
        self.confirmed("over-mqtt", "2.0.0", "A")
        s.boots("2.0.0", "A")

    def test_spi(self):
        """The same on the other line."""
        s = self.system
        s.board.stop()
        socket = s.path("spi")
        s.board, s.tty, s.control_path = s.bench.board("board", s.path("board.log"), "--speed", "4", "--spi", f"1=unix:{socket},hz=8000000")
        tty, s.tty = s.tty, f"spi:unix:{socket}"
        s.start_gateway()
        self.confirmed(s.update("good"))
        s.tty = tty
        s.boots("1.1.0", "B")


class Interruptions(Case):
    def test_killed_in_the_download(self):
        s = self.system.start_gateway()
        size = len(s.web.files["good"])
        s.web.fault["good"] = ("slow", 25000)
        job = s.update("good")
        wait_until(self.progress("download", 70000), 30, "70 KB of the download")
        s.chip.cut()
        s.web.fault.clear()
        s.power_on()
        self.confirmed(job)
        ranges = [h.get("Range") for n, h in s.web.requests if n == "good"]
        self.assertIsNone(ranges[0])
        start = int(ranges[1].removeprefix("bytes=").rstrip("-"))
        self.assertTrue(65536 <= start < size and start % 4096 == 0, ranges)
        s.boots("1.1.0", "B")

    def test_killed_in_the_write(self):
        s = self.system.start_gateway()
        job = s.update("good")
        wait_until(self.progress("write", 60000), 60, "60 KB to be written")
        s.chip.cut()
        time.sleep(1)
        s.power_on()
        self.confirmed(job)
        self.assertEqual(s.web.count("good"), 1)  # from the cache
        s.boots("1.1.0", "B")

    def test_broker_lost(self):
        s = self.system.start_gateway()
        job = s.update("good")
        wait_until(self.progress("write", 60000), 60, "60 KB to be written")
        s.broker.stop()
        s.wait_log("lost the broker")
        time.sleep(2)
        s.broker.start()
        self.confirmed(job)
        s.boots("1.1.0", "B")

    def test_server_lost(self):
        """As when Wi-Fi goes in the download: the connection breaks, twice."""
        s = self.system.start_gateway()
        s.web.fault["good"] = ("drop", 100000, 2)
        self.confirmed(s.update("good"))
        self.assertGreaterEqual(s.web.count("good"), 3)
        s.boots("1.1.0", "B")


class Itself(Case):
    """The gateway is a device of its own: its package holds the very program, for this machine, in the form of a program for the chip."""
    NAME = "gateway"

    def program(self, version, program=None, chip=0xFFFF, **options):
        """Served under its version."""
        self.system.serve(version, make_program(self.system, version, program, chip, **options))

    def told(self, job):
        return [p for p in self.system.of(f"{self.NAME}/state") if p["job"] == job]

    def start(self):
        s = self.system.start_gateway()
        wait_until(lambda: any(p.get("version") for p in s.of(f"{self.NAME}/state")), 20, "the gateway to hear of itself")
        return s

    def end(self, job, healthy=True):
        """Start it again each time that it restarts, until the job has ended; one that is not healthy is cut before it meets the broker."""
        s = self.system

        def ended():
            if not s.chip.alive():
                s.chip.cut()
                if not healthy:  # it begins its trial, and meets no broker
                    s.broker.stop()
                    s.power_on(wait=False)
                    s.wait_log("on its trial")
                    s.chip.cut()
                    s.broker.start()
                s.power_on(wait=False)
            return next((p for p in self.told(job) if p["state"] in ("confirmed", "rolled-back", "failed")), None)
        return wait_until(ended, 120, f"{job} to end; it is {(self.told(job) or [None])[-1]}")

    def test_confirmed(self):
        s = self.start()
        self.program("9.8.7")
        job = s.update("9.8.7", device=self.NAME)
        end = self.end(job)
        self.assertEqual((end["state"], end["version"], end["slot"], end["confirmed"]), ("confirmed", "9.8.7", "B", True), end)
        self.assertEqual([p["state"] for i, p in enumerate(self.told(job)) if i == 0 or p["state"] != self.told(job)[i - 1]["state"]],
                         ["download", "write", "verify", "jump", "confirmed"])
        self.memory()
        self.confirmed(s.update("good"))  # and its device
        s.boots("1.1.0", "B")

    def test_by_the_hub(self):
        """As the page does it: the release is uploaded, and the hub orders the update and tells how it went."""
        s = self.system.start_hub()
        s.start_gateway(hub_url=f"http://127.0.0.1:{s.hub_port}", hub_token=s.tokens["gateway"])
        self.program("9.8.7")
        status, release = s.upload(s.web.files["9.8.7"])
        self.assertEqual((status, release["version"]), (201, "9.8.7"), release)
        wait_until(lambda: any(d["device"] == self.NAME for d in s.request("GET", "/devices")[1]["devices"]), 20, "the hub to know the gateway as a device")
        status, update = s.request("POST", "/updates", json.dumps({"gateway": GATEWAY, "device": self.NAME, "release": release["sha256"]}))
        self.assertIn(status, (200, 201, 202), update)
        end = self.end(update["job"])
        self.assertEqual((end["state"], end["version"], end["slot"], end["confirmed"]), ("confirmed", "9.8.7", "B", True), end)
        wait_until(lambda: s.request("GET", f"/updates/{update['job']}")[1]["state"] == "confirmed", 10, "the hub to hear of it")
        s.boots(FACTORY, "A")

    def test_rolled_back(self):
        s = self.start()
        self.program("9.8.7")
        end = self.end(s.update("9.8.7", device=self.NAME), healthy=False)
        self.assertEqual((end["state"], end["reason"], end["slot"], end["confirmed"]), ("rolled-back", "resets", "A", True), end)
        self.assertNotEqual(end["version"], "9.8.7")
        again = self.end(s.update("9.8.7", device=self.NAME))
        self.assertEqual((again["state"], again["reason"]), ("failed", "rejected"))
        self.confirmed(s.update("good"))
        s.boots("1.1.0", "B")

    def test_deadline(self):
        """The new program runs, meets no broker, and nobody cuts its power: it goes back by itself."""
        s = self.start()
        self.program("9.8.7", deadline="6")
        job = s.update("9.8.7", device=self.NAME)
        wait_until(lambda: not s.chip.alive(), 60, "the new program to be started")
        s.chip.cut()
        s.broker.stop()
        s.power_on(wait=False)
        wait_until(lambda: not s.chip.alive(), 30, "it to give up")
        s.chip.cut()
        s.broker.start()
        s.power_on(wait=False)
        end = self.end(job)
        self.assertEqual((end["state"], end["reason"], end["slot"], end["confirmed"]), ("rolled-back", "deadline", "A", True), end)
        s.boots(FACTORY, "A")

    def test_a_program_that_dies(self):
        s = self.start()
        self.program("9.8.7", b"#!/bin/sh\necho this one dies >> " + s.path("died").encode() + b"\nexit 3\n")
        end = self.end(s.update("9.8.7", device=self.NAME))
        self.assertEqual((end["state"], end["reason"], end["slot"], end["confirmed"]), ("rolled-back", "resets", "A", True), end)
        self.assertEqual(read(s.path("died")), b"this one dies\n")
        self.program("9.8.8")
        end = self.end(s.update("9.8.8", device=self.NAME))
        self.assertEqual((end["state"], end["version"], end["slot"], end["confirmed"]), ("confirmed", "9.8.8", "B", True), end)
        s.boots(FACTORY, "A")

    def test_random_kills(self):
        """Its power goes at any moment of its own update: there is always a program that starts and meets the broker, and it is told which."""
        runs, dice, s = int(os.environ.get("FOTA_KILLS", "50")) // 5, random.Random(int(os.environ.get("FOTA_SEED", "1"))), self.start()
        kills, ends, slot, version = collections.Counter(), collections.Counter(), "A", None
        while kills.total() < runs:
            new = f"9.8.{sum(ends.values()) + 1}"
            self.program(new)
            job = s.update(new, device=self.NAME)
            s.reply(job)
            for _ in range(dice.randrange(1, 4)):
                time.sleep(dice.random() * 3)
                state = (self.told(job) or [{"state": "download"}])[-1]["state"]
                if state in ("confirmed", "rolled-back", "failed"):
                    break
                if not s.chip.alive():
                    state = "restart"
                s.chip.cut()
                kills[state] += 1
                s.power_on(wait=False)
            end = self.end(job)
            ends[end["state"]] += 1
            if end["state"] == "confirmed":
                slot, version = "B" if slot == "A" else "A", new
            self.assertIn((end["state"], end["reason"]), (("confirmed", ""), ("rolled-back", "resets")), end)
            self.assertEqual((end["slot"], end["confirmed"]), (slot, True), end)
            self.assertIn(version, (None, end["version"]), end)
        print(f"{kills.total()} kills ({dict(kills)}) in {ends.total()} updates ({dict(ends)})", flush=True)
        s.boots(FACTORY, "A")

    def test_together(self):
        """Both devices at once: there is one reader, so one waits for the other, and says so."""
        s = self.start()
        self.program("9.8.7")
        job, itself = s.update("good"), None
        wait_until(lambda: "write" in s.states(job), 60, "the device to be written")
        itself = s.update("9.8.7", device=self.NAME)
        end = self.end(itself)
        self.assertEqual((end["state"], end["version"], end["slot"]), ("confirmed", "9.8.7", "B"), end)
        self.assertIn("another device's update comes first", [p["detail"] for p in self.told(itself)])
        self.confirmed(job)
        s.boots("1.1.0", "B")

    def test_refused(self):
        """For another chip; a device's package for the gateway, and the other way round."""
        s = self.start()
        self.program("9.8.7", b"", chip=5)
        end = self.end(s.update("9.8.7", device=self.NAME))
        self.assertEqual((end["state"], end["reason"]), ("failed", "hw-revision"), end)
        end = self.end(s.update("good", device=self.NAME))
        self.assertEqual((end["state"], end["reason"]), ("failed", "product"), end)
        self.program("1.0.0", b"", product=PRODUCT, hw="1")
        self.refused(s.update("1.0.0"), "flags")
        s.boots(FACTORY, "A")


class BadInput(Case):
    def test_wrong_product(self):
        s = self.system.start_gateway()
        s.serve("other", read(s.bench.package("1.1.0", "--product", OTHER_PRODUCT)))
        self.refused(s.update("other"), "product")
        s.boots(FACTORY, "A")

    def test_cache_full(self):
        """Two slots: a third package takes the place of the one that was used the longest time ago."""
        s = self.system.start_gateway()
        for version in ("1.0.1", "1.1.0", "1.1.1"):
            s.serve(version, read(s.bench.package(version)))
        for version, slot in (("1.1.0", "B"), ("1.0.1", "A"), ("1.1.0", "B"), ("1.1.1", "A"), ("1.1.0", "B"), ("1.0.1", "A")):
            self.confirmed(s.update(version, size=len(s.web.files[version])), version, slot)
        self.assertEqual([s.web.count(v) for v in ("1.1.0", "1.1.1", "1.0.1")], [1, 1, 2])
        s.boots("1.0.1", "A")

    def test_too_long(self):
        """A file that the cache does not hold."""
        s = self.system.start_gateway()
        s.serve("huge", b"\0" * (1 << 20))
        self.refused(s.update("huge"), "cache-error", "is there room?")
        self.confirmed(s.update("good"))  # it has not kept its place
        s.boots("1.1.0", "B")

    def test_cache_corrupted(self):
        """The power goes; bits of what is in the cache are others when it comes back."""
        s = self.system.start_gateway()
        job = s.update("good")
        wait_until(self.progress("write", 60000), 60, "60 KB to be written")
        s.chip.cut()
        s.chip.poke(CACHE[0] + 4096 + 50000, b"\0" * 100)
        s.power_on()
        self.confirmed(job)
        self.assertEqual(s.web.count("good"), 2)
        s.boots("1.1.0", "B")

    def test_noise_in_flash(self):
        """The cache and NVS hold anything: it starts, and menuconfig's settings hold."""
        s = self.system.start_gateway()
        s.chip.cut()
        dice = random.Random(7)
        s.chip.poke(CACHE[0], dice.randbytes(CACHE[1]))
        s.chip.poke(0x9000, dice.randbytes(0x10000))
        s.gateway = s.chip.start()
        s.wait_log("neither broker nor channel is set")
        s.chip.cut()
        s.start_gateway()
        self.confirmed(s.update("good"))
        s.boots("1.1.0", "B")

    def test_certificates_and_clock(self):
        s = self.system
        ca, other = make_ca(s.dir, "ca"), make_ca(s.dir, "other-ca")
        proxy = FaultProxy(s.web.server.server_address[1], make_certificate(s.dir, ca, "localhost"))
        self.addCleanup(proxy.close)
        s.start_gateway(ca=read(other).decode())
        url = proxy.url + "/good"
        self.refused(s.update("good", url=url), "http-error", "certificate was refused")
        s.chip.cut()
        s.chip.env["FOTA_NO_CLOCK"] = "1"
        s.start_gateway(ca=read(ca).decode())
        self.refused(s.update("good", url=url), "http-error", "the clock is not set")
        s.chip.cut()
        del s.chip.env["FOTA_NO_CLOCK"]
        s.power_on()
        self.confirmed(s.update("good", url=url))
        self.memory()  # with TLS
        s.boots("1.1.0", "B")

    def test_broker_over_tls(self):
        s, port = self.system, free_port()
        ca, other = make_ca(s.dir, "ca"), make_ca(s.dir, "other-ca")
        pem = make_certificate(s.dir, ca, "localhost").removesuffix(".pem")
        s.broker.stop()
        s.broker = Broker(s.broker.port, f"user root\nlistener {port} 127.0.0.1\ncertfile {pem}.crt\nkeyfile {pem}.key").start()
        s.start_gateway(wait=False, broker=f"mqtts://localhost:{port}", ca=read(other).decode())
        s.wait_log("its certificate was refused")
        s.chip.cut()
        s.chip.env["FOTA_NO_CLOCK"] = "1"
        s.start_gateway(wait=False, broker=f"mqtts://localhost:{port}", ca=read(ca).decode())
        s.wait_log("could not connect to the broker (the clock is not set yet")
        s.chip.cut()
        del s.chip.env["FOTA_NO_CLOCK"]
        s.power_on()
        self.confirmed(s.update("good"))
        s.boots("1.1.0", "B")

    def test_console(self):
        s = self.system.start_gateway(hub_token="very-secret")
        for line, answer in (("show", "hub_token        (set)"), ("set nonsense 1", "is no setting"), ("set wifi_ssid " + "x" * 33, "it may have 32"),
                             ("set " + "y" * 400, "a line has at most"), ("help", "set NAME VALUE"), ("unset hub_token", "kept; in force")):
            s.chip.type(line)
            s.wait_log(answer, 5)
        self.assertNotIn("very-secret", s.log())


@unittest.skipUnless(os.path.exists(os.path.join(ROOT, "console", "node_modules", ".stamp")), "the console is not installed: make console")
class Page(Case):
    def test_page(self):
        """What a person does in a browser: the gateway updates itself, then its device, which takes the next release after that, too."""
        sys.path.insert(0, os.path.join(ROOT, "demo"))
        import demo  # pylint: disable=import-outside-toplevel
        s = self.system
        s.start_hub()
        s.start_gateway(hub_url=f"http://127.0.0.1:{s.hub_port}", hub_token=s.tokens["gateway"], device=DEVICE)
        token = s.path("operator.token")
        with open(token, "w", encoding="utf-8") as f:
            f.write(s.tokens["operator"])
        make_program(s, "9.8.7")
        steps = [{"device": f"{GATEWAY}/{Itself.NAME}", "file": s.path("program.fota"), "wanted": "confirmed", "version": "9.8.7"}]
        steps += [{"device": f"{GATEWAY}/{DEVICE}", "file": s.bench.package(v), "wanted": end, "version": "1.1.0"}
                  for v, end in (("1.1.0", "confirmed"), ("1.2.0", "rolled-back"))]
        ended = []
        with contextlib.ExitStack() as stack:
            url = demo.start_console(s.bench, stack, s.dir, f"http://127.0.0.1:{s.hub_port}", s.broker, token, "password", 0)
            browser = threading.Thread(target=lambda: ended.append(demo.use_page(url, "password", os.path.join(BUILD, "esp32-linux"), steps)))
            browser.start()
            while browser.is_alive():
                if not s.chip.alive():
                    s.chip.cut()
                    s.power_on(wait=False)
                browser.join(0.1)
        self.assertEqual(ended, [0])
        s.boots("1.1.0", "B")


@unittest.skipIf(radosgw.missing(), radosgw.missing())
class Bucket(Case):
    def test_channel(self):
        """A signed index in a bucket; requests are signed for it, and wrong credentials are told."""
        s = self.system
        with radosgw.Radosgw() as s3:
            self.assertEqual(s3.request("PUT", "/bucket")[0], 200)
            url = f"{s3.endpoint}/bucket/fota"
            done = s.fota_env("publish", "--key", s.bench.key, "--channel", "stable", "--url", url, s.bench.package("1.1.0"),
                              AWS_ACCESS_KEY_ID=s3.access, AWS_SECRET_ACCESS_KEY=s3.secret)
            self.assertEqual(done.returncode, 0, done.stderr)
            channel = {"channel": "stable", "channel_url": url, "channel_product": PRODUCT, "channel_poll": "1", "region": "us-east-1",
                       "access_key": s3.access}
            s.start_gateway(**channel, secret_key="wrong")
            s.wait_log("status 403")
            s.chip.cut()
            s.start_gateway(secret_key=s3.secret)
            wait_until(lambda: s.last().get("version") == "1.1.0" and s.last()["state"] == "confirmed", 90, "1.1.0 from the bucket")
            self.assertNotIn(s3.secret, s.log())
            s.boots("1.1.0", "B")


class Kills(Case):
    def boots_alone(self, with_power):
        """Nobody is at its line any more: the STM32 starts an application, at once after its own power was cut, or when it has waited for long enough."""
        s = self.system
        if with_power:
            s.control("power off")
            s.control("power on")
        wait_until(lambda: s.status()["mode"] == "application", 30, "the STM32 to boot without its gateway")

    def test_random_kills(self):
        """The power of the ESP32 goes at any moment of updates there and back; the STM32 boots each time, and each update ends well."""
        runs, seed = int(os.environ.get("FOTA_KILLS", "50")), int(os.environ.get("FOTA_SEED", "1"))
        dice, s = random.Random(seed), self.system
        versions = ("1.1.0", "1.0.0")
        packages = {v: read(s.bench.package(v)) for v in versions}
        for version, data in packages.items():
            s.serve(version, data)
        s.start_gateway(max_baud="2000000")
        kills, boots, updates, slot, began = collections.Counter(), 0, 0, "A", time.monotonic()
        while kills.total() < runs:
            version = versions[updates % 2]
            slot = "B" if slot == "A" else "A"
            s.web.fault[version] = ("slow", dice.choice((200000, 1000000)))
            if dice.random() < 0.5:  # it is to be downloaded, not in the cache
                s.chip.cut()
                s.chip.poke(CACHE[0], b"\xff" * 4096)
                s.chip.poke(CACHE[0] + CACHE[1] // 2, b"\xff" * 4096)
                s.power_on()
            job = s.update(version)
            s.reply(job)
            for _ in range(dice.randrange(1, 5)):
                time.sleep(dice.random() * dice.choice((0.2, 1.5, 6)))
                state = s.last()["state"]
                if state in ("confirmed", "rolled-back", "failed"):
                    break
                s.chip.cut()
                kills[state] += 1
                if dice.random() < 0.7:  # else it goes on at once
                    self.boots_alone(dice.random() < 0.5)
                    boots += 1
                s.power_on(wait=False)
            self.confirmed(job, version, slot)
            updates += 1
        print(f"{kills.total()} kills ({dict(kills)}), the STM32 booted alone after {boots} of them, in {updates} updates, seed {seed}, {time.monotonic() - began:.0f} s", flush=True)
        self.assertEqual(s.control("status")["counters"]["violations"], 0)
        s.boots(version, slot)


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
