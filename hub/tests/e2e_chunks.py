"""End to end: packages in chunks over MQTT, with the real hub, the real gateway, a real Mosquitto and a simulated device."""

import binascii
import hashlib
import json
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile
import threading
import time
import unittest

from hubtest import Broker, Hub, Proc, wait_until

GATEWAY = os.environ["FOTA_GATEWAY"]
SIM = os.environ["FOTA_GW_SIM"]
DEAD = "http://127.0.0.1:9"  # nobody listens on the discard port


class Tap:
    """What goes over a topic, as bytes, with the time of its coming."""

    def __init__(self, broker, *topics):
        self.messages = []
        self.ready = threading.Event()
        command = ["stdbuf", "-oL", "mosquitto_sub", "-h", broker.host, "-p", str(broker.port), "-q", "1", "-d", "-F", "MSG %t %x"]
        for topic in topics:
            command += ["-t", topic]
        self.proc = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()
        assert self.ready.wait(10)

    def read(self):
        for line in self.proc.stdout:
            if line.startswith("MSG "):
                _, topic, *payload = line.rstrip("\n").split(" ")
                self.messages.append((topic.split("/", 3)[3], bytes.fromhex("".join(payload)), time.monotonic()))
            elif line.startswith("Subscribed "):
                self.ready.set()

    def of(self, topic):
        return [p for t, p, _ in list(self.messages) if t == topic]

    def close(self):
        self.proc.terminate()
        self.proc.wait()
        self.thread.join(5)
        self.proc.stdout.close()


def request(digest, offset=0, count=16, size=2048, seq=1):
    head = struct.pack("<4s32sQIHH", b"FCG1", digest, seq, offset, count, size)
    return head + struct.pack("<I", binascii.crc32(head))


def parse_request(payload):
    magic, digest, seq, offset, count, size, crc = struct.unpack("<4s32sQIHHI", payload)
    assert magic == b"FCG1" and crc == binascii.crc32(payload[:52])
    return digest, seq, offset, count, size


def parse_chunk(payload):
    magic, digest, offset, total, crc = struct.unpack("<4s16sIII", payload[:32])
    assert magic == b"FCH1" and crc == binascii.crc32(payload[32:], binascii.crc32(payload[:28]))
    return digest, offset, total, payload[32:]


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.packages = tempfile.mkdtemp(prefix="fota-chunks-")
        subprocess.run([SIM, "make", cls.packages], check=True, timeout=60)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.packages)

    def begin(self, *hub_options, broker_config=""):
        self.broker = Broker(extra_config=broker_config).start()
        self.addCleanup(self.broker.__exit__, None, None, None)
        self.hub = Hub(self.broker.address(), "--key", f"{self.packages}/key.pub.pem", "--public-url", DEAD, *hub_options)
        self.hub.start()
        self.addCleanup(self.hub.__exit__, None, None, None)
        self.online()
        self.data = pathlib.Path(f"{self.packages}/big.fota").read_bytes()
        self.digest = hashlib.sha256(self.data).digest()
        answer = self.hub.upload(self.data)
        self.assertEqual(answer.status, 201, answer.body)

    def online(self):
        wait_until(lambda: self.hub.get("/health", role=None)["mqtt"], 20, "the hub to reach the broker")

    def tap(self, *topics):
        tap = Tap(self.broker, *(f"fota/v1/gw1/{t}" for t in topics))
        self.addCleanup(tap.close)
        return tap


class Protocol(Case):
    """The hub's side, message by message, as docs/mqtt.md describes it."""

    def ask(self, tap, payload, topic, count=1):
        before = len(tap.of(topic))
        self.broker.publish("fota/v1/gw1/chunk/get", payload, qos=0)
        return wait_until(lambda: len(tap.of(topic)) >= before + count and tap.of(topic)[before:], 5, f"{count} on {topic}")

    def test_answers(self):
        self.begin("--chunk-rate", "65536")
        tap = self.tap("chunk/data", "chunk/error")
        for size in (1024, 2048):
            chunks = self.ask(tap, request(self.digest, 1000, 16, size), "chunk/data", 16)
            self.assertEqual(len(chunks), 16)
            for i, chunk in enumerate(chunks):
                self.assertLessEqual(len(chunk), 4096)
                offset = 1000 + i * size
                self.assertEqual(parse_chunk(chunk), (self.digest[:16], offset, len(self.data), self.data[offset:offset + size]))
        end = len(self.data)
        tail = self.ask(tap, request(self.digest, end - 3000), "chunk/data", 2)
        self.assertEqual(b"".join(parse_chunk(c)[3] for c in tail), self.data[-3000:])
        self.assertEqual(parse_chunk(self.ask(tap, request(self.digest, end), "chunk/data")[0])[1:], (end, end, b""))
        for bad, reason in ((request(self.digest, end + 1), "range"), (request(self.digest, 2**32 - 1), "range"),
                            (request(bytes(32)), "not-found"), (request(self.digest, count=17), "bad-request"),
                            (request(self.digest, count=0), "bad-request"), (request(self.digest, size=4096), "bad-request"),
                            (request(self.digest, size=0), "bad-request"), (request(b"../../hub.db".ljust(32, b"\0")), "not-found")):
            error = json.loads(self.ask(tap, bad, "chunk/error")[0])
            self.assertEqual((error["v"], error["request"], error["reason"]), (1, 1, reason), error)
        before = len(tap.messages)
        for nothing in (b"x", b"{}", request(self.digest)[:-1], request(self.digest) + b"x", request(self.digest)[:-1] + b"\xff",
                        b"FCH1" + request(self.digest)[4:], b"F" * 5000):
            self.broker.publish("fota/v1/gw1/chunk/get", nothing, qos=0)
        self.broker.publish("fota/v1/g w/chunk/get", request(self.digest), qos=0)
        self.ask(tap, request(self.digest, end), "chunk/data")
        self.assertEqual(len(tap.messages), before + 1)
        self.assertEqual(self.hub.request("DELETE", "/releases/" + self.digest.hex()).status, 204)
        self.assertEqual(json.loads(self.ask(tap, request(self.digest), "chunk/error")[0])["reason"], "not-found")

    def test_rate(self):
        self.begin("--chunk-rate", "64")
        tap = self.tap("chunk/data", "chunk/error")
        began = time.monotonic()
        for k in range(40):
            self.broker.publish("fota/v1/gw1/chunk/get", request(self.digest, seq=k + 1), qos=0)
        self.broker.publish("fota/v1/gw2/chunk/get", request(self.digest), qos=0)  # somebody else's rate
        wait_until(lambda: tap.of("chunk/error"), 5, "busy")
        time.sleep(0.3)
        sent = sum(len(p) - 32 for p in tap.of("chunk/data"))
        self.assertGreaterEqual(sent, 32768)
        self.assertLessEqual(sent, 65536 + 65536 * (time.monotonic() - began))
        for p in tap.of("chunk/error"):
            error = json.loads(p)
            self.assertEqual(error["reason"], "busy")
            self.assertGreater(error["retry_ms"], 0)

    def test_switched_off(self):
        self.begin("--chunk-rate", "0")
        tap = self.tap("chunk/data", "chunk/error")
        self.broker.publish("fota/v1/gw1/chunk/get", request(self.digest), qos=0)
        time.sleep(0.5)
        self.assertEqual(tap.messages, [])


class Transfers(Case):
    """A whole update with a hub that cannot be reached over HTTP."""

    def begin(self, *hub_options, settings=None, **kw):
        super().begin(*hub_options, **kw)
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="fota-chunks-gw-"))
        self.addCleanup(shutil.rmtree, self.dir)
        self.device = Proc([SIM, "run", self.packages, self.dir / "tty"]).start()
        self.addCleanup(self.end_device)
        self.device.wait_output("ready")
        config = {"id": "gw1", "broker": self.broker.address(), "keys": [f"{self.packages}/key.pub.pem"],
                  "cache": str(self.dir / "cache"), "stall_ms": 2000, "retry_ms": 20, "log_level": "debug",
                  "devices": [{"name": "board1", "port": str(self.dir / "tty")}], **(settings or {})}
        (self.dir / "gateway.json").write_text(json.dumps(config))
        self.log = self.dir / "gateway.log"
        self.get = self.tap("chunk/get")
        self.start_gateway()
        self.addCleanup(self.end_gateway)
        wait_until(lambda: self.hub.request("GET", "/devices/gw1/board1").status == 200, 10, "the device")

    def start_gateway(self):
        environment = {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}
        before = self.log.read_text().count("connected to the broker") if self.log.exists() else 0
        self.gateway = Proc([GATEWAY, "--config", self.dir / "gateway.json", "--die-with-parent"], "gateway", log=self.log,
                            env=environment).start()
        wait_until(lambda: self.gateway.output().count("connected to the broker") > before, 10, "the gateway to connect")

    def end_gateway(self):
        status = self.gateway.stop()
        output = self.gateway.output()
        self.assertEqual(status, 0, output)
        self.assertNotIn("runtime error", output)

    def end_device(self):
        self.device.stop()
        os.unlink(self.device.log_path)

    def start_update(self):
        answer = self.hub.request("POST", "/updates", {"gateway": "gw1", "device": "board1", "release": self.digest.hex()})
        self.assertEqual(answer.status, 201, answer.body)
        return answer.json()["job"]

    def confirmed(self, job, timeout=40):
        def over():
            u = self.hub.get("/updates/" + job)
            return u if u["ended"] else None
        try:
            u = wait_until(over, timeout, "the update to end")
        except TimeoutError:
            self.fail(f"{self.hub.get('/updates/' + job)}\n{self.gateway.output()}")
        self.assertEqual((u["state"], u["reason"]), ("confirmed", ""), f"{u}\n{self.gateway.output()}")

    def cached(self):
        part = self.dir / "cache" / "packages" / f"{self.digest.hex()}.part"
        return part.stat().st_size if part.exists() else 0

    def requests(self):
        return [parse_request(p) for p in self.get.of("chunk/get")]

    def test_http_unreachable(self):
        self.begin("--chunk-rate", "65536", broker_config="message_size_limit 4096")
        data = self.tap("chunk/data")
        self.confirmed(self.start_update())
        self.assertIn("over MQTT in chunks of 2048 bytes, from offset 0", self.gateway.output())
        self.assertEqual(sum(len(p) - 32 for p in data.of("chunk/data")), len(self.data))  # nothing twice
        offsets = list(dict.fromkeys(r[2] for r in self.requests()))  # on a busy machine it may ask for one again
        self.assertEqual(offsets, list(range(0, len(self.data), 32768)))
        self.assertLessEqual(max(len(p) for p in data.of("chunk/data")), 4096)
        times = [t for _, _, t in data.messages]
        seconds = times[-1] - times[0]
        print(f"chunks: {len(self.data)} bytes in {seconds:.3f} s, {len(self.data) / seconds / 1e6:.2f} MB/s "
              "(2 KiB chunks, window 16, with a listener beside; sanitizers as built)", flush=True)

    def test_mqtt_job_of_1k(self):
        self.begin(settings={"chunk": 1024})
        reply = self.tap("reply", "board1/state")
        self.broker.publish("fota/v1/gw1/cmd", json.dumps({"v": 1, "cmd": "update", "job": "m1", "device": "board1", "url": "mqtt:",
                                                           "sha256": self.digest.hex()}))
        wait_until(lambda: reply.of("reply"), 5, "a reply")
        self.assertTrue(json.loads(reply.of("reply")[0])["ok"])
        wait_until(lambda: any(json.loads(p)["state"] == "confirmed" and json.loads(p)["job"] == "m1" for p in reply.of("board1/state")),
                   40, "the device to confirm")
        self.assertEqual({r[4] for r in self.requests()}, {1024})

    def test_unknown_package(self):
        self.begin()
        state = self.tap("board1/state")
        self.broker.publish("fota/v1/gw1/cmd", json.dumps({"v": 1, "cmd": "update", "job": "m1", "device": "board1", "url": "mqtt:",
                                                           "sha256": "ab" * 32}))
        end = wait_until(lambda: [s for s in map(json.loads, state.of("board1/state")) if s["state"] == "failed"], 10, "the end")[0]
        self.assertEqual(end["reason"], "mqtt-error")
        self.assertIn("not-found", end["detail"])

    def test_broker_restarts(self):
        self.begin("--chunk-rate", "100")
        job = self.start_update()
        wait_until(lambda: self.cached() > 100000, 15, "some bytes")
        self.broker.stop()
        time.sleep(1)
        had = self.cached()
        self.assertLess(had, len(self.data))
        self.broker.start()
        self.online()
        self.confirmed(job, 60)
        offsets = [r[2] for r in self.requests()]
        self.assertIn(had, offsets)  # it went on where it was
        self.assertEqual(self.gateway.output().count("bytes, from offset 0"), 1)
        self.assertIn("lost the broker", self.gateway.output())

    def test_gateway_killed(self):
        self.begin("--chunk-rate", "100")
        data = self.tap("chunk/data")
        job = self.start_update()
        wait_until(lambda: self.cached() > 100000, 15, "some bytes")
        self.gateway.kill()
        had = self.cached()
        time.sleep(0.3)
        asked, sent = len(self.requests()), len(data.of("chunk/data"))
        self.start_gateway()
        self.confirmed(job)
        again = [parse_chunk(p) for p in data.of("chunk/data")[sent:]]
        self.assertEqual(self.requests()[asked][2], had)
        self.assertEqual(min(c[1] for c in again), had)
        self.assertEqual(sum(len(c[3]) for c in again), len(self.data) - had)  # not a byte twice
        self.assertRegex(self.gateway.output(), rf"from offset {had}\b")

    def test_hub_restarts(self):
        self.begin("--chunk-rate", "100")
        job = self.start_update()
        wait_until(lambda: self.cached() > 100000, 15, "some bytes")
        self.hub.restart()
        self.confirmed(job)
        self.assertIn("complete over MQTT", self.gateway.output())


if __name__ == "__main__":
    unittest.main(verbosity=2)
