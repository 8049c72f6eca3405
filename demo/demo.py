#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make demo, make demo-once: broker, hub, console, gateway and a virtual board with factory firmware 1.0.0.

Without --once it prints the page's address and login and runs until Ctrl-C. With --once a headless browser does through the page what a person would:
1.1.0 is uploaded, installed and confirmed, then 1.2.0, which never confirms, is rolled back."""
import argparse
import contextlib
import fcntl
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time

from bench_setup import HERE, Bench, Proc, wait_until
from fotatest import Broker

GATEWAY, DEVICE = "gw1", "board1"
USER = "admin"
BAD_DEADLINE_S = "10"


def stop_on_sigterm(*_):
    raise KeyboardInterrupt


def once_in_a_clone(path, make):
    """A secret that stays the same for this clone, so that a second demo has the same login."""
    if not os.path.exists(path):
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as f:
            f.write(make() + "\n")
    with open(path, encoding="utf-8") as f:
        return f.read().strip()


PARTS = []  # what must run for as long as the demo does


def part(stack, *arguments, **keywords):
    PARTS.append(stack.enter_context(Proc(*arguments, **keywords)))
    return PARTS[-1]


def add_tokens(bench, run, data, gateways):
    """{name: file with its token}: the console's is an operator's."""
    tokens = {}
    for role, name in (("operator", "console"), *(("gateway", g) for g in gateways)):
        added = subprocess.run([os.path.join(bench.build, "hub", "fota-hub"), "token", "add", "--data", data, "--role", role, "--name", name],
                               check=True, capture_output=True, text=True)
        tokens[name] = os.path.join(run, name + ".token")
        with open(os.open(tokens[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as f:
            f.write(added.stdout)
    return tokens


def start_hub(bench, stack, run, broker, gateways=(GATEWAY,)):
    """(url, {name: file with its token}); the console's token is an operator's."""
    hub = os.path.join(bench.build, "hub", "fota-hub")
    data, port_file = os.path.join(run, "hub"), os.path.join(run, "hub.port")
    tokens = add_tokens(bench, run, data, gateways)
    part(stack, [hub, "--data", data, "--listen", "127.0.0.1:0", "--port-file", port_file,
                "--mqtt", broker.address(), "--key", bench.public, "--dev-key", bench.key,
                "--max-upload", str(1 << 20), "--die-with-parent"], "hub", log=os.path.join(run, "hub.log"))
    wait_until(lambda: os.path.exists(port_file), 10, "the hub")
    with open(port_file, encoding="utf-8") as f:
        url = f"http://127.0.0.1:{f.read().strip()}"
    return url, tokens


def start_gateway(bench, stack, run, broker, hub_url, token, devices, name=GATEWAY):
    """devices: as --device wants them"""
    arguments = [x for d in devices for x in ("--device", d)]
    return part(stack, [os.path.join(bench.build, "gateway", "fota-gateway"), "--id", name, "--broker", broker.address(),
                        "--hub-url", hub_url, "--hub-token-file", token, "--key", bench.public,
                        "--cache", os.path.join(run, name), *arguments, "--die-with-parent"],
                name, log=os.path.join(run, name + ".log"))


def start_console(bench, stack, run, hub_url, broker, token, password, port):
    env = dict(os.environ, FOTA_HUB_URL=hub_url, FOTA_HUB_TOKEN_FILE=token, FOTA_MQTT_URL=f"mqtt://{broker.address()}",
               FOTA_CONSOLE_USER=USER, FOTA_CONSOLE_PASSWORD=password, FOTA_CONSOLE_DIR=os.path.join(run, "console"),
               FOTA_COMMAND=bench.fota)
    console = part(stack, ["node", os.path.join(HERE, "..", "console", "bin", "fota-console.js"), "--port", str(port),
                           "--die-with-parent"], "console", log=os.path.join(run, "console.log"), env=env)

    def address():
        if not console.alive():
            sys.exit(f"demo: the console ended:\n{console.output()}")
        for line in console.output().splitlines():
            if "console ready on " in line:
                return line.split("console ready on ")[1].strip()
        return None
    return wait_until(address, 90, "the console")


def use_page(url, password, folder, steps, picture=None):
    """Updates through the page, in a headless browser (once.js says what a step is). @return 0 when all went as wanted."""
    job = {"url": url, "user": USER, "password": password, "folder": folder, "steps": steps, "picture": picture}
    return subprocess.run(["node", os.path.join(HERE, "once.js"), json.dumps(job)]).returncode


def own_folder(run):
    """An empty folder for this run alone; what is returned holds it."""
    lock = open(run + ".lock", "w", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        sys.exit(f"demo: another one runs in {run}; end it first, or build elsewhere with B=DIR")
    shutil.rmtree(run, ignore_errors=True)
    os.makedirs(run, mode=0o700)
    return lock


def watch():
    """Until Ctrl-C; a part that ends by itself ends the demo, too."""
    while True:
        time.sleep(0.5)
        for p in PARTS:
            if not p.alive():
                sys.exit(f"demo: {p.name} ended with status {p.proc.returncode} (negative: by that signal); its log: {p.log_path}")


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--build", default="build")
    p.add_argument("--once", action="store_true", help="do it all unattended and exit")
    p.add_argument("--port", type=int, default=int(os.environ.get("FOTA_DEMO_PORT", "0")),
                   help="the console's port (default: FOTA_DEMO_PORT, else a free one)")
    p.add_argument("--picture", help="with --once: also save a picture of the page in the middle of the update")
    a = p.parse_args()
    signal.signal(signal.SIGTERM, stop_on_sigterm)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a script's background job inherits it ignored
    started = time.monotonic()
    bench = Bench(a.build, os.path.join(a.build, "demo"))
    packages = {"good": bench.package("1.1.0"), "bad": bench.package("1.2.0", "--deadline", BAD_DEADLINE_S)}
    bench.firmware_bin("1.1.0")
    password = once_in_a_clone(bench.path("password"), lambda: secrets.token_urlsafe(9))
    run = bench.path("once" if a.once else "run")
    lock = own_folder(run)

    status = 0
    with contextlib.ExitStack() as stack:
        try:
            broker = stack.enter_context(Broker())
            hub_url, tokens = start_hub(bench, stack, run, broker)
            board, tty, control = bench.board("board-once" if a.once else "board", os.path.join(run, "board.log"))
            stack.callback(board.stop)
            PARTS.append(board)
            start_gateway(bench, stack, run, broker, hub_url, tokens[GATEWAY],
                          [f"name={DEVICE},port={tty},baud=115200,max-baud=115200,pins=board:{control}"])  # slow enough to be watched
            url = start_console(bench, stack, run, hub_url, broker, tokens["console"], password, a.port)
            print(f"\n  console   {url}\n  login     {USER} / {password}\n  packages  {packages['good']}\n"
                  f"            {packages['bad']}  (never confirms)\n  broker    {broker.address()}   gateway {GATEWAY}, device {DEVICE}\n"
                  f"  board     {tty}\n            {control}  (its control socket: docs/board.md)\n  logs      {run}\n", flush=True)
            if a.once:
                status = use_page(url, password, bench.folder, [
                    {"device": f"{GATEWAY}/{DEVICE}", "file": packages["good"], "wanted": "confirmed", "version": "1.1.0"},
                    {"device": f"{GATEWAY}/{DEVICE}", "file": packages["bad"], "wanted": "rolled-back", "version": "1.1.0", "says": "did not confirm"}],
                    a.picture and os.path.abspath(a.picture))
                if status != 0:
                    print(f"demo-once failed; the logs are in {run}", file=sys.stderr)
                else:
                    print(f"demo-once passed in {time.monotonic() - started:.0f} s", flush=True)
            else:
                print("  Ctrl-C ends it.", flush=True)
                watch()
        except KeyboardInterrupt:
            print("\nending …", flush=True)
    lock.close()
    return status


if __name__ == "__main__":
    sys.exit(main())
