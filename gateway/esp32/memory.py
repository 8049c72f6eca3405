#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The static RAM of the ESP32's application, the size of its port, and how much of its stack the gateway's task needs: core and port compiled for 32 bits
(Arm; RISC-V and Xtensa have the same sizes of data), without ESP-IDF against host/declarations. Task stacks are static, so they are in it. Status 1 above a
bar. memory.py [--all]"""
import glob
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
BAR = 96 * 1024
LINES = 2000
LIBRARIES = 3072  # bytes of the gateway's stack that are left to what it calls of ESP-IDF, cJSON and the C library, and to another compiler's frames
# esp-mqtt's task and the rings of the UART's driver come from the heap, once; they count as well
HEAP = {"stack of esp-mqtt's task": 6144, "rings of the UART's driver": 2048 + 1024}
SHOWN = 1000
# What is called through pointers, and by what: the compiler does not say.
THROUGH = {"gw_poll": ("mqtt_poll", "http_poll"), "http_poll": ("on_head", "on_body", "on_done"), "send": ("mqtt_publish",), "gw_log": ("log_write",),
           "record_save": ("record_put",), "record_load": ("record_get",), "step_check": ("cache_read",), "fetch_take": ("cache_append",),
           "push_send": ("link_write",), "gw_push_poll": ("link_write", "link_read"), "link_write": ("fota_server_feed",),
           "fota_server_feed": ("install",), "install": ("begin", "write", "end")}
NAMES = {"gw": "the core: two devices, download, reader, channel", "self.c.self": "the gateway as a device of its own", "app.c.stack": "stack of the task gateway", "http.c.stack": "stack of the task http",
         "mqtt.c.stack": "stack of the task mqtt-out", "mail": "one message from the broker", "out_storage": "messages to the broker, waiting",
         "payload": "a message to the broker, being sent", "body_storage": "a download, between http and gateway", "request": "a request: URL, headers",
         "port_settings": "settings, with 2 KiB of certificates", "channel": "the channel's configuration", "pool": "running SHA-256",
         "link": "SPI: frames and ring"}


def sources():
    with open(os.path.join(HERE, "components", "fota_core", "CMakeLists.txt"), encoding="utf-8") as f:
        text = f.read()
    core, gateway = (re.search(rf"set\({name} ([^)]*)\)", text).group(1).split() for name in ("core", "gateway"))
    port = os.path.join(HERE, "components", "fota_port", "src")
    drivers = os.path.join(HERE, "components", "fota_drivers")
    return ([os.path.join(ROOT, "core", "src", f + ".c") for f in core] + [os.path.join(ROOT, "gateway", "core", "src", f + ".c") for f in gateway] +
            [os.path.join(port, f) for f in sorted(os.listdir(port))] + [os.path.join(HERE, "components", "fota_core", "crypto_psa.c")] +
            [os.path.join(drivers, f) for f in ("uart.c", "spi.c", "gpio.c", "wifi.c", "chip.c", "wire.c", "ota.c")])


def definitions():
    with open(os.path.join(HERE, "components", "fota_core", "CMakeLists.txt"), encoding="utf-8") as f:
        return ["-D" + d for d in re.findall(r"GW_[A-Z0-9_]+=\w+", f.read())]


def symbols(folder):
    """(file, name, bytes) of what is in .data and .bss."""
    found = []
    for number, source in enumerate(sources()):
        out = os.path.join(folder, f"{number}.o")
        subprocess.run(["arm-none-eabi-gcc", "--specs=picolibc.specs", "-mcpu=cortex-m4", "-mthumb", "-Os", "-std=gnu17", "-fcallgraph-info=su", "-Wall", "-Wextra", "-Werror",
                        '-DFOTA_VERSION="0"',
                        "-DCONFIG_FOTA_LINE_UART=1", "-DCONFIG_FOTA_LINE_SPI=1", *definitions(), "-I" + os.path.join(ROOT, "core", "include"),
                        "-I" + os.path.join(ROOT, "gateway", "core", "include"), "-I" + os.path.join(HERE, "components", "fota_port", "include"),
                        "-isystem" + os.path.join(HERE, "host", "declarations"), "-isystem/usr/include/cjson", "-c", source, "-o", out], check=True)
        listing = subprocess.run(["arm-none-eabi-nm", "-S", "-t", "d", out], capture_output=True, text=True, check=True).stdout
        for words in (entry.split() for entry in listing.split("\n")):
            if len(words) == 4 and words[2] in "bBdDC":
                found.append((os.path.basename(source), words[3].split(".")[0], int(words[1])))
    return found


def deepest(folder):
    """The chain of calls in core and port that needs the most stack. @return (bytes, names)."""
    frames, calls = {}, {}
    for path in glob.glob(os.path.join(folder, "*.ci")):
        with open(path, encoding="utf-8") as f:
            text = f.read()
        frames.update((name, int(size)) for name, size in re.findall(r'node: \{ title: "([^"]+)" label: "[^"]*?(\d+) bytes', text))
        for caller, callee in re.findall(r'edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"', text):
            calls.setdefault(caller, set()).add(callee)
    known, short = {}, {}
    for name in frames:
        short.setdefault(name.split(":")[-1].split(".")[0], []).append(name)
    for caller, callees in THROUGH.items():
        for name in short.get(caller, ()):
            calls.setdefault(name, set()).update(n for callee in callees for n in short.get(callee, ()))

    def depth(name):
        if name not in known:
            known[name] = (0, [])  # no recursion: there is none
            below = max((depth(n) for n in calls.get(name, ()) if n in frames), default=(0, []))
            known[name] = (frames[name] + below[0], [f"{name.split(':')[-1].split('.')[0]} {frames[name]}", *below[1]])
        return known[name]
    return max(depth(name) for name in frames)


def stack():
    with open(os.path.join(HERE, "components", "fota_port", "include", "port.h"), encoding="utf-8") as f:
        return int(re.search(r"PORT_GATEWAY_STACK PORT_STACK\((\d+)u\)", f.read()).group(1))


def lines():
    """Lines of the port that are neither blank nor a comment."""
    count = 0
    for folder, _, files in [*os.walk(os.path.join(HERE, "components")), *os.walk(os.path.join(HERE, "main"))]:
        for name in files:
            if name.endswith((".c", ".h")):
                with open(os.path.join(folder, name), encoding="utf-8") as f:
                    text = re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)
                count += sum(bool(line.strip()) for line in text.split("\n"))
    return count


def main():
    worst = 0
    with tempfile.TemporaryDirectory() as folder:
        found = symbols(folder)
        need, chain = deepest(folder)
    for line, other in (("uart", "spi.c"), ("spi", "uart.c")):
        rows = [(NAMES.get(f"{file}.{name}", NAMES.get(name, f"{file}: {name}")), size) for file, name, size in found if file != other]
        rows += [(name, size) for name, size in HEAP.items() if line == "uart" or "UART" not in name]
        total = sum(size for _, size in rows)
        worst = max(worst, total)
        print(f"with the {line.upper()}:")
        for name, size in sorted(rows, key=lambda r: -r[1]):
            if size >= SHOWN or "--all" in sys.argv:
                print(f"  {size:7d}  {name}")
        print(f"  {sum(size for _, size in rows if size < SHOWN):7d}  everything else\n  {total:7d}  in all; the bar is {BAR}")
    print(f"stack: the deepest chain of calls needs {need} of {stack()} bytes, and {LIBRARIES} are to be left: {', '.join(chain)}")
    print(f"port: {lines()} lines of code; the bar is {LINES}")
    return 1 if worst > BAR or need + LIBRARIES > stack() or lines() > LINES else 0


if __name__ == "__main__":
    sys.exit(main())
