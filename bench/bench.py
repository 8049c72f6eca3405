#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Figures: boot time and updates of the target in virtual time (bench_target.c)."""
import argparse
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "scripts"))
import figures  # noqa: E402


# name -> limit, by the beginning and the end of a row's name (docs/performance.md)
BARS = [("update_921600", "_ratio", 1.20), ("update_2000000", "_ratio", 1.20), ("boot_368k_cpi1.5", "", 450.0)]


def bar(name):
    for begin, end, limit in BARS:
        if name.startswith(begin) and name.endswith(end) and not name.endswith("_failed"):
            return limit
    return None


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--build", default="build")
    a = p.parse_args()
    run = subprocess.run([os.path.join(a.build, "bench", "bench_target")], check=True, capture_output=True, text=True)
    rows = []
    for line in run.stdout.splitlines():
        name, value, unit = line.split()
        # an update that failed is a missed figure, whatever its time
        rows.append(figures.row(name, float(value), unit, bar(name), ok=False if name.endswith("_failed") else None))
    for begin, end, _ in BARS:
        if not any(r["name"].startswith(begin) and r["name"].endswith(end) for r in rows):
            rows.append(figures.row(begin + end + "_missing", 1, "rows", ok=False))
    print("target, in virtual time:")
    return figures.publish(a.build, "bench", rows)


if __name__ == "__main__":
    sys.exit(main())
