#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""One gateway with sixteen devices that all take a 368 KiB image at the same time: what it needs of memory. Everything is real: broker, hub, gateway, and the
Arm binaries on virtual boards. Prints lines of `name value unit`."""
import argparse
import contextlib
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "demo"))
import demo  # noqa: E402
import fleet  # noqa: E402
from bench_setup import Bench, wait_until  # noqa: E402
from fotatest import Broker  # noqa: E402

VERSION = "3.0.0"


def memory(pid):
    """(resident now, most so far) in KiB"""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        fields = dict(line.split(":", 1) for line in f)
    return int(fields["VmRSS"].split()[0]), int(fields["VmHWM"].split()[0])


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--build", default="build")
    p.add_argument("--devices", type=int, default=16)
    a = p.parse_args()
    bench = Bench(a.build, os.path.join(a.build, "bench-gateway"))
    package = bench.package(VERSION)
    run = bench.path("run")
    lock = demo.own_folder(run)
    with contextlib.ExitStack() as stack:
        broker = stack.enter_context(Broker())
        hub_url, tokens = demo.start_hub(bench, stack, run, broker, ["gw1"])
        devices = fleet.start_boards(bench, stack, run, a.devices, ["gw1"])
        gateway = demo.start_gateway(bench, stack, run, broker, hub_url, tokens["gw1"], devices["gw1"], "gw1")
        api = fleet.Api(hub_url, tokens["console"])

        def all_with(key, value):
            return sum(1 for d in api.call("/devices")["devices"] if d[key] == value) == a.devices
        wait_until(lambda: all_with("version", "1.0.0"), 120, "all devices to say their version", 0.5)
        with open(f"/proc/{gateway.pid}/clear_refs", "w", encoding="ascii") as f:
            f.write("5")  # the most so far begins anew
        idle = memory(gateway.pid)[0]
        with open(package, "rb") as f:
            release = api.call("/releases?name=" + os.path.basename(package), binary=f.read())["sha256"]
        for d in api.call("/devices")["devices"]:
            api.call("/updates", {"gateway": d["gateway"], "device": d["device"], "release": release})
        begun, at_once = time.monotonic(), 0
        while not all_with("state", "confirmed"):
            states = [d["state"] for d in api.call("/devices")["devices"]]
            at_once = max(at_once, sum(s in ("write", "verify", "jump") for s in states))
            if "failed" in states or "rolled-back" in states or time.monotonic() - begun > 400:
                sys.exit(f"an update failed: {states}; the logs are in {run}")
            time.sleep(0.2)
        print(f"gateway_rss_idle {idle / 1024:.1f} MiB")
        print(f"gateway_rss_{a.devices}_updating {memory(gateway.pid)[1] / 1024:.1f} MiB")
        print(f"gateway_rss_growth {memory(gateway.pid)[1] - idle} KiB")
        print(f"gateway_devices_at_once {at_once} devices")
        print(f"gateway_package {os.path.getsize(package) / 1024:.0f} KiB")
    lock.close()


if __name__ == "__main__":
    main()
