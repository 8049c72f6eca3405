#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Figures: boot time and updates of the target in virtual time (bench_target.c), then gateway, hub and page under load on this machine (gateway.py, fleet.js)."""
import argparse
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "scripts"))
import figures  # noqa: E402


HERE = os.path.dirname(os.path.abspath(__file__))

# limits, by the beginning and the end of a row's name (docs/performance.md)
BARS = [("update_921600", "_ratio", 1.20), ("update_2000000", "_ratio", 1.20), ("update_spi_21000000", "_ratio", 1.15), ("agent_2k", "_ratio", 1.15), ("agent_96k", "_ratio", 1.35), ("rom_spi_8000000", "_ratio", 1.10),
        ("rom_uart_115200", "_ratio", 1.10), ("rom_uart_to_stm32flash", "_share", 1.00), ("boot_368k_cpi1.5", "", 450.0),
        ("gateway_rss_16_updating", "", 24.0), ("gateway_rss_growth", "", 360.0), ("hub_cpu_1000_at_1hz", "", 30.0), ("page_delay_1000_p99", "", 1000.0)]


def bar(name):
    for begin, end, limit in BARS:
        if name.startswith(begin) and name.endswith(end) and not name.endswith("_failed"):
            return limit
    return None


def measure(title, argv):
    print(f"{title} …", flush=True)
    run = subprocess.run(argv, capture_output=True, text=True)
    if run.returncode != 0:
        print(run.stderr.rstrip(), file=sys.stderr)
        return [figures.row(os.path.basename(argv[-1 if len(argv) == 1 else 1]) + "_failed", 1, "runs", ok=False)]
    rows = []
    for line in run.stdout.splitlines():
        name, value, unit = line.split()
        # an update that failed is a missed figure, whatever its time
        rows.append(figures.row(name, float(value), unit, bar(name), ok=False if name.endswith("_failed") else None))
    return rows


def beside_stm32flash(rows):
    """Ours over theirs, in time of wire and chip."""
    value = {r["name"]: r["value"] for r in rows}
    theirs = [value.get(f"rom_uart_stm32flash_{part}_s") for part in ("wire", "chip")]
    ours = value.get("rom_uart_115200_wire_and_chip_s")
    if ours is None or None in theirs:
        return []
    name = "rom_uart_to_stm32flash_share"
    return [figures.row(name, round(ours / sum(theirs), 3), "x", bar(name))]


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--build", default="build")
    a = p.parse_args()
    rows = measure("target, in virtual time", [os.path.join(a.build, "bench", "bench_target")])
    rows += measure("Debian's stm32flash on the same model of ST's ROM", [sys.executable, os.path.join(HERE, "stm32flash.py"), "--build", a.build])
    rows += beside_stm32flash(rows)
    rows += measure("a gateway with 16 devices that update at once", [sys.executable, os.path.join(HERE, "gateway.py"), "--build", a.build])
    rows += measure("hub and page with 1 000 devices at 1 Hz", ["node", os.path.join(HERE, "fleet.js"), a.build])
    for begin, end, _ in BARS:
        if not any(r["name"].startswith(begin) and r["name"].endswith(end) for r in rows):
            rows.append(figures.row(begin + end + "_missing", 1, "rows", ok=False))
    return figures.publish(a.build, "bench", rows)


if __name__ == "__main__":
    sys.exit(main())
