#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Figures: boot time and updates of the target in virtual time (bench_target.c)."""
import argparse
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "scripts"))
import figures  # noqa: E402


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--build", default="build")
    a = p.parse_args()
    run = subprocess.run([os.path.join(a.build, "bench", "bench_target")], check=True, capture_output=True, text=True)
    rows = []
    for line in run.stdout.splitlines():
        name, value, unit = line.split()
        # an update that failed is a missed figure, whatever its time
        rows.append(figures.row(name, float(value), unit, ok=not name.endswith("_failed")))
    if not rows:
        sys.exit("bench: bench_target printed nothing")
    print("target, in virtual time:")
    return figures.publish(a.build, "bench", rows)


if __name__ == "__main__":
    sys.exit(main())
