#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make demo-s3, make demo-s3-once: a bucket (radosgw), and a gateway that watches a channel in it by itself.

`fota publish` puts 1.1.0 into the bucket; it reaches the virtual board with nobody touching the console, which shows it. Without --once it then runs
until Ctrl-C and prints the command that publishes the next version; with --once a headless browser watches the page."""
import argparse
import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time

import demo
from bench_setup import HERE, PRODUCT, Bench
from fotatest import Broker
from radosgw import Radosgw, missing

CHANNEL, VERSION, NEXT = "stable", "1.1.0", "2.0.0"


def write_private(path, text):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as f:
        f.write(text)
    return path


def start_gateway(bench, stack, run, broker, hub_url, token, device, url, credentials):
    config = {"id": demo.GATEWAY, "broker": broker.address(), "hub_url": hub_url, "hub_token_file": token, "keys": [bench.public],
              "cache": os.path.join(run, "gw"), "channels": [{"channel": CHANNEL, "product": PRODUCT, "url": url, "poll_s": 2,
                                                              "credentials_file": credentials}]}
    path = write_private(os.path.join(run, "gateway.json"), json.dumps(config, indent=2))
    demo.part(stack, [os.path.join(bench.build, "gateway", "fota-gateway"), "--config", path, "--device", device, "--die-with-parent"],
              "gateway", log=os.path.join(run, "gateway.log"))


def watch_page(bench, url, password, publish):
    """The browser watches first, then the release is published; 0 when the page showed it all."""
    job = {"url": url, "user": demo.USER, "password": password, "device": f"{demo.GATEWAY}/{demo.DEVICE}", "folder": bench.folder, "version": VERSION}
    with subprocess.Popen(["node", os.path.join(HERE, "s3.js"), json.dumps(job)], stdout=subprocess.PIPE, text=True) as browser:
        for line in browser.stdout:
            if line.strip() == "watching":
                publish()
            else:
                print(line, end="", flush=True)
    return browser.returncode


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--build", default="build")
    p.add_argument("--once", action="store_true", help="do it all unattended and exit")
    p.add_argument("--port", type=int, default=int(os.environ.get("FOTA_DEMO_PORT", "0")), help="the console's port (default: FOTA_DEMO_PORT, else a free one)")
    a = p.parse_args()
    if missing():
        sys.exit(f"demo-s3: {missing()}")
    signal.signal(signal.SIGTERM, demo.stop_on_sigterm)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    started, status = time.monotonic(), 0
    bench = Bench(a.build, os.path.join(a.build, "demo"))
    packages = {v: bench.package(v) for v in (VERSION, NEXT)}
    password = demo.once_in_a_clone(bench.path("password"), lambda: secrets.token_urlsafe(9))
    run = bench.path("s3-once" if a.once else "s3")
    lock = demo.own_folder(run)
    with contextlib.ExitStack() as stack:
        try:
            s3 = stack.enter_context(Radosgw())
            s3.request("PUT", "/firmware")
            bucket = f"{s3.endpoint}/firmware/fota"
            credentials = write_private(os.path.join(run, "credentials"),
                                        f"[default]\naws_access_key_id = {s3.access}\naws_secret_access_key = {s3.secret}\n")
            command = ["publish", "--key", bench.key, "--channel", CHANNEL, "--url", bucket, "--credentials", credentials]
            broker = stack.enter_context(Broker())
            hub_url, tokens = demo.start_hub(bench, stack, run, broker)
            board, tty, control = bench.board("board-s3", os.path.join(run, "board.log"))
            stack.callback(board.stop)
            demo.PARTS.append(board)
            start_gateway(bench, stack, run, broker, hub_url, tokens[demo.GATEWAY],
                          f"name={demo.DEVICE},port={tty},baud=115200,max-baud=115200,pins=board:{control}", bucket, credentials)
            url = demo.start_console(bench, stack, run, hub_url, broker, tokens["console"], password, a.port)
            print(f"\n  console   {url}\n  login     {demo.USER} / {password}\n  bucket    {bucket}\n  logs      {run}\n", flush=True)

            def publish():
                print(bench.run(*command, packages[VERSION]), flush=True)
            if a.once:
                status = watch_page(bench, url, password, publish)
                if status == 0:
                    print(f"demo-s3-once passed in {time.monotonic() - started:.0f} s", flush=True)
                else:
                    print(f"demo-s3-once failed; the logs are in {run}", file=sys.stderr)
            else:
                publish()
                print(f"  The page shows how the device takes it. The next one, by hand:\n    {bench.fota} {' '.join(command)} {packages[NEXT]}\n"
                      "  Ctrl-C ends it.", flush=True)
                demo.watch()
        except KeyboardInterrupt:
            print("\nending …", flush=True)
    lock.close()
    return status


if __name__ == "__main__":
    sys.exit(main())
