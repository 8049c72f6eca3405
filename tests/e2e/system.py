# SPDX-License-Identifier: MIT
"""The whole system for the end-to-end tests: broker, hub, gateway, and a board with the real bootloader and the factory's 1.0.0."""
import hashlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
sys.path[:0] = [os.path.join(ROOT, "demo"), os.path.join(ROOT, "gateway", "tests"), os.path.join(ROOT, "tests", "lib")]
from bench_setup import FACTORY, PRODUCT, Bench, Proc, wait_until  # noqa: E402,F401
from faultserver import FaultServer  # noqa: E402
from fotatest import Broker  # noqa: E402

SPEED = "4"  # virtual seconds a second
GATEWAY, DEVICE = "gw1", "board1"
ENDS = ("confirmed", "rolled-back", "failed")
JOURNAL = 10  # the first of the two sectors of the journal; before it lie the slots and the bootloader
SKIPPED = 77


def build_dir(argv):
    """The build directory of the command line; ends with 77 where something is not built."""
    build = os.path.abspath(argv[1])
    needed = ["board/fota-board", "cli/fota", "gateway/fota-gateway", "hub/fota-hub", "target/bootloader.bin",
              "target/hello-2.0.0.b.elf", "target/busy-1.1.0.b.elf", "tests/e2e/make_bad", "tests/e2e/raw_link"]
    missing = [f for f in needed if not os.path.exists(os.path.join(build, f))]
    if missing:
        print("skipped, not built:", *missing)
        sys.exit(SKIPPED)
    return build


def read(path):
    with open(path, "rb") as f:
        return f.read()


def direct():
    """The environment without a proxy: everything is on this machine."""
    return {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}


class System:
    """Parts are started by start_…() and ended by close(), in the opposite order."""

    def __init__(self, build, application="hello"):
        self.dir = tempfile.mkdtemp(prefix="fota-e2e-")
        self.build = build
        self.bench = Bench(build, self.dir, application)
        self.bench.run("keygen", "-o", self.path("other"))
        self.board = self.hub = self.gateway = self.broker = self.web = self.subscriber = None
        self.messages, self.jobs, self.tokens = [], 0, {}

    def path(self, name):
        return os.path.join(self.dir, name)

    def tool(self, *parts):
        return os.path.join(self.build, *parts)

    def fota(self, *arguments):
        """Run `fota`, whatever becomes of it."""
        return subprocess.run([self.bench.fota, *arguments], capture_output=True, text=True, timeout=60, cwd=self.dir)

    def make_bad(self, good):
        """All bad packages that are made of a good one: {name: path}."""
        folder = self.path("bad")
        os.mkdir(folder)
        subprocess.run([self.tool("tests", "e2e", "make_bad"), good, self.bench.key, self.path("other.pem"), folder], check=True,
                       timeout=60)
        return {name.removesuffix(".fota"): os.path.join(folder, name) for name in sorted(os.listdir(folder))}

    # --- parts
    def start_board(self):
        self.board, self.tty, self.control_path = self.bench.board("board", self.path("board.log"), "--speed", SPEED)
        wait_until(lambda: self.status()["confirmed_slot"] == "A", 30, "the factory's image to be confirmed", 0.2)
        return self

    def start_broker(self):
        self.broker = Broker().start()
        self.subscriber = self.broker.subscribe(f"fota/v1/{GATEWAY}/#")
        self.web = FaultServer()
        return self

    def start_hub(self, *options, **popen):
        """Also once more, with the same data."""
        hub, data, port_file = self.tool("hub", "fota-hub"), self.path("hub"), self.path("hub.port")
        if os.path.exists(port_file):
            os.unlink(port_file)
        for role in ("operator", "gateway") if not self.tokens else ():
            done = subprocess.run([hub, "token", "add", "--data", data, "--role", role, "--name", role], check=True,
                                  capture_output=True, text=True)
            self.tokens[role] = done.stdout.strip()
        self.hub = Proc([hub, "--data", data, "--listen", "127.0.0.1:0", "--port-file", port_file, "--mqtt", self.broker.address(),
                         "--key", self.bench.public, "--die-with-parent", *options], "hub", log=self.path("hub.log"), **popen).start()
        wait_until(lambda: os.path.exists(port_file) or not self.hub.alive(), 10, "the hub")
        self.hub_port = int(read(port_file))
        return self

    def start_gateway(self, **settings):
        """Its timers are short where the members of the configuration allow it."""
        config = {"id": GATEWAY, "broker": self.broker.address(), "keys": [self.bench.public], "cache": self.path("cache"),
                  "retry_ms": 20, "log_level": "debug",
                  # at the device's own rate: slow enough for something to happen while it is written
                  "devices": [{"name": DEVICE, "port": self.tty, "max_baud": 115200, "pins": f"board:{self.control_path}"}],
                  **settings}
        if self.hub is not None:
            with open(self.path("gateway.token"), "w", encoding="ascii") as f:
                f.write(self.tokens["gateway"] + "\n")
            config.update(hub_url=f"http://127.0.0.1:{self.hub_port}", hub_token_file=self.path("gateway.token"))
        with open(self.path("gateway.json"), "w", encoding="utf-8") as f:
            json.dump(config, f)
        heard = len(self.of("presence"))
        self.gateway = Proc([self.tool("gateway", "fota-gateway"), "--config", self.path("gateway.json"), "--die-with-parent"],
                            "gateway", log=self.path("gateway.log"), env=direct()).start()
        wait_until(lambda: any(p["online"] for p in self.of("presence")[heard:]), 15, "the gateway")
        wait_until(lambda: self.last().get("confirmed"), 20, "the gateway to hear of the device")
        return self

    def stop_gateway(self):
        status = self.gateway.stop()
        self.gateway = None
        assert status == 0, f"the gateway ended with {status}; its log:\n{read(self.path('gateway.log')).decode()}"

    def close(self, show_logs):
        for part in (self.gateway, self.hub, self.board):
            if part is not None:
                part.stop()
        if self.subscriber is not None:
            self.subscriber.close()
        for part in (self.web,):
            if part is not None:
                part.close()
        if self.broker is not None:
            self.broker.__exit__(None, None, None)
        for name in ("gateway.log", "hub.log", "board.log"):
            if show_logs and os.path.exists(self.path(name)):
                print(f"---- {name}", read(self.path(name))[-20000:].decode("utf-8", "replace"), "----", sep="\n", flush=True)
        shutil.rmtree(self.dir)

    # --- the device
    def control(self, command):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(self.control_path)
            s.sendall(command.encode() + b"\n")
            answer = json.loads(s.makefile().readline())
        assert answer["ok"], (command, answer)
        return answer

    def status(self):
        """What the device says of itself, asked over its serial line; not while the gateway has the port."""
        done = self.fota("status", "--port", self.tty, "--json")
        assert done.returncode == 0, (done.stdout, done.stderr)
        return json.loads(done.stdout)

    def flash_work(self):
        """Erase and program operations of each sector since the board began."""
        counters = self.control("status")["counters"]
        assert counters["violations"] == 0, counters["rules"]
        return counters["flash_erases"], counters["flash_programs"]

    def flash_state(self):
        """What must not change: erasures of all sectors, programming of bootloader and slots, and every byte of the flash. (The
        bootloader programs the journal's last record once more at each reset, with the same content.)"""
        erases, programs = self.flash_work()
        self.control(f"dump 0x08000000 {1 << 20} {self.path('flash')}")
        return erases, programs[:JOURNAL], hashlib.sha256(read(self.path("flash"))).hexdigest()

    # --- the hub
    def request(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.hub_port, timeout=20)
        try:
            connection.request(method, "/api/v1" + path, body=body, headers={"Authorization": "Bearer " + self.tokens["operator"]})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def upload(self, data):
        return self.request("POST", "/releases", data)

    # --- MQTT
    def take(self):
        head = f"fota/v1/{GATEWAY}/"
        self.messages += [(t.removeprefix(head), json.loads(p)) for t, p in self.subscriber.take()
                          if not t.endswith("/cmd") and "/chunk/" not in t]
        return self.messages

    def of(self, topic):
        return [p for t, p in self.take() if t == topic]

    def last(self):
        """The device's newest state."""
        return (self.of(f"{DEVICE}/state") or [{}])[-1]

    def command(self, **members):
        self.broker.publish(f"fota/v1/{GATEWAY}/cmd", json.dumps({"v": 1, **members}))

    def serve(self, name, data):
        self.web.files[name] = data
        return hashlib.sha256(data).hexdigest()

    def update(self, name, job=None, **members):
        """Order what serve() was given under this name; the job's id."""
        self.jobs += 1
        job = job or f"job-{self.jobs}"
        members = {"device": DEVICE, "url": self.web.url(name), "sha256": hashlib.sha256(self.web.files[name]).hexdigest(),
                   **members}
        self.command(cmd="update", job=job, **members)
        return job

    def reply(self, job, number=1):
        return wait_until(lambda: [r for r in self.of("reply") if r["job"] == job][number - 1:], 10, f"a reply to {job}")[0]

    def wait_state(self, job, states, timeout=60):
        return wait_until(lambda: next((p for p in self.of(f"{DEVICE}/state") if p["job"] == job and p["state"] in states), None),
                          timeout, f"{job} to be {states}; the device is {self.last()}")

    def wait_end(self, job, timeout=60):
        return self.wait_state(job, ENDS, timeout)

    def states(self, job):
        found = []
        for p in self.of(f"{DEVICE}/state"):
            if p["job"] == job and found[-1:] != [p["state"]]:
                found.append(p["state"])
        return found
