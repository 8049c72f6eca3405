#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""fota-broker-setup with a real Mosquitto: nobody without a password, no gateway in another one's topics, TLS for hub and gateway."""
import json
import os
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "lib"))
from fotatest import Proc, free_port, port_open, wait_until  # noqa: E402

HUB, GATEWAY, MKPACKAGE = (os.environ[n] for n in ("FOTA_HUB", "FOTA_GATEWAY", "FOTA_HUB_MKPACKAGE"))
SETUP = os.path.join(os.environ["FOTA_PACKAGING"], "fota-broker-setup")
os.environ["PATH"] += ":/usr/sbin"


class Case(unittest.TestCase):
    def setUp(self):
        temp = tempfile.TemporaryDirectory(prefix="fota-acl-")
        self.addCleanup(temp.cleanup)
        self.dir = temp.name
        self.port = free_port()

    def path(self, *name):
        return os.path.join(self.dir, *name)

    def setup(self, *arguments, status=0):
        done = subprocess.run([SETUP, "--dir", self.path("mosquitto"), "--secrets", self.path("fota"), "--port", str(self.port),
                               *arguments], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def broker(self):
        conf = self.path("mosquitto", "conf.d", "fota.conf")
        with open(self.path("main.conf"), "w", encoding="utf-8") as f: # as Debian's mosquitto.conf; root stays root in the test
            f.write(f"persistence false\nlog_dest stderr\nuser root\ninclude_dir {os.path.dirname(conf)}\n")
        proc = self.enterContext(Proc(["mosquitto", "-c", self.path("main.conf")], "mosquitto"))
        wait_until(lambda: port_open(self.port) or not proc.alive(), 10, "mosquitto")
        self.assertTrue(proc.alive(), proc.output())
        return proc

    def password(self, name):
        with open(self.path("fota", name + ".mqtt-password"), encoding="ascii") as f:
            return f.read().strip()

    def client(self, program, user, *arguments, password=None):
        login = ["-u", user, "-P", password or self.password({"fota-hub": "hub", "fota-console": "console"}.get(user, user))] if user \
            else []
        return [program, "-h", "127.0.0.1", "-p", str(self.port), *login, *arguments]

    def publish(self, user, topic, text="x", **options):
        """mosquitto_pub's exit status: 0 also when the ACL drops the message, so listen for it."""
        return subprocess.run(self.client("mosquitto_pub", user, "-q", "1", "-t", topic, "-m", text, **options),
                              capture_output=True, text=True, timeout=20)

    def listener(self, user, topic):
        proc = self.enterContext(Proc(["stdbuf", "-oL", *self.client("mosquitto_sub", user, "-q", "1", "-F", "got %t %p", "-d", "-t", topic)]))
        proc.wait_output("Subscribed ")
        return proc


class Acl(Case):
    def setUp(self):
        super().setUp()
        self.setup("init")
        self.setup("add", "gw1")
        self.setup("add", "gw2")
        self.broker()

    def test_nobody_without_a_password(self):
        for user, options in ((None, {}), ("gw1", {"password": "wrong"}), ("gw3", {"password": "x"}), ("gw1", {"password": "gw1"}),
                              ("fota-hub", {"password": self.password("gw1")})):
            done = self.publish(user, "fota/v1/gw1/presence", **options)
            self.assertNotEqual(done.returncode, 0, user)
            self.assertIn("not authorised", (done.stdout + done.stderr).lower())

    def test_each_in_its_own_topics(self):
        hub, console = self.listener("fota-hub", "fota/v1/#"), self.listener("fota-console", "fota/v1/#")
        ears = {user: [self.listener(user, topic) for topic in ("#", "fota/v1/#", "fota/v1/+/cmd", f"fota/v1/{other}/cmd")]
                for user, other in (("gw1", "gw2"), ("gw2", "gw1"))}
        allowed = [("gw1", "fota/v1/gw1/presence"), ("gw1", "fota/v1/gw1/board1/state"), ("gw2", "fota/v1/gw2/reply"),
                   ("fota-hub", "fota/v1/gw1/cmd"), ("fota-hub", "fota/v1/gw2/cmd")]
        denied = [("gw1", "fota/v1/gw2/cmd"), ("gw1", "fota/v1/gw2/presence"), ("gw1", "fota/v1/gw2/board1/state"),
                  ("gw2", "fota/v1/gw1/board1/state"), ("gw1", "fota/v1/gw12/presence"), ("gw1", "fota/v1/fota-hub/x"),
                  ("gw1", "other"), ("fota-console", "fota/v1/gw1/cmd"), ("fota-console", "fota/v1/gw1/presence")]
        for i, (user, topic) in enumerate(denied):
            self.publish(user, topic, f"denied{i}")
        for i, (user, topic) in enumerate(allowed):
            self.assertEqual(self.publish(user, topic, f"allowed{i}").returncode, 0)
        for i, (_, topic) in enumerate(allowed):
            hub.wait_output(f"{topic} allowed{i}")
            console.wait_output(f"{topic} allowed{i}")
        for user in ears:
            self.publish("fota-hub", f"fota/v1/{user}/cmd", "last")
            for ear in ears[user][:3]:
                ear.wait_output(f"fota/v1/{user}/cmd last")
        for proc in (hub, console, *ears["gw1"], *ears["gw2"]):
            self.assertNotIn("denied", proc.output())
        for user, other in (("gw1", "gw2"), ("gw2", "gw1")):
            for ear in ears[user]:
                self.assertNotIn(f"got fota/v1/{other}/", ear.output(), user)

    def test_setup_again(self):
        before = self.password("hub")
        self.setup("init")
        self.assertEqual(self.password("hub"), before)
        self.assertIn("already", self.setup("add", "gw1", status=1))
        for bad in ("a/b", "fota-hub", "a b", "", "x" * 33, "+", "#"):
            self.setup("add", bad, status=64)
        self.assertEqual(set(self.setup("list").split()), {"fota-hub", "fota-console", "gw1", "gw2"})
        old = self.password("gw1")
        self.setup("remove", "gw1")
        self.assertFalse(os.path.exists(self.path("fota", "gw1.mqtt-password")))
        self.setup("remove", "gw1", status=1)
        self.setup("add", "gw1")
        self.assertNotEqual(self.password("gw1"), old)
        with open(self.path("mosquitto", "fota.passwd"), encoding="ascii") as f:
            text = f.read()
        for name in ("hub", "console", "gw1", "gw2"):
            self.assertEqual(len(self.password(name)), 64)
            self.assertNotIn(self.password(name), text)
            self.assertEqual(os.stat(self.path("fota", name + ".mqtt-password")).st_mode & 0o007, 0)

    def test_hub_and_gateway(self):
        """The programs themselves behind this ACL: the hub hears the gateway."""
        hub, gateway = programs(self)
        hub.wait_output("mqtt: connected", 20)
        gateway.wait_output("connected", 20)
        done = self.enterContext(Proc(self.client("mosquitto_sub", "fota-hub", "-t", "fota/v1/gw1/presence", "-C", "1", "-W", "20")))
        done.wait(25)
        self.assertTrue(json.loads(done.output())["online"])


def programs(case, *tls, host="127.0.0.1", user="gw1"):
    """fota-hub and fota-gateway on the case's broker."""
    subprocess.run([MKPACKAGE, "key", case.path("release")], check=True)
    key = case.path("release.pub.pem")
    hub = Proc([HUB, "--data", case.path("hub"), "--listen", "127.0.0.1:0", "--mqtt", f"{host}:{case.port}", "--mqtt-user", "fota-hub",
                "--mqtt-password-file", case.path("fota", "hub.mqtt-password"), "--key", key, "--die-with-parent",
                *[o.replace("--", "--mqtt-") for o in tls]])
    gateway = Proc([GATEWAY, "--id", user, "--broker", f"{host}:{case.port}", "--broker-user", user, "--broker-password-file",
                    case.path("fota", user + ".mqtt-password"), "--key", key, "--cache", case.path("cache"), "--log-level", "debug",
                    "--device", "name=board1,port=" + case.path("tty"), "--die-with-parent",
                    *[o.replace("--", "--broker-") for o in tls]])
    return case.enterContext(hub), case.enterContext(gateway)


class Tls(Case):
    def setUp(self):
        super().setUp()
        self.setup("--tls", "localhost", "init")
        self.setup("add", "gw1")
        self.broker()
        self.ca = self.path("fota", "fota-ca.crt")

    def online(self, host):
        sub = self.enterContext(Proc([*self.client("mosquitto_sub", "fota-hub", "-t", "fota/v1/gw1/presence", "-C", "1", "-W", "20"),
                                      "--cafile", self.ca, "--insecure"]))
        sub.wait(25)
        return json.loads(sub.output())["online"]

    def test_trusted(self):
        hub, gateway = programs(self, "--ca", self.ca, host="localhost")
        hub.wait_output("mqtt: connected", 20)
        self.assertTrue(self.online("localhost"))
        self.assertTrue(gateway.alive())

    def test_directory_of_certificates(self):
        os.mkdir(self.path("certs"))
        hash_ = subprocess.run(["openssl", "x509", "-noout", "-hash", "-in", self.ca], capture_output=True, text=True, check=True)
        os.symlink(self.ca, self.path("certs", hash_.stdout.strip() + ".0"))
        hub, _ = programs(self, "--ca", self.path("certs"), host="localhost")
        hub.wait_output("mqtt: connected", 20)
        self.assertTrue(self.online("localhost"))

    def never(self, *tls, host):
        hub, gateway = programs(self, *tls, host=host)
        wait_until(lambda: "fota-gateway" in gateway.output(), 10, "the gateway")
        time.sleep(4)
        self.assertNotIn("mqtt: connected", hub.output())
        self.assertTrue(hub.alive() and gateway.alive())
        sub = subprocess.run([*self.client("mosquitto_sub", "fota-hub", "-t", "fota/v1/gw1/presence", "-C", "1", "-W", "2"),
                              "--cafile", self.ca, "--insecure"], capture_output=True, text=True)
        self.assertEqual(sub.stdout, "")

    def test_another_name(self):
        """The certificate is for localhost, not for this address."""
        self.never("--ca", self.ca, host="127.0.0.1")

    def test_another_authority(self):
        other = self.path("other")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=x",
                        "-keyout", other + ".key", "-out", other + ".crt"], check=True, capture_output=True)
        self.never("--ca", other + ".crt", host="localhost")


class ClientCertificates(Case):
    """A listener that wants certificates: the CN is the user of the ACL."""

    def test_certificate(self):
        self.setup("--tls", "localhost", "init")
        ca, certs = self.path("fota", "fota-ca.crt"), self.path("mosquitto", "certs", "fota")
        with open(self.path("mosquitto", "conf.d", "fota.conf"), "a", encoding="ascii") as f:
            f.write(f"cafile {certs}/ca.crt\nrequire_certificate true\nuse_identity_as_username true\n")
        pair = {}
        for name in ("gw1", "fota-hub"):
            pair[name] = [self.path(name + ".crt"), self.path(name + ".key")]
            subprocess.run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}",
                            "-keyout", pair[name][1], "-out", self.path("csr")], check=True, capture_output=True)
            subprocess.run(["openssl", "x509", "-req", "-in", self.path("csr"), "-CA", certs + "/ca.crt", "-CAkey", certs + "/ca.key",
                            "-CAcreateserial", "-days", "2", "-out", pair[name][0]], check=True, capture_output=True)
        self.broker()
        subprocess.run([MKPACKAGE, "key", self.path("release")], check=True)
        key = self.path("release.pub.pem")
        self.enterContext(Proc([GATEWAY, "--id", "gw1", "--broker", f"localhost:{self.port}", "--broker-ca", ca, "--broker-cert", pair["gw1"][0],
                                "--broker-key", pair["gw1"][1], "--key", key, "--cache", self.path("cache"), "--device",
                                "name=board1,port=/x", "--die-with-parent"]))
        hub = self.enterContext(Proc([HUB, "--data", self.path("hub"), "--listen", "127.0.0.1:0", "--mqtt", f"localhost:{self.port}",
                                      "--mqtt-ca", ca, "--mqtt-cert", pair["fota-hub"][0], "--mqtt-key", pair["fota-hub"][1], "--key", key,
                                      "--die-with-parent"]))
        hub.wait_output("mqtt: connected", 20)
        sub = self.enterContext(Proc(["mosquitto_sub", "-h", "localhost", "-p", str(self.port), "--cafile", ca, "--cert", pair["fota-hub"][0],
                                      "--key", pair["fota-hub"][1], "-t", "fota/v1/gw1/presence", "-C", "1", "-W", "20"]))
        sub.wait(25)
        self.assertTrue(json.loads(sub.output())["online"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
