#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Gateway, hub and broker killed and started again at random moments of updates, and what the gateway downloads cut, damaged, delayed and refused, with
the real programs and a virtual board. Every update ends confirmed, rolled back or failed with a reason; then hub and device agree, and with everything
left alone the next update goes through. A failure prints the seed that makes the same faults again (processes are not bound to the same moments)."""
import argparse
import contextlib
import os
import random
import re
import socket
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
for folder in ("demo", "scripts", "tests/lib"):
    sys.path.insert(0, os.path.join(ROOT, folder))
import demo  # noqa: E402
import figures  # noqa: E402
import fleet  # noqa: E402
from bench_setup import Bench, Proc, wait_until  # noqa: E402
from pool import commit_seed  # noqa: E402
from fotatest import Broker, free_port  # noqa: E402

ENDS = ("confirmed", "rolled-back", "failed")
LIMIT_S = 150  # for an update, with everything that is done to it


class Proxy:
    """Between gateway and hub: answers are cut, damaged, delayed, or do not come."""

    def __init__(self, port, dice):
        self.target, self.dice, self.bad, self.faults = port, random.Random(dice.random()), True, 0
        self.reach = 60000  # bytes of an answer in which something may go wrong
        self.deaf = dice.random() < 0.25  # nothing gets through while it is bad: the gateway must take the chunks over MQTT
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client, self.dice.random(), self.dice.random()), daemon=True).start()

    def serve(self, client, what, where):
        with client:
            if self.bad and (what < 0.1 or self.deaf):
                self.faults += 1
                return  # nobody there
            try:
                with socket.create_connection(("127.0.0.1", self.target), timeout=5) as hub:
                    threading.Thread(target=self.copy, args=(client, hub), daemon=True).start()
                    self.answer(hub, client, what, int(where * self.reach))
            except OSError:
                return

    @staticmethod
    def copy(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)

    @staticmethod
    def lie(head, how):
        """Another status, length, ETag or range than the hub said."""
        swap = (rb"^HTTP/1.1 20[06] [^\r]*", (b"HTTP/1.1 404 Not Found", b"HTTP/1.1 500 Internal Server Error", b"HTTP/1.1 416 Range Not Satisfiable",
                                              b"HTTP/1.1 200 OK", b"HTTP/1.1 302 Found\r\nLocation: /nowhere")[int(how * 1000) % 5])
        if how > 0.5:
            swap = ((rb"(?i)etag: [^\r]*", b'ETag: "another"'), (rb"(?i)content-range: [^\r]*", b"Content-Range: bytes 4-99/100"),
                    (rb"(?i)content-length: \d+", b"Content-Length: 7"), (rb"(?i)content-length: \d+", b"Content-Length: 4294967296"))[int(how * 1000) % 4]
        return re.sub(swap[0], swap[1], head, count=1)

    def answer(self, hub, client, what, where):
        sent = 0
        while data := hub.recv(4096):
            if self.bad and sent == 0 and what >= 0.6 and where % 3 == 0:
                self.faults += 1
                data = self.lie(data, where / 1000 % 1)
            if self.bad and sent <= where < sent + len(data) and what < 0.6:
                self.faults += 1
                if what < 0.25:  # cut
                    client.sendall(data[:where - sent])
                    return
                if what < 0.4 and where > 400:  # a wrong bit behind the head
                    data = data[:where - sent] + bytes([data[where - sent] ^ 4]) + data[where - sent + 1:]
                else:
                    time.sleep(0.2 + what * 3)
            client.sendall(data)
            sent += len(data)

    def close(self):
        self.listener.close()


class World:
    def __init__(self, bench, run, dice, stack):
        self.dice = dice
        self.broker = stack.enter_context(Broker())
        self.hub_port = free_port()
        self.proxy = Proxy(self.hub_port, dice)
        stack.callback(self.proxy.close)
        url = f"http://127.0.0.1:{self.proxy.port}"
        data = os.path.join(run, "hub")
        tokens = demo.add_tokens(bench, run, data, ["gw1"])
        self.hub = self.program([os.path.join(bench.build, "hub", "fota-hub"), "--data", data, "--listen", f"127.0.0.1:{self.hub_port}", "--public-url", url,
                                 "--mqtt", self.broker.address(), "--key", bench.public, "--die-with-parent"], "hub", run)
        board, tty, control = bench.board("hostile", os.path.join(run, "board.log"), f"--seed={dice.randrange(1, 1000)}")
        stack.callback(board.stop)
        self.gateway = self.program([os.path.join(bench.build, "gateway", "fota-gateway"), "--id", "gw1", "--broker", self.broker.address(), "--hub-url", url,
                                     "--hub-token-file", tokens["gw1"], "--key", bench.public, "--cache", os.path.join(run, "gateway"),
                                     "--device", f"name=board1,port={tty},pins=board:{control}", "--die-with-parent"], "gateway", run)
        stack.callback(self.stop)
        self.api = fleet.Api(f"http://127.0.0.1:{self.hub_port}", tokens["console"])
        self.kills = 0

    @staticmethod
    def program(argv, name, run):
        return Proc(argv, name, log=os.path.join(run, name + ".log")).start()

    def stop(self):
        self.gateway.stop()
        self.hub.stop()

    def kill_one(self):
        """One of them dies without a word, and is back a moment later."""
        self.kills += 1
        pause = self.dice.choice((0.05, 0.3, 1.5))
        what = self.dice.choice((self.gateway, self.hub, self.broker))
        if what is self.broker:
            self.broker.stop()
            time.sleep(pause)
            self.broker.start()
        else:
            what.kill()
            time.sleep(pause)
            what.start()

    def ask(self, path):
        """The hub may be down for a moment."""
        for _ in range(100):
            try:
                return self.api.call(path)
            except (OSError, ValueError):
                time.sleep(0.1)
        raise TimeoutError("the hub does not answer")

    def device(self):
        return self.ask("/devices/gw1/board1")

    def update(self, release, hostile):
        wait_until(lambda: self.device()["online"], 40, "the gateway to be online", 0.2)
        job = self.api.call("/updates", {"gateway": "gw1", "device": "board1", "release": release, "retry": True})["job"]
        end = time.monotonic() + LIMIT_S
        # one while the update is certainly under way, and others
        moments = sorted([self.dice.uniform(0, 2)] + [self.dice.uniform(0, 9) for _ in range(self.dice.randrange(0, 4))]) if hostile else []
        begun = time.monotonic()
        while time.monotonic() < end:
            if moments and time.monotonic() - begun >= moments[0]:
                moments.pop(0)
                self.kill_one()
            u = self.ask("/updates/" + job)
            if u["ended"] and u["state"] in ENDS:
                return u
            time.sleep(0.1)
        raise TimeoutError(f"the update did not end within {LIMIT_S} s: {u}")


def one(bench, seed, packages):
    """(outcome, faults) of a run; raises when something is wrong"""
    dice = random.Random(seed)
    run = bench.path("run")
    lock = demo.own_folder(run)
    with contextlib.ExitStack() as stack:
        stack.callback(lock.close)
        w = World(bench, run, dice, stack)
        wait_until(lambda: any(d["version"] == "1.0.0" for d in w.ask("/devices")["devices"]), 40, "the device to be heard", 0.2)
        w.proxy.bad = False
        w.proxy.reach = len(packages[0])
        releases = [w.api.call("/releases", binary=p)["sha256"] for p in packages]
        w.proxy.bad = True
        u = w.update(releases[0], True)
        if u["state"] != "confirmed" and not u["reason"]:
            raise AssertionError(f"no reason: {u}")
        w.proxy.bad = False
        if u["state"] == "confirmed":
            wait_until(lambda: w.device()["version"] == "1.1.0" and w.device()["confirmed"], 40, "the device to say 1.1.0", 0.2)
        wait_until(lambda: w.device()["state"] in ("idle", *ENDS), 100, "the device to come to rest", 0.2)
        last = w.update(releases[1], False)
        if last["state"] != "confirmed" or w.device()["version"] != "2.0.0":
            raise AssertionError(f"the next update, with everything left alone, ended as {last}")
        return u["state"], w.proxy.faults, w.kills


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--first", type=int, help="seed of the first run (default: by the commit)")
    a = parser.parse_args()
    first = commit_seed() * 100 if a.first is None else a.first
    bench = Bench(a.build, os.path.join(a.build, "hostile"))
    packages = []
    for version in ("1.1.0", "2.0.0"):
        with open(bench.package(version), "rb") as f:
            packages.append(f.read())
    seen, wrong, faults, kills, began = {}, 0, 0, 0, time.monotonic()
    for seed in range(first, first + a.runs):
        try:
            state, f, k = one(bench, seed, packages)
            seen[state] = seen.get(state, 0) + 1
            faults += f
            kills += k
            print(f"  run {seed}: {state}, {k} kills, {f} bad answers; {time.monotonic() - began:.0f} s", flush=True)
        except (AssertionError, TimeoutError, OSError, SystemExit) as e:
            wrong += 1
            print(f"FAILED: {e}\n  replay: tests/hostile/processes.py --build {a.build} --first {seed} --runs 1   (logs: {bench.path('run')})", flush=True)
    enough = a.runs if a.runs >= 20 else 0  # one in ten fails, so a few may all do
    rows = [figures.row("process_runs", a.runs, ""), figures.row("process_confirmed", seen.get("confirmed", 0), "", least=enough // 2),
            figures.row("process_rolled_back", seen.get("rolled-back", 0), ""), figures.row("process_failed_with_reason", seen.get("failed", 0), ""),
            figures.row("process_next_update_confirmed", sum(seen.values()), "", least=a.runs), figures.row("process_wrong", wrong, "", 0),
            figures.row("process_kills", kills, "", least=a.runs // 2), figures.row("process_bad_answers", faults, "", least=enough // 2)]
    return figures.publish(a.build, "hostile_processes", rows)


if __name__ == "__main__":
    sys.exit(main())
