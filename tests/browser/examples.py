#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each example application on a board of its own, updated from the console's page through hub, broker and gateway; and one that ends in a fault, whose
place the page, the hub and the gateway tell.

usage: examples.py --build DIR"""
import argparse
import contextlib
import json
import os
import sys
import urllib.request

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "demo"))
import demo  # noqa: E402
from bench_setup import Bench  # noqa: E402
from fotatest import Broker  # noqa: E402

EXAMPLES = ("hello", "bare", "busy", "tasks", "hal")
FAULT = "1.4.0"  # of hello: writes to nowhere before it confirms


def told(hub_url, token, device):
    """The device as the hub's API tells it."""
    with open(token, encoding="utf-8") as f:
        request = urllib.request.Request(f"{hub_url}/api/v1/devices", headers={"Authorization": f"Bearer {f.read().strip()}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return next(d for d in json.load(answer)["devices"] if d["device"] == device)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--build", default="build")
    build = os.path.abspath(p.parse_args().build)
    folder = os.path.join(build, "examples-once")
    lock = demo.own_folder(folder)
    status = 1
    with contextlib.ExitStack() as stack:
        broker = stack.enter_context(Broker())
        devices, steps, bench = [], [], None
        for name in EXAMPLES:
            bench = Bench(build, folder, name)
            board, tty, control = bench.board(name, os.path.join(folder, name + ".log"))
            stack.callback(board.stop)
            devices.append(f"name={name},port={tty},baud=115200,pins=board:{control}")
            steps.append({"device": f"{demo.GATEWAY}/{name}", "file": bench.package("1.1.0"), "wanted": "confirmed", "version": "1.1.0"})
        bench = Bench(build, folder, "hello")
        steps.append({"device": f"{demo.GATEWAY}/hello", "file": bench.package(FAULT), "wanted": "rolled-back", "version": "1.1.0", "says": "PC 0x08"})
        hub_url, tokens = demo.start_hub(bench, stack, folder, broker)
        demo.start_gateway(bench, stack, folder, broker, hub_url, tokens[demo.GATEWAY], devices)
        url = demo.start_console(bench, stack, folder, hub_url, broker, tokens["console"], "examples", 0)
        status = demo.use_page(url, "examples", folder, steps)
        fault = told(hub_url, tokens["console"], "hello")["info"].get("fault")
        print(f"  the hub says of hello: fault {fault}")
        for address in (fault or {"pc": "", "lr": ""}).values():
            if not address.startswith("0x0800"):
                print("examples: the fault's PC and LR should lie in slot A", file=sys.stderr)
                status = 1
    lock.close()
    if status == 0:
        print("examples passed")
    return status


if __name__ == "__main__":
    sys.exit(main())
