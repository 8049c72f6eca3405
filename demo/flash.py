#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make demo-flash: updates over a serial line with `fota flash` and nothing else.

A virtual board with factory firmware 1.0.0; 1.1.0 is written and confirms itself; 1.2.0 never confirms and is rolled back."""
import argparse
import subprocess
import sys

from bench_setup import Bench

ROLLED_BACK = 4  # fota flash's exit status


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--build", default="build")
    a = p.parse_args()
    bench = Bench(a.build, f"{a.build}/demo")
    good, bad = bench.package("1.1.0"), bench.package("1.2.0", "--deadline", "5")
    board, port, control = bench.board("board-flash")
    failures = []

    def step(title, expected, *arguments):
        print(f"\n$ fota {' '.join(arguments)}    # {title}", flush=True)
        status = subprocess.run([bench.fota, *arguments]).returncode
        if status != expected:
            failures.append(f"{title}: exit status {status} instead of {expected}")

    with_board = ("--port", port, "--control", control)
    try:
        step("what is there", 0, "status", "--port", port)
        step("a good update", 0, "flash", good, *with_board, "--key", bench.public)
        step("one that never confirms", ROLLED_BACK, "flash", bad, *with_board, "--key", bench.public)
        step("and what runs now", 0, "status", "--port", port)
    finally:
        board.stop()
    for failure in failures:
        print(f"demo-flash: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
