#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make demo-fleet: a hundred virtual boards behind three gateways, one broker, one hub, one console; all of them updated from 1.0.0 to 1.1.0.

Every board is a process that runs the real Arm binaries. A rollout starts so many updates at a time, for all of it shares this machine. Then it goes on running
until Ctrl-C, so that the page can be looked at; with --once it ends, with status 0 when every device has confirmed."""
import argparse
import collections
import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.request

import demo
from bench_setup import HERE, Bench, wait_until
from fotatest import Broker

REST_MS = 20  # a board that sleeps costs the host 1 % of a core then
ENDED = ("confirmed", "rolled-back", "failed")


class Api:
    """The hub's API (docs/http.md)."""

    def __init__(self, url, token_file):
        self.url = url
        with open(token_file, encoding="utf-8") as f:
            self.token = f.read().strip()

    def call(self, path, body=None, binary=None):
        data = binary if binary is not None else None if body is None else json.dumps(body).encode()
        kind = "application/octet-stream" if binary is not None else "application/json"
        request = urllib.request.Request(self.url + "/api/v1" + path, data=data,
                                         headers={"Authorization": "Bearer " + self.token, "Content-Type": kind})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)


def start_boards(bench, stack, run, count, gateways):
    """{gateway: [what its --device options say]}; one process a board."""
    devices, boards = collections.defaultdict(list), []
    for i in range(count):
        name = f"board{i + 1:03}"
        board, tty, control = bench.board(name, os.path.join(run, name + ".log"), f"--rest={REST_MS}", f"--uid={i + 1:024x}",
                                          f"--seed={i + 1}", wait=False)
        stack.callback(board.stop)
        demo.PARTS.append(board)
        boards.append((board, tty))
        devices[gateways[i % len(gateways)]].append(f"name={name},port={tty},pins=board:{control}")
    for board, tty in boards:
        wait_until(lambda b=board, t=tty: os.path.exists(t) or not b.alive(), 60, f"{board.name}'s serial port")
        if not board.alive():
            sys.exit(f"{board.name}: {board.output().strip()}")
    return devices


def roll_out(api, release, count, at_once):
    """Update every device, `at_once` at a time. {final state: how many}"""
    begun, shown = time.monotonic(), ""
    waiting = [(d["gateway"], d["device"]) for d in api.call("/devices")["devices"]]
    running, ended = {}, collections.Counter()
    while waiting or running:
        for p in demo.PARTS:
            if not p.alive():
                sys.exit(f"{p.name} ended with status {p.proc.returncode}; its log: {p.log_path}")
        while waiting and len(running) < at_once:
            gateway, device = waiting.pop(0)
            u = api.call("/updates", {"gateway": gateway, "device": device, "release": release})
            running[u["job"]] = f"{gateway}/{device}"
        for u in api.call("/updates?limit=1000")["updates"]:
            if u["job"] in running and u["ended"]:
                name = running.pop(u["job"])
                ended[u["state"]] += 1
                if u["state"] != "confirmed":
                    print(f"  {name}: {u['state']} {u['reason']} {u['detail']}", flush=True)
        line = ", ".join(f"{n} {state}" for state, n in ended.items()) or "none has ended"
        if line != shown and (sum(ended.values()) % 10 == 0 or not (waiting or running)):
            shown = line
            print(f"  {time.monotonic() - begun:6.0f} s  {line}; {len(running)} under way, {len(waiting)} waiting", flush=True)
        time.sleep(0.3)
    return ended


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default="build")
    p.add_argument("--once", action="store_true", help="end when all updates have")
    p.add_argument("--devices", type=int, default=100, help="virtual boards, 1 to 192 (default 100)")
    p.add_argument("--at-once", type=int, default=12, help="updates under way at a time (default 12)")
    p.add_argument("--port", type=int, default=int(os.environ.get("FOTA_DEMO_PORT", "0")), help="the console's port")
    p.add_argument("--picture", help="save a picture of the page, and say how soon it shows a change")
    a = p.parse_args()
    if not 1 <= a.devices <= 192:
        p.error(f"--devices is {a.devices}, but must be 1 to 192 (64 a gateway)")
    signal.signal(signal.SIGTERM, demo.stop_on_sigterm)
    bench = Bench(a.build, os.path.join(a.build, "fleet"))
    package = bench.package("1.1.0")
    password = demo.once_in_a_clone(bench.path("password"), lambda: secrets.token_urlsafe(9))
    run = bench.path("run")
    lock = demo.own_folder(run)
    gateways, begun, status = ["gw1", "gw2", "gw3"], time.monotonic(), 0
    gateways = gateways[:min(3, a.devices)]
    with contextlib.ExitStack() as stack:
        try:
            broker = stack.enter_context(Broker())
            hub_url, tokens = demo.start_hub(bench, stack, run, broker, gateways)
            devices = start_boards(bench, stack, run, a.devices, gateways)
            print(f"  {a.devices} boards run after {time.monotonic() - begun:.0f} s", flush=True)
            for g in gateways:
                demo.start_gateway(bench, stack, run, broker, hub_url, tokens[g], devices[g], g)
            url = demo.start_console(bench, stack, run, hub_url, broker, tokens["console"], password, a.port)
            api = Api(hub_url, tokens["console"])

            def heard():
                return sum(1 for d in api.call("/devices")["devices"] if d["version"] == "1.0.0")
            wait_until(lambda: heard() == a.devices, 180, f"all devices to say their version", 0.5)
            print(f"  all devices have been heard after {time.monotonic() - begun:.0f} s\n\n"
                  f"  console   {url}\n  login     {demo.USER} / {password}\n  logs      {run}\n", flush=True)
            with open(package, "rb") as f:
                release = api.call("/releases?name=" + os.path.basename(package), binary=f.read())["sha256"]
            if a.picture:
                job = {"url": url, "user": demo.USER, "password": password, "devices": a.devices,
                       "picture": os.path.abspath(a.picture)}
                looker = stack.enter_context(demo.Proc(["node", os.path.join(HERE, "fleet.js"), json.dumps(job)], "browser"))
            started = time.monotonic()
            ended = roll_out(api, release, a.devices, a.at_once)
            print(f"  {ended['confirmed']} of {a.devices} devices confirmed 1.1.0 in {time.monotonic() - started:.0f} s", flush=True)
            if a.picture:
                looker.wait(60)
                print(looker.output().rstrip(), flush=True)
                status = looker.proc.returncode
            status = status if ended["confirmed"] == a.devices else 1
            if not a.once:
                print("\n  Ctrl-C ends it.", flush=True)
                demo.watch()
        except KeyboardInterrupt:
            print("\nending …", flush=True)
    lock.close()
    return status


if __name__ == "__main__":
    sys.exit(main())
