#!/usr/bin/env python3
"""fota-gateway from outside: a real broker, a web server with faults, and the simulated device (gw_sim) on a pty.

usage: test_gateway.py FOTA_GATEWAY GW_SIM [test names]
"""

import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "tests" / "lib")]
from faultserver import FaultServer  # noqa: E402
from fotatest import Broker, Proc, wait_until  # noqa: E402

GATEWAY, SIM = sys.argv[1:3]
PACKAGES = None
ALL = ["download", "write", "verify", "jump"]


def setUpModule():  # noqa: N802
    global PACKAGES
    PACKAGES = tempfile.mkdtemp(prefix="fota-gw-packages-")
    subprocess.run([SIM, "make", PACKAGES], check=True, timeout=60)


def tearDownModule():  # noqa: N802
    shutil.rmtree(PACKAGES)


class Bench:
    """Broker, web server, devices and a gateway; everything that was published, in order."""

    def __init__(self, devices=1, settings=None):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="fota-gw-"))
        self.messages = []
        self.jobs = 0
        self.web = FaultServer()
        self.broker = Broker().start()
        self.subscriber = self.broker.subscribe("fota/v1/gw1/#")
        self.names = [f"board{i + 1}" for i in range(devices)]
        self.sims = [Proc([SIM, "run", PACKAGES, self.dir / f"tty{i + 1}"]).start() for i in range(devices)]
        for sim in self.sims:
            sim.wait_output("ready")
        for path in pathlib.Path(PACKAGES).glob("*.fota"):
            self.web.files[path.name] = path.read_bytes()
        config = {"id": "gw1", "broker": self.broker.address(), "keys": [f"{PACKAGES}/key.pub.pem"],
                  "cache": str(self.dir / "cache"), "stall_ms": 800, "retry_ms": 20, "log_level": "debug",
                  "devices": [{"name": n, "port": str(self.dir / f"tty{i + 1}")} for i, n in enumerate(self.names)]}
        config.update(settings or {})
        (self.dir / "gateway.json").write_text("// made by a test\n" + json.dumps(config))
        self.gateway = None
        self.start_gateway()

    def start_gateway(self, *options):
        environment = {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}
        self.gateway = Proc([GATEWAY, "--config", self.dir / "gateway.json", "--die-with-parent", *options],
                            "gateway", env=environment).start()
        self.gateway.wait_output("connected to the broker")

    def close(self, failed):
        if failed:
            print("---- messages", *(f"{t} {p}" for t, p in self.messages), "---- gateway", self.gateway.output(),
                  sep="\n", flush=True)
        problems = []
        if self.gateway.alive() and self.gateway.stop() != 0:
            problems.append(f"the gateway ended with {self.gateway.proc.returncode}:\n{self.gateway.output()}")
        os.unlink(self.gateway.log_path)
        for sim in self.sims:
            sim.stop()
            os.unlink(sim.log_path)
        self.subscriber.close()
        self.broker.__exit__(None, None, None)
        self.web.close()
        shutil.rmtree(self.dir)
        return problems

    # --- messages
    def take(self):
        self.messages += [(t.removeprefix("fota/v1/gw1/"), json.loads(p)) for t, p in self.subscriber.take()
                          if not t.endswith("/cmd")]
        return self.messages

    def of(self, topic):
        return [p for t, p in self.take() if t == topic]

    def states(self, job, device="board1"):
        found = []
        for p in self.of(f"{device}/state"):
            if p["job"] == job and (not found or found[-1] != p["state"]):
                found.append(p["state"])
        return found

    def last(self, device="board1"):
        states = self.of(f"{device}/state")
        return states[-1] if states else {"state": None, "job": None}

    def command(self, **members):
        self.broker.publish("fota/v1/gw1/cmd", json.dumps({"v": 1, **members}))

    def reply(self, job, number=1):
        return wait_until(lambda: [r for r in self.of("reply") if r["job"] == job][number - 1:], 5, f"a reply to {job}")[0]

    def update(self, package, device="board1", job=None, **members):
        self.jobs += 1
        job = job or f"job-{self.jobs}"
        data = self.web.files[package]
        members.setdefault("sha256", hashlib.sha256(data).hexdigest())
        members.setdefault("url", self.web.url(package))
        self.command(cmd="update", job=job, device=device, **members)
        return job

    def wait_state(self, job, state, device="board1", timeout=20):
        return wait_until(lambda: next((p for p in self.of(f"{device}/state") if p["job"] == job and p["state"] == state), None),
                          timeout, f"{job} to be {state}; is {self.last(device)}")

    def wait_end(self, job, device="board1", timeout=25):
        ends = ("confirmed", "rolled-back", "failed")
        return wait_until(lambda: next((p for p in self.of(f"{device}/state") if p["job"] == job and p["state"] in ends), None),
                          timeout, f"{job} to end")

    def wait_contact(self, device="board1"):
        return wait_until(lambda: self.last(device).get("confirmed") and self.last(device)["version"], 10,
                          "the factory's image to be confirmed")

    def written(self, at_least):
        return lambda: any(p["state"] == "write" and p["bytes"] >= at_least for p in self.of("board1/progress"))


class Case(unittest.TestCase):
    def bench(self, **options):
        bench = Bench(**options)

        def close():
            outcome = self._outcome
            failed = any(e for _, e in outcome.errors if e) if hasattr(outcome, "errors") else not outcome.success
            problems = bench.close(failed)
            self.assertEqual(problems, [])
        self.addCleanup(close)
        return bench

    def confirmed(self, bench, job, version, device="board1"):
        end = bench.wait_end(job, device)
        self.assertEqual((end["state"], end["reason"], end["version"]), ("confirmed", "", version), end)
        self.assertTrue(end["confirmed"])
        return end

    def failed(self, bench, job, reason):
        end = bench.wait_end(job)
        self.assertEqual((end["state"], end["reason"]), ("failed", reason), end)
        self.assertNotEqual(end["detail"], "")
        return end


class Updates(Case):
    def test_good_then_bad(self):
        b = self.bench()
        self.assertEqual(b.wait_contact(), "1.0.0")
        first = b.last()
        self.assertEqual((first["state"], first["slot"], first["confirmed"]), ("idle", "A", True))
        self.assertEqual(first["info"]["product"], "dead0100-0000-0000-0000-000000000000")
        self.assertNotIn("target", first)
        job = b.update("good.fota", size=len(b.web.files["good.fota"]))
        end = self.confirmed(b, job, "1.1.0")
        self.assertEqual(b.states(job), ALL + ["confirmed"])
        self.assertEqual((end["slot"], end["target"]["version"], end["target"]["slot"]), ("B", "1.1.0", "B"))
        self.assertEqual(end["target"]["identity"], end["identity"])
        self.assertRegex(end["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        progress = [p for p in b.of("board1/progress") if p["state"] == "write"]
        self.assertTrue(progress)
        self.assertTrue(all(0 <= p["percent"] <= 100 and p["bytes"] <= p["total"] == 120000 for p in progress))

        job = b.update("bad.fota")
        end = b.wait_end(job)
        self.assertEqual(b.states(job), ALL + ["rolled-back"])
        self.assertEqual((end["reason"], end["version"], end["confirmed"]), ("deadline", "1.1.0", True))
        self.failed(b, b.update("bad.fota"), "rejected")
        self.assertEqual(b.wait_end(b.update("bad.fota", retry=True))["state"], "rolled-back")
        for topic in ("presence", "reply", "board1/state", "board1/progress"):
            seqs = [p["seq"] for p in b.of(topic)]
            self.assertEqual(seqs, sorted(set(seqs)), topic)
        self.assertIn("app: ", b.gateway.output())  # what the application prints is in the log
        self.assertEqual(b.web.count("bad.fota"), 1)  # afterwards it was in the cache

    def test_a_job_twice(self):
        b = self.bench()
        job = b.update("good.fota")
        self.assertTrue(b.reply(job)["ok"])
        b.update("good.fota", job=job)
        reply = b.reply(job, 2)
        self.assertTrue(reply["ok"] and reply["duplicate"])
        self.confirmed(b, job, "1.1.0")
        b.gateway.stop()
        b.start_gateway()
        b.update("good.fota", job=job)
        self.assertTrue(b.reply(job, 3)["duplicate"])
        self.assertEqual(b.states(job), ALL + ["confirmed"])
        self.assertEqual(b.web.count("good.fota"), 1)

    def test_refused_commands(self):
        b = self.bench()
        b.update("good.fota", device="boardX", job="x")
        reply = b.reply("x")
        self.assertEqual((reply["ok"], reply["reason"]), (False, "unknown-device"))
        self.assertIn("board1", reply["detail"])
        b.update("good.fota", sha256="12", job="y")
        self.assertEqual(b.reply("y")["reason"], "bad-job")
        self.assertIn('"sha256" is "12"', b.reply("y")["detail"])
        b.broker.publish("fota/v1/gw1/cmd", "no json")
        self.assertEqual(b.reply("")["reason"], "bad-job")
        b.command(cmd="cancel", job="never-seen", device="board1")
        self.assertEqual(b.reply("never-seen")["reason"], "unknown-job")
        one = b.update("big.fota")
        b.wait_state(one, "write")
        two = b.update("good.fota")
        self.assertEqual(b.reply(two)["reason"], "busy")
        b.command(cmd="cancel", job=one, device="board1")
        self.assertTrue(b.reply(one, 2)["ok"])
        self.failed(b, one, "cancelled")
        wait_until(lambda: b.last()["info"]["mode"] == "application", 10, "the old application to run again")
        b.command(cmd="cancel", job=one, device="board1")
        self.assertEqual(b.reply(one, 3)["reason"], "too-late")
        before = len(b.of("board1/state"))
        b.command(cmd="status")
        wait_until(lambda: len(b.of("board1/state")) > before, 5, "the state once more")

    def test_refused_packages(self):
        b = self.bench()
        b.wait_contact()
        self.failed(b, b.update("good.fota", sha256="00" * 32), "digest-mismatch")
        self.failed(b, b.update("stranger.fota"), "key")
        self.assertIn("7", self.failed(b, b.update("other-board.fota"), "hw-revision")["detail"])
        self.failed(b, b.update("old.fota"), "floor")
        for name, data, reason in (("empty", b"", "too-short"), ("text", b"hello world\n" * 100, "magic"),
                                   ("bare", b"\x00\x00\x02\x20" * 500, "magic"),
                                   ("cut", b.web.files["good.fota"][:60000], "truncated"),
                                   ("tail", b.web.files["good.fota"] + b"x", "trailing")):
            b.web.files[name] = data
            self.failed(b, b.update(name), reason)
        self.assertEqual(b.last()["version"], "1.0.0")
        self.assertEqual(list((b.dir / "cache" / "packages").glob("*.fota")).__len__(), 2)  # other-board, old: valid elsewhere
        self.confirmed(b, b.update("good.fota"), "1.1.0")

    def test_two_devices_share_a_download(self):
        b = self.bench(devices=2)
        b.web.fault["good.fota"] = ("slow", 100000)
        one, two = b.update("good.fota"), b.update("good.fota", device="board2")
        self.confirmed(b, one, "1.1.0")
        self.confirmed(b, two, "1.1.0", "board2")
        self.assertEqual(b.web.count("good.fota"), 1)


class Downloads(Case):
    def test_status(self):
        b = self.bench()
        b.web.fault["good.fota"] = ("status", 404)
        self.assertIn("404", self.failed(b, b.update("good.fota"), "http-error")["detail"])
        self.assertEqual(b.web.count("good.fota"), 1)
        b.web.fault["good.fota"] = ("status", 500)
        self.assertIn("500", self.failed(b, b.update("good.fota"), "http-error")["detail"])
        self.assertEqual(b.web.count("good.fota"), 1 + 6)
        b.web.fault["good.fota"] = ("redirect", b.web.url("next.fota"))
        self.assertIn("302", self.failed(b, b.update("good.fota"), "http-error")["detail"])
        self.assertEqual(b.web.count("next.fota"), 0)
        self.failed(b, b.update("good.fota", url="http://127.0.0.1:9/x.fota"), "http-error")
        b.web.fault["good.fota"] = ("status", 503, 3)
        self.confirmed(b, b.update("good.fota"), "1.1.0")

    def test_lengths(self):
        b = self.bench()
        size = len(b.web.files["good.fota"])
        self.failed(b, b.update("good.fota", size=size - 1), "too-long")
        self.failed(b, b.update("good.fota", size=size + 1), "too-short")
        b.web.fault["good.fota"] = ("long-sent",)
        self.failed(b, b.update("good.fota"), "too-long")
        self.failed(b, b.update("good.fota", size=size), "too-long")
        b.web.fault["good.fota"] = ("short-said",)
        self.failed(b, b.update("good.fota", size=size), "too-short")
        self.failed(b, b.update("good.fota"), "digest-mismatch")
        b.web.fault["good.fota"] = ("norange-drop", 50000)
        self.failed(b, b.update("good.fota"), "too-short")
        b.web.files["huge"] = bytes(2 << 20)
        self.failed(b, b.update("huge"), "too-long")
        self.assertEqual(b.last()["version"], "1.0.0")

    def test_stall(self):
        b = self.bench(settings={"stall_ms": 300})
        b.web.fault["good.fota"] = ("stall", 30000)
        self.assertIn("300 ms", self.failed(b, b.update("good.fota"), "stalled")["detail"])
        b.web.fault["good.fota"] = ("stall", 60000, 1)
        self.confirmed(b, b.update("good.fota"), "1.1.0")

    def test_drop_resumes(self):
        b = self.bench()
        b.web.fault["good.fota"] = ("drop", 70000, 2)
        self.confirmed(b, b.update("good.fota"), "1.1.0")
        headers = [h for _, h in b.web.requests]
        self.assertNotIn("Range", headers[0])
        self.assertEqual(headers[1]["Range"], "bytes=70000-")
        self.assertIn("If-Range", headers[1])

    def test_changed_while_it_was_away(self):
        b = self.bench()
        b.web.etag["x"], b.web.files["x"] = '"one"', b.web.files["next.fota"]
        b.web.fault["x"] = ("slow", 60000)
        job = b.update("x", sha256=hashlib.sha256(b.web.files["good.fota"]).hexdigest())
        wait_until(lambda: any(p["bytes"] > 1000 for p in b.of("board1/progress")), 10, "some bytes")
        b.gateway.kill()
        b.web.etag["x"], b.web.files["x"] = '"two"', b.web.files["good.fota"]
        b.web.fault.pop("x")
        b.start_gateway()
        self.confirmed(b, job, "1.1.0")
        self.assertEqual(b.web.requests[-1][1]["If-Range"], '"one"')

    def test_the_token_goes_to_the_hub_only(self):
        with tempfile.NamedTemporaryFile("w") as token:
            token.write("s3cret-token\n")
            token.flush()
            b = self.bench()
            b.gateway.stop()
            hub = b.web.url("hub")
            b.start_gateway("--hub-url", hub + "/", "--hub-token-file", token.name)
            for name in ("hub/a", "hubris/a", "a"):
                b.web.files[name] = b"x" * 1000
                self.failed(b, b.update(name), "magic" if name == "hub/a" else "magic")
            sent = {n: h.get("Authorization") for n, h in b.web.requests}
            self.assertEqual(sent, {"hub/a": "Bearer s3cret-token", "hubris/a": None, "a": None})
            self.assertNotIn("s3cret", b.gateway.output())


class Interruptions(Case):
    def test_broker_goes_and_comes_back(self):
        b = self.bench()
        job = b.update("big.fota")
        b.wait_state(job, "write")
        b.broker.stop()
        b.gateway.wait_output("lost the broker")
        b.gateway.wait_output("confirmed", 30)
        b.broker.start()
        self.confirmed(b, job, "1.4.0")
        self.assertEqual(b.states(job), ["download", "write", "confirmed"])

    def test_serial_port_vanishes(self):
        b = self.bench()
        job = b.update("big.fota")
        wait_until(b.written(20000), 10, "some code to be written")
        os.kill(b.sims[0].pid, signal.SIGUSR1)
        b.gateway.wait_output("vanished")
        time.sleep(1)
        os.kill(b.sims[0].pid, signal.SIGUSR2)
        self.confirmed(b, job, "1.4.0")
        self.assertEqual(b.states(job), ALL + ["confirmed"])

    def test_killed_in_download(self):
        b = self.bench()
        b.web.fault["big.fota"] = ("slow", 150000)
        job = b.update("big.fota")
        wait_until(lambda: any(p["bytes"] > 60000 for p in b.of("board1/progress")), 10, "some bytes")
        b.gateway.kill()
        b.web.fault.pop("big.fota")
        b.start_gateway()
        self.confirmed(b, job, "1.4.0")
        self.assertGreater(int(b.web.requests[-1][1]["Range"][6:-1]), 60000)
        self.assertEqual(b.web.count("big.fota"), 2)

    def test_killed_in_write(self):
        b = self.bench()
        job = b.update("big.fota")
        wait_until(b.written(100000), 15, "some code to be written")
        b.gateway.kill()
        b.start_gateway()
        self.confirmed(b, job, "1.4.0")
        resumed = re.search(r"writing slot B from offset (\d+)", b.gateway.output())
        self.assertGreater(int(resumed[1]), 60000)
        self.assertEqual(b.web.count("big.fota"), 1)
        self.assertNotIn("failed", b.states(job))

    def test_killed_in_jump(self):
        for package, end in (("good.fota", "confirmed"), ("bad.fota", "rolled-back")):
            with self.subTest(package=package):
                b = self.bench()
                job = b.update(package)
                b.wait_state(job, "jump")
                b.gateway.kill()
                time.sleep(3)
                b.start_gateway()
                self.assertEqual(b.wait_end(job)["state"], end)

    def test_presence(self):
        b = self.bench()
        online = wait_until(lambda: b.of("presence"), 5, "presence")[-1]
        self.assertEqual((online["online"], online["devices"]), (True, ["board1"]))
        b.gateway.kill()
        will = wait_until(lambda: b.of("presence")[1:], 5, "the last will")[-1]
        self.assertEqual((will["online"], will["seq"]), (False, online["seq"] + 1))
        b.start_gateway()
        wait_until(lambda: b.of("presence")[2:], 5, "presence")
        self.assertEqual(b.gateway.stop(), 0)
        seen = wait_until(lambda: b.of("presence")[3:] and b.of("presence"), 5, "goodbye")
        self.assertEqual([p["online"] for p in seen], [True, False, True, False])
        self.assertEqual(seen, sorted(seen, key=lambda p: p["seq"]))

    def test_idle_costs_nothing(self):
        b = self.bench()
        b.wait_contact()
        os.kill(b.sims[0].pid, signal.SIGUSR1)  # also without the port
        b.broker.stop()  # and without the broker
        time.sleep(0.5)

        def cpu():
            fields = pathlib.Path(f"/proc/{b.gateway.pid}/stat").read_text().rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        before = cpu()
        time.sleep(3)
        self.assertLess(cpu() - before, 0.15)


class Configuration(Case):
    def run_gateway(self, *options):
        return subprocess.run([GATEWAY, *options], capture_output=True, text=True, timeout=20)

    def test_checks(self):
        key = f"{PACKAGES}/key.pub.pem"
        good = ["--id", "g", "--broker", "localhost:1", "--key", key, "--device", "name=a,port=/dev/x,baud=9600", "--check-config"]
        result = self.run_gateway(*good)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("9600", result.stdout)
        for bad, word in ((["--device", "name=cmd,port=/x"], "cmd"), (["--device", "name=b"], "port"),
                          (["--device", "name=b,port=/x,baud=7"], "7"),
                          (["--device", "name=b,port=/x,max-baud=3000000"], "3000000"),
                          (["--device", "name=b,port=/x,max-baud=x"], "max-baud"), (["--key", "/none.pem"], "/none.pem"),
                          (["--broker", "h:99999"], "99999"), (["--id", "a/b"], "a/b"), (["--log-level", "loud"], "loud"),
                          (["--hub-url", "ftp://x"], "ftp://x"), (["--hub-token-file", key], "hub"), (["more"], "more"),
                          (["--device", "name=a,port=/y"], "twice"), (["--device", "name=b,port=/x,pins=gpio"], "gpio")):
            result = self.run_gateway(*good, *bad)
            self.assertNotEqual(result.returncode, 0, bad)
            self.assertIn(word, result.stderr)
        self.assertNotEqual(self.run_gateway(*[o for o in good if o not in ("--key", key)]).returncode, 0)
        with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
            f.write('{"id": "x", "colour": 1}')
            f.flush()
            self.assertIn("colour", self.run_gateway("--config", f.name).stderr)
        for member, value in (("chunk", 1500), ("chunk", 4096), ("fallback", "yes")):
            with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
                json.dump({member: value}, f)
                f.flush()
                self.assertIn(member, self.run_gateway("--config", f.name, *good).stderr)
        self.assertRegex(self.run_gateway("--version").stdout, r"^fota-gateway \d+\.\d+\.\d+")

    def test_one_gateway_a_cache(self):
        b = self.bench()
        result = self.run_gateway("--config", str(b.dir / "gateway.json"))
        self.assertEqual(result.returncode, 1)
        self.assertIn("another gateway", result.stderr)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
