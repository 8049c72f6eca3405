#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What an administrator does with the installed packages, as docs/operate.md says, in a tree without systemd; see test-deb.sh.

usage: installed.py TREE     as root, in a network namespace of its own"""
import fcntl
import glob
import http.client
import json
import os
import re
import shlex
import socket
import stat
import struct
import subprocess
import sys
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "tests", "lib"))
from fotatest import Proc, port_open, wait_until  # noqa: E402

TREE = os.path.abspath(sys.argv[1])
PRODUCT = "5f0e1a52-7c34-4b11-9d20-610b3a774001"
PASSWORD = "correct horse battery"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def inside(*name):
    return os.path.join(TREE, *[n.lstrip("/") for n in name])


def step(text):
    print("  " + text, flush=True)


def chroot(*options):
    return ["env", "-i", "PATH=" + PATH, "HOME=/root", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive", "chroot", *options, TREE]


def run(command, status=0, **keywords):
    """A line of shell, as root in the tree."""
    done = subprocess.run([*chroot(), "sh", "-euc", command], capture_output=True, text=True, timeout=300, **keywords)
    assert done.returncode == status, f"{command}\nstatus {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


class Unit:
    """A service as its unit describes it: conditions, user, environment, ExecStartPre and ExecStart. Its sandbox needs systemd."""

    def __init__(self, name):
        with open(inside(f"/lib/systemd/system/{name}.service"), encoding="utf-8") as f:
            self.lines = re.findall(r"^([A-Za-z]+)=(.*)$", f.read(), re.M)
        self.name = name
        self.user = self.all("User")[0]
        self.groups = ",".join(self.all("SupplementaryGroups"))

    def all(self, key):
        return [value for k, value in self.lines if k == key]

    def condition(self):
        return all(glob.glob(inside(p)) for p in self.all("ConditionPathExists") + self.all("ConditionPathExistsGlob"))

    def environment(self):
        lines = [word for text in self.all("Environment") for word in shlex.split(text)]
        for name in self.all("EnvironmentFile"):
            with open(inside(name), encoding="utf-8") as f:
                lines += [line.strip() for line in f if line.strip() and not line.startswith("#")]
        return lines

    def command(self, line):
        options = ["--userspec=" + self.user + ":" + self.user] + (["--groups=" + self.groups] if self.groups else ["--groups="])
        command = chroot(*options)
        at = command.index("chroot")
        return command[:at] + self.environment() + command[at:] + shlex.split(line)

    def check(self):
        """@return (status, output) of ExecStartPre."""
        done = subprocess.run(self.command(self.all("ExecStartPre")[0]), capture_output=True, text=True, timeout=30)
        return done.returncode, done.stdout + done.stderr

    def start(self):
        assert self.condition(), self.name
        for line in self.all("ExecStartPre"):
            done = subprocess.run(self.command(line), capture_output=True, text=True, timeout=30)
            assert done.returncode == 0, done.stderr
        return Proc(self.command(self.all("ExecStart")[0]), self.name).start()


def loopback():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8914, struct.pack("16sH14x", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS: up, running


def request(method, path, token=None, body=None, headers=None, port=8080):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = dict(headers or {}, **({"Authorization": "Bearer " + token} if token else {}))
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer.status, data, answer.headers


def api(method, path, token, body=None):
    status, data, _ = request(method, "/api/v1" + path, token, body)
    assert status < 300, (method, path, status, data)
    return json.loads(data) if data else None


def as_installed(units):
    step("installed: programs, users, directories, units enabled, nothing runs unconfigured")
    for program in ("fota", "fota-board", "fota-gateway", "fota-hub", "fota-console", "fota-broker-setup", "fota-console-password"):
        assert re.search(r" \d+\.\d+\.\d+", run(program + " --version")), program
        assert "sage" in run(program + " --help"), program
        assert glob.glob(inside(f"/usr/share/man/man?/{program}.?.gz")) or "path-exclude" in run("cat /etc/dpkg/dpkg.cfg.d/* || true"), program
    for unit in units:
        assert os.path.islink(inside("/etc/systemd/system/multi-user.target.wants", unit.name + ".service")), unit.name
        assert not unit.condition(), unit.name
        st = os.stat(inside("/var/lib", unit.name))
        assert stat.S_IMODE(st.st_mode) == 0o700 and st.st_uid == int(run("id -u " + unit.user)), unit.name
    for unit in units[:2]:
        status, text = unit.check()
        assert status != 0 and "/etc/fota/" in text, text
    assert run("dpkg-query -W -f '${db:Status-Abbrev}' 'fota*'").replace(" ", "") == "ii" * 5
    for package in ("fota", "fota-board", "fota-gateway", "fota-hub", "fota-console"):
        assert os.path.getsize(inside("/usr/share/doc", package, "copyright")) > 500
        run(f"dpkg --verify {package}")


def keys_and_packages():
    step("keys, bootloader, packages")
    run(f"""cd /root
        fota keygen -o release
        cp release.pub.pem /etc/fota/
        fota bootloader /usr/share/fota/bootloader.bin --key release.pub.pem --product {PRODUCT} --hw 1 -o boot.bin
        for v in 1.0.0 1.1.0; do fota pack hello-$v.a.elf hello-$v.b.elf --key release.pem -o hello-$v.fota; done
        fota image hello-1.0.0.fota --slot A -o factory.bin""")


def broker():
    step("broker with passwords and ACL")
    run("fota-broker-setup init && fota-broker-setup add gw1")
    run("install -d -o mosquitto /run/mosquitto")
    process = Proc([*chroot(), "mosquitto", "-c", "/etc/mosquitto/mosquitto.conf"], "mosquitto").start()
    wait_until(lambda: port_open(1883) or not process.alive(), 15, "mosquitto")
    assert process.alive(), process.output()
    return process


def configure():
    step("tokens, gateway.json, the console's password")
    run("""umask 027
        fota-hub token add --data /var/lib/fota-hub --role gateway --name gw1 > /etc/fota/gw1.token
        fota-hub token add --data /var/lib/fota-hub --role operator --name console > /etc/fota/console.token
        fota-hub token add --data /var/lib/fota-hub --role admin --name root > /root/admin.token
        chgrp fota-gateway /etc/fota/gw1.token
        chgrp fota-console /etc/fota/console.token""")
    run(f"echo '{PASSWORD}' | fota-console-password")
    run("sed -i 's|\"port\": \"/dev/ttyUSB0\", \"baud\": 115200, \"pins\": \"none\"|"
        "\"port\": \"/run/board/tty\", \"pins\": \"board:/run/board/control\"|' /etc/fota/gateway.json")
    assert PASSWORD not in run("cat /etc/fota/*")
    for name in glob.glob(inside("/etc/fota/*.token")) + glob.glob(inside("/etc/fota/*password*")):
        assert stat.S_IMODE(os.stat(name).st_mode) & 0o007 == 0, name


def board():
    step("a virtual board with 1.0.0")
    run("install -d -o fota-gateway /run/board && cp /root/boot.bin /root/factory.bin /run/board/")
    process = Proc([*chroot("--userspec=fota-gateway:fota-gateway"), "fota-board", "--flash", "/run/board/flash", "--load",
                    "0x08000000:/run/board/boot.bin", "--load", "0x08004000:/run/board/factory.bin", "--uart", "3=pty:/run/board/tty",
                    "--control", "/run/board/control"], "board").start()
    wait_until(lambda: os.path.islink(inside("/run/board/tty")) or not process.alive(), 10, "the board's serial port")
    assert process.alive(), process.output()
    return process


def update():
    step("an update through hub and gateway")
    with open(inside("/root/admin.token"), encoding="ascii") as f:
        token = f.read().strip()
    with open(inside("/root/hello-1.1.0.fota"), "rb") as f:
        release = api("POST", "/releases", token, f.read())
    wait_until(lambda: [d for d in api("GET", "/devices", token)["devices"] if d["version"].startswith("1.0.0")], 60, "the device")
    job = api("POST", "/updates", token, json.dumps({"gateway": "gw1", "device": "board1", "release": release["sha256"]}))["job"]
    end = wait_until(lambda: (u := api("GET", "/updates/" + job, token))["ended"] and u, 240, "the update's end", 0.5)
    assert end["state"] == "confirmed", end
    device = api("GET", "/devices/gw1/board1", token)
    assert device["version"].startswith("1.1.0") and device["confirmed"], device
    return token, release["sha256"]


def page():
    step("the page: nobody without a login, then the dashboard")
    origin = {"Origin": "http://127.0.0.1:1880", "Host": "127.0.0.1:1880"}
    status, data, _ = request("GET", "/dashboard/fota", port=1880)
    assert status in (302, 303, 401), status
    form = dict(origin, **{"Content-Type": "application/x-www-form-urlencoded"})
    wrong = request("POST", "/login", None, urllib.parse.urlencode({"user": "admin", "password": "admin"}), form, 1880)
    assert wrong[0] == 401, wrong[0]
    right = request("POST", "/login", None, urllib.parse.urlencode({"user": "admin", "password": PASSWORD}), form, 1880)
    assert right[0] == 303, right[:2]
    cookie = right[2]["Set-Cookie"].split(";")[0]
    status, data, _ = request("GET", "/dashboard/fota", headers={"Cookie": cookie}, port=1880)
    assert status == 200 and b"<div id=\"app\"" in data, (status, data[:200])


def backup(hub, unit, token, sha256):
    step("backup while the hub runs, restore as root, the hub goes on")
    run("fota-hub backup --data /var/lib/fota-hub /root/fota.backup")
    assert hub.stop() == 0
    run("mkdir /root/old; mv /var/lib/fota-hub/* /root/old/; fota-hub restore --data /var/lib/fota-hub /root/fota.backup")
    hub = unit.start()
    wait_until(lambda: port_open(8080), 15, "the hub")
    assert api("GET", "/releases/" + sha256, token)["version"].startswith("1.1.0")
    assert request("GET", f"/api/v1/packages/{sha256}.fota", token)[0] == 200
    return hub


def reinstall_and_purge():
    step("upgrade keeps configuration and data; purge takes the data away")
    before = run("cat /etc/fota/gateway.json; ls /var/lib/fota-hub")
    run("dpkg -i /root/deb/*.deb")
    assert run("cat /etc/fota/gateway.json; ls /var/lib/fota-hub") == before
    run("dpkg --purge fota-hub fota-gateway fota-console fota-board fota")
    for name in ("/var/lib/fota-hub", "/lib/systemd/system/fota-hub.service", "/etc/fota/hub.json", "/usr/lib/fota",
                 "/etc/systemd/system/multi-user.target.wants/fota-hub.service"):
        assert not os.path.lexists(inside(name)), name
    assert os.path.exists(inside("/etc/fota/release.pub.pem"))


def main():
    loopback()
    processes = []
    units = [Unit("fota-" + n) for n in ("hub", "gateway", "console")]
    try:
        as_installed(units)
        keys_and_packages()
        processes.append(broker())
        configure()
        processes.append(board())
        hub = units[0].start()
        processes.append(hub)
        wait_until(lambda: port_open(8080) or not hub.alive(), 15, "the hub")
        processes += [units[1].start(), units[2].start()]
        token, sha256 = update()
        wait_until(lambda: "console ready" in processes[-1].output() or not processes[-1].alive(), 90, "the console")
        page()
        processes[processes.index(hub)] = backup(hub, units[0], token, sha256)
        secrets = [open(n, encoding="ascii").read().strip() for n in glob.glob(inside("/etc/fota/*.token")) +
                   glob.glob(inside("/etc/fota/*mqtt-password"))]
        for p in processes:
            assert p.alive(), (p.name, p.output())
            assert not [s for s in secrets + [PASSWORD] if s in p.output()], p.name
    except BaseException:
        for p in processes:
            print(f"---- {p.name} ----\n{p.output()[-3000:]}", flush=True)
        raise
    finally:
        for p in reversed(processes):
            p.stop()
    reinstall_and_purge()
    print("test-deb passed", flush=True)


if __name__ == "__main__":
    main()
