"""End to end: devices, history and updates, against the real fota-hub and a real Mosquitto."""

import json
import os
import signal
import subprocess
import tempfile
import time
import unittest

from hubtest import HUB, Broker, Gateway, Hub, wait_until

STATE = {"version": "1.0.0", "identity": "ab" * 32, "slot": "A", "confirmed": True,
         "info": {"product": "5a010203-0405-4607-8809-0a0b0c0d0e0f", "hw": 1, "floor": 1, "mode": "bootloader", "bootloader": "0.1.0"}}


class Fleet(unittest.TestCase):
    def setUp(self):
        self.broker = Broker().start()
        self.addCleanup(self.broker.__exit__, None, None, None)
        self.hub = Hub(self.broker.address(), "--no-answer-timeout", "2")
        self.hub.start()
        self.addCleanup(self.hub.__exit__, None, None, None)
        self.gateway = Gateway(self.broker)
        self.addCleanup(self.gateway.close)
        self.online()
        self.gateway.presence()
        self.gateway.state("idle", job="", **STATE)
        self.device(state="idle", version="1.0.0", online=True)
        self.release = self.hub.upload(self.hub.package("1.1.0")).json()

    def online(self, want=True):
        wait_until(lambda: self.hub.get("/health", role=None)["mqtt"] is want, 20, f"the broker ({want})")

    def device(self, timeout=5, **members):
        """Wait until the device has these members; return it."""
        seen = {}

        def fits():
            answer = self.hub.request("GET", "/devices/gw1/board1", role="viewer")
            if answer.status != 200:
                return None
            seen.clear()
            seen.update(answer.json())
            return seen if all(seen[k] == v for k, v in members.items()) else None
        try:
            return wait_until(fits, timeout, f"the device to be {members}")
        except TimeoutError as e:
            raise AssertionError(f"{e}; it is {seen}") from None

    def update(self, job, timeout=5, **members):
        def fits():
            u = self.hub.get("/updates/" + job, role="viewer")
            return u if all(u[k] == v for k, v in members.items()) else None
        return wait_until(fits, timeout, f"the update to be {members}")

    def start_update(self, **members):
        body = {"gateway": "gw1", "device": "board1", "release": self.release["sha256"], **members}
        answer = self.hub.request("POST", "/updates", body, role="operator")
        self.assertEqual(answer.status, 201, answer.body)
        return answer.json()

    def test_whole_way(self):
        hub, gw, sha256 = self.hub, self.gateway, self.release["sha256"]
        u = self.start_update(retry=True)
        self.assertEqual(list(u), ["job", "gateway", "device", "release", "version", "state", "reason", "detail", "started",
                                   "ended", "retry"])
        self.assertEqual((u["state"], u["version"], u["release"], u["ended"], u["retry"]), ("queued", "1.1.0", sha256, None, True))
        job = u["job"]
        command = gw.next_command()
        self.assertEqual(command, {"v": 1, "cmd": "update", "job": job, "device": "board1", "sha256": sha256,
                                   "size": self.release["size"], "retry": True,
                                   "url": f"http://127.0.0.1:{hub.port}/api/v1/packages/{sha256}.fota"})
        # The URL works, with the gateway's token, as it stands.
        got = hub.request("GET", command["url"].split("/api/v1")[1], role="gateway")
        self.assertEqual(got.body, hub.package("1.1.0"))
        answer = hub.request("POST", "/updates", {"gateway": "gw1", "device": "board1", "release": sha256})
        self.assertEqual(answer.error(), (409, "busy", "device"))
        self.assertIn(job, answer.message())
        self.assertEqual(hub.request("DELETE", "/releases/" + sha256).error(), (409, "conflict", "sha256"))
        gw.reply("update", job)
        target = {"version": "1.1.0", "identity": "cd" * 32, "sha256": sha256, "slot": "B"}
        for state in ("download", "write"):
            gw.state(state, job=job, target=target, **STATE)
            self.device(state=state, job=job, target=target, percent=0)
            self.update(job, state=state, ended=None)
        gw.progress(job=job, state="write", percent=42, bytes=158000, total=376320, rate=81920)
        self.device(percent=42, bytes=158000, total=376320, rate=81920)
        gw.state("verify", job=job, target=target, **STATE)
        self.device(state="verify", percent=0, bytes=0)
        gw.state("jump", job=job, target=target, **STATE)
        self.update(job, state="jump")
        self.assertEqual(hub.request("POST", f"/updates/{job}/cancel").error(), (409, "too-late", "job"))
        gw.state("confirmed", job=job, target=target, **{**STATE, "version": "1.1.0", "slot": "B"})
        self.assertIsNotNone(self.update(job, state="confirmed")["ended"])
        d = self.device(state="confirmed", version="1.1.0", slot="B", confirmed=True)
        self.assertEqual(list(d), ["gateway", "device", "online", "state", "job", "reason", "detail", "version", "identity",
                                   "slot", "confirmed", "target", "info", "percent", "bytes", "total", "rate", "updated"])
        self.assertEqual(d["info"], STATE["info"])
        self.assertEqual(hub.get("/devices")["devices"], [d])
        history = hub.get("/devices/gw1/board1/history")["history"]
        self.assertEqual([h["state"] for h in history], ["confirmed", "jump", "verify", "write", "download", "idle"])
        self.assertEqual(list(history[0]), ["time", "state", "job", "reason", "detail", "version", "target_version"])
        self.assertEqual((history[0]["version"], history[0]["target_version"], history[-1]["target_version"]),
                         ("1.1.0", "1.1.0", ""))
        self.assertEqual(hub.get("/devices/gw1/board1/history?limit=2")["history"], history[:2])
        self.assertEqual(hub.request("POST", f"/updates/{job}/cancel").error(), (409, "conflict", "job"))
        # A second one that is rolled back.
        second = self.start_update()["job"]
        gw.next_command()
        gw.state("jump", job=second, **STATE)
        gw.state("rolled-back", job=second, reason="deadline", detail="no confirm within 20 s", **STATE)
        u = self.update(second, state="rolled-back", reason="deadline")
        self.assertEqual(u["detail"], "no confirm within 20 s")
        self.assertEqual([x["job"] for x in hub.get("/updates")["updates"]], [second, job])
        self.assertEqual([x["job"] for x in hub.get("/updates?limit=1")["updates"]], [second])
        self.assertEqual(hub.request("DELETE", "/releases/" + sha256).status, 204)
        self.assertEqual(self.update(job)["release"], sha256)

    def test_bad_requests(self):
        good = {"gateway": "gw1", "device": "board1", "release": self.release["sha256"]}
        for change, status, code, field in (({"gateway": None}, 400, "bad-request", "gateway"),
                                            ({"gateway": "g w"}, 400, "bad-request", "gateway"),
                                            ({"gateway": "gw2"}, 404, "not-found", "device"),
                                            ({"device": 7}, 400, "bad-request", "device"),
                                            ({"device": "x" * 33}, 400, "bad-request", "device"),
                                            ({"device": "cmd"}, 400, "bad-request", "device"),
                                            ({"device": "board2"}, 404, "not-found", "device"),
                                            ({"release": "12"}, 400, "bad-request", "release"),
                                            ({"release": "0" * 64}, 404, "not-found", "release"),
                                            ({"retry": 1}, 400, "bad-request", "retry")):
            answer = self.hub.request("POST", "/updates", {**good, **change})
            self.assertEqual(answer.error(), (status, code, field), change)
        for text in ("", "{", "[]", "null", json.dumps(good) + "x", b"\xff{}"):
            self.assertEqual(self.hub.request("POST", "/updates", text).error(), (400, "bad-request", "body"), text)
        for limit in ("0", "-1", "1001", "x", "", "5x"):
            for path in ("/updates", "/devices/gw1/board1/history"):
                self.assertEqual(self.hub.request("GET", f"{path}?limit={limit}").error(), (400, "bad-request", "limit"), limit)
        self.assertEqual(self.hub.get("/updates")["updates"], [])
        self.assertEqual(self.gateway.cmd.take(), [])

    def test_no_answer(self):
        job = self.start_update()["job"]
        self.assertEqual(self.gateway.next_command()["cmd"], "update")
        time.sleep(1)
        self.assertEqual(self.update(job)["state"], "queued")
        u = self.update(job, state="failed", reason="no-answer")
        self.assertIn("gw1", u["detail"])
        self.assertEqual(self.gateway.next_command(), {"v": 1, "cmd": "cancel", "job": job, "device": "board1"})
        self.start_update()

    def test_refused_by_gateway(self):
        job = self.start_update()["job"]
        self.gateway.next_command()
        self.gateway.reply("update", job, ok=False, reason="busy", detail="job x is under way")
        u = self.update(job, state="failed", reason="busy")
        self.assertEqual(u["detail"], "job x is under way")

    def test_cancel(self):
        job = self.start_update()["job"]
        self.gateway.next_command()
        self.gateway.state("write", job=job, **STATE)
        self.update(job, state="write")
        answer = self.hub.request("POST", f"/updates/{job}/cancel", role="operator")
        self.assertEqual((answer.status, answer.json()["state"]), (202, "write"))
        self.assertEqual(self.gateway.next_command(), {"v": 1, "cmd": "cancel", "job": job, "device": "board1"})
        self.gateway.reply("cancel", job)
        self.gateway.state("failed", job=job, reason="cancelled", **STATE)
        self.update(job, state="failed", reason="cancelled")

    def test_bad_messages(self):
        """Nothing that comes over MQTT harms the hub, and only what is valid and newer is kept."""
        gw, publish = self.gateway, self.broker.publish
        before = self.device()
        base = "fota/v1/gw1/board1/state"
        seq = gw.seq + 1000
        for payload in (b"", b"nonsense", b"[]", b"\xff\xfe", b"{" * 4000, b"{}", b'{"v":1,"seq":%d}' % seq,
                        b'{"v":2,"seq":%d,"state":"write"}' % seq, b'{"v":1,"seq":"%d","state":"write"}' % seq,
                        b'{"v":1,"seq":%d,"state":"flying"}' % seq, b'{"v":1,"seq":1,"state":"write"}',
                        b'{"v":1,"seq":%d,"state":"write","detail":"%s"}' % (seq, b"x" * 5000),
                        b'{"v":1,"seq":%d,"state":"write","job":"../../x y"}' % seq):
            publish(base, payload)
        for topic in ("fota/v1/g w/board1/state", "fota/v1/gw1/cmd/state", "fota/v1/gw1/chunk/progress",
                      "fota/v1/" + "x" * 33 + "/board1/state"):
            publish(topic, '{"v":1,"seq":%d,"state":"write","percent":1}' % seq)
        publish("fota/v1/gw1/presence", '{"v":1,"seq":%d,"online":"no"}' % seq)
        gw.state("idle", job="", reason="", detail="the end of the flood", **STATE)
        after = self.device(detail="the end of the flood")
        self.assertEqual({**after, "detail": "", "updated": ""}, {**before, "detail": "", "updated": ""})
        self.assertEqual(len(self.hub.get("/devices")["devices"]), 1)
        self.assertIn("state is \"flying\"", self.hub.proc.output())

    def test_presence(self):
        gw = self.gateway
        will = gw.seq  # as if the gateway had connected right now, before its next "online"
        gw.presence()
        self.broker.publish("fota/v1/gw1/presence", json.dumps({"v": 1, "online": False, "seq": will}), retain=True)
        self.device(online=False)
        gw.presence()
        self.device(online=True)

    def test_broker_restart(self):
        job = self.start_update()["job"]
        self.gateway.next_command()
        self.gateway.state("download", job=job, **STATE)
        self.update(job, state="download")
        self.broker.stop()
        self.online(False)
        self.assertEqual(self.update(job)["state"], "download")
        self.broker.start()
        self.online()
        # The subscriptions are back: what happens now is heard.
        self.gateway.state("failed", job=job, reason="device-lost", **STATE)
        self.update(job, state="failed", reason="device-lost")

    def test_started_without_broker(self):
        self.hub.args = ("--no-answer-timeout", "60")
        self.hub.restart()
        self.online()
        self.broker.stop()
        self.online(False)
        job = self.start_update()["job"]
        came = []
        for _ in range(5):
            # Our subscriber may be back later than the hub, whose job then meets nobody: the hub sends it again next time.
            self.broker.start()
            try:
                came = wait_until(self.gateway.cmd.take, 4, "the job")
                break
            except TimeoutError:
                self.broker.stop()
        self.assertEqual(json.loads(came[0][1])["job"], job)
        self.gateway.state("download", job=job, **STATE)
        self.update(job, timeout=10, state="download")

    def test_hub_restart(self):
        gw = self.gateway
        job = self.start_update()["job"]
        self.assertEqual(gw.next_command()["job"], job)
        self.hub.restart()
        self.online()
        # Nobody had answered: it is sent again, word for word the same job.
        self.assertEqual(gw.next_command()["job"], job)
        gw.reply("update", job, duplicate=True)
        gw.state("write", job=job, **STATE)
        self.update(job, state="write")
        self.hub.proc.kill()
        gw.state("jump", job=job, **STATE)
        gw.state("confirmed", job=job, **STATE)
        self.hub.start()
        self.update(job, timeout=15, state="confirmed")  # retained, so nothing is lost
        self.device(state="confirmed", online=True)
        self.assertEqual(gw.cmd.take(), [])
        states = [h["state"] for h in self.hub.get("/devices/gw1/board1/history")["history"]]
        self.assertEqual(states, ["confirmed", "write", "idle"])
        self.hub.restart()
        self.online()
        time.sleep(0.5)
        self.assertEqual(len(self.hub.get("/devices/gw1/board1/history")["history"]), 3)  # the retained ones are not news

    def burst(self, device, count):
        """Publish `count` retained states over one connection, each newer than the one before."""
        lines = "".join(json.dumps({"v": 1, "seq": k + 1, "state": "idle", "version": f"1.0.{k}"}) + "\n" for k in range(count))
        subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.broker.port), "-q", "1", "-r", "-l",
                        "-t", f"fota/v1/many/{device}/state"], input=lines.encode(), check=True, timeout=60)

    def versions(self):
        return {d["device"]: d["version"] for d in self.hub.get("/devices")["devices"] if d["gateway"] == "many"}

    def test_burst(self):
        for name in ("d1", "d2", "d3"):
            self.burst(name, 1500)
        want = dict.fromkeys(("d1", "d2", "d3"), "1.0.1499")
        wait_until(lambda: self.versions() == want, 20, "the last states")
        self.assertEqual(len(self.hub.get("/devices/many/d1/history?limit=1000")["history"]), 1000)

    def test_slow_moment(self):
        """A broker drops messages for a subscriber that does not keep up: the retained states mend that."""
        self.hub.args += ("--resync-interval", "2")
        self.hub.restart()
        self.online()
        os.kill(self.hub.proc.pid, signal.SIGSTOP)
        try:
            for k in range(5):
                self.burst(f"d{k}", 600)
        finally:
            os.kill(self.hub.proc.pid, signal.SIGCONT)
        want = {f"d{k}": "1.0.599" for k in range(5)}
        wait_until(lambda: self.versions() == want, 20, "the last states")


class Login(unittest.TestCase):
    def test_password_file(self):
        with tempfile.TemporaryDirectory() as d:
            users, password = os.path.join(d, "users"), os.path.join(d, "password")
            subprocess.run(["mosquitto_passwd", "-b", "-c", users, "hub", "s3cret word"], check=True)
            os.chmod(users, 0o644)
            os.chmod(d, 0o755)
            with open(password, "w", encoding="ascii") as f:
                f.write("s3cret word\n")
            with Broker(extra_config=f"allow_anonymous false\npassword_file {users}") as broker:
                with Hub(broker.address(), "--mqtt-user", "hub", "--mqtt-password-file", password,
                         "--public-url", "https://fota.example/hub/") as hub:
                    wait_until(lambda: hub.get("/health", role=None)["mqtt"], 10, "the login")
                with Hub(broker.address()) as hub:
                    hub.proc.wait_output("the broker refused", 10)
                    self.assertIs(hub.get("/health", role=None)["mqtt"], False)

    def test_dies_with_its_parent(self):
        with Hub("127.0.0.1:1") as hub:
            data = hub.path("other")
            log = hub.path("other-log")
            script = f'"{HUB}" --data "{data}" --listen 127.0.0.1:0 --mqtt 127.0.0.1:1 --die-with-parent >"{log}" 2>&1 & echo $!; sleep 1'
            pid = int(subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout)

            def gone():
                try:
                    os.kill(pid, 0)
                except ProcessLookupError:
                    return True
                with open(f"/proc/{pid}/stat", encoding="ascii") as f:  # ended, and nobody here has waited for it
                    return f.read().rsplit(")", 1)[1].split()[0] == "Z"
            wait_until(gone, 5, "the hub to end")
            with open(log, encoding="utf-8") as f:
                self.assertIn("ending on signal 15", f.read())


if __name__ == "__main__":
    unittest.main(verbosity=2)
