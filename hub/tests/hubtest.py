"""What the end-to-end tests of the hub share: a hub with its tokens and packages, a gateway made of mosquitto_pub."""

import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "lib"))
from fotatest import Broker, Proc, free_port, wait_until  # noqa: E402,F401

HUB = os.environ["FOTA_HUB"]
MKPACKAGE = os.environ["FOTA_HUB_MKPACKAGE"]
ROLES = ("admin", "operator", "viewer", "gateway")
SIGNATURE_AT = 512 - 64


def mkpackage(*args):
    subprocess.run([MKPACKAGE, *map(str, args)], check=True, timeout=30)


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    def json(self):
        return json.loads(self.body)

    def error(self):
        """(status, code, field) of an error, after a check of its form."""
        error = self.json()["error"]
        assert set(error) == {"code", "field", "message"}, error
        assert error["message"], error
        return self.status, error["code"], error["field"]

    def message(self):
        return self.json()["error"]["message"]


class Hub:
    """A fota-hub with a directory of its own; a context manager. restart() keeps the directory and the port."""

    def __init__(self, mqtt, *args, dev=False):
        self.dir = tempfile.mkdtemp(prefix="fota-hub-")
        self.data = os.path.join(self.dir, "data")
        self.mqtt = mqtt
        self.args = args
        self.port = 0
        self.proc = None
        mkpackage("key", self.path("release"))
        mkpackage("key", self.path("dev"))
        self.keys = ["--dev-key", self.path("dev.pem")] if dev else []
        self.keys += ["--key", self.path("release.pub.pem")]
        self.token = {role: self.add_token(role, role) for role in ROLES}

    def path(self, name):
        return os.path.join(self.dir, name)

    def cli(self, *args):
        return subprocess.run([HUB, *args], capture_output=True, text=True, timeout=30)

    def add_token(self, role, name):
        done = self.cli("token", "add", "--data", self.data, "--role", role, "--name", name)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def start(self):
        port_file = self.path("port")
        if os.path.exists(port_file):
            os.unlink(port_file)
        self.proc = Proc([HUB, "--data", self.data, "--listen", f"127.0.0.1:{self.port}", "--port-file", port_file,
                          "--mqtt", self.mqtt, "--log-level", "debug", "--die-with-parent", *self.keys, *self.args],
                         log=self.path("log"))
        self.proc.start()

        def up():
            assert self.proc.alive(), self.proc.output()
            return os.path.exists(port_file)
        wait_until(up, 15, "the hub to listen")
        with open(port_file, encoding="ascii") as f:
            self.port = int(f.read())
        return self

    def restart(self):
        status = self.proc.stop()
        assert status == 0, f"exit status {status}\n{self.proc.output()}"
        return self.start()

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, value, trace):
        status = self.proc.stop()
        output = self.proc.output()
        if kind is not None:
            print(f"---- output of the hub ----\n{output}----", flush=True)
        shutil.rmtree(self.dir)
        if kind is None:
            assert status == 0, f"exit status {status}\n{output}"
            assert "Sanitizer" not in output and "runtime error" not in output, output
            for token in self.token.values():
                assert token not in output, "a token is in the log"
        return False

    def request(self, method, path, body=None, role="admin", headers=None, token=None):
        headers = dict(headers or {})
        token = token or (self.token[role] if role else None)
        if token:
            headers["Authorization"] = "Bearer " + token
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, "/api/v1" + path, body=body, headers=headers)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, path, **kw):
        answer = self.request("GET", path, **kw)
        assert answer.status == 200, (path, answer.status, answer.body)
        return answer.json()

    def upload(self, data, query="", **kw):
        return self.request("POST", "/releases" + query, body=data, **kw)

    def package(self, version="1.1.0", size=20000, key="release"):
        """The bytes of a signed package."""
        name = self.path(f"{key}-{version}-{size}.fota")
        if not os.path.exists(name):
            mkpackage("package", self.path(key + ".pem"), version, size, name)
        with open(name, "rb") as f:
            return f.read()

    def firmware_bin(self, version="1.5.0", size=20000):
        name = self.path(f"{version}.bin")
        mkpackage("bin", version, size, name)
        with open(name, "rb") as f:
            return f.read()


class Gateway:
    """Says what a gateway says; what the hub says to it is in `cmd`."""

    def __init__(self, broker, name="gw1", device="board1"):
        self.broker, self.name, self.device = broker, name, device
        self.seq = int(time.time() * 1000)
        self.cmd = broker.subscribe(f"fota/v1/{name}/cmd")

    def say(self, topic, retain=False, **members):
        self.seq += 1
        self.broker.publish(f"fota/v1/{self.name}/{topic}", json.dumps({"v": 1, "seq": self.seq, **members}), retain)

    def presence(self, online=True, **members):
        self.say("presence", retain=True, online=online, version="0.1.0", devices=[self.device], **members)

    def state(self, state, **members):
        self.say(self.device + "/state", retain=True, device=self.device, state=state, **members)

    def reply(self, cmd, job, ok=True, **members):
        self.say("reply", cmd=cmd, job=job, device=self.device, ok=ok, **members)

    def progress(self, **members):
        self.say(self.device + "/progress", **members)

    def next_command(self, timeout=15):
        messages = []

        def come():
            messages.extend(self.cmd.take())
            return messages
        wait_until(come, timeout, "a command")
        assert len(messages) == 1, messages
        return json.loads(messages[0][1])

    def close(self):
        self.cmd.close()
