#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The hostile-link campaign (tests/hostile/main.c): seeded updates over a bad line, on as many cores as there are. `--ci` makes a hundred, others with each
commit; the full campaign more than two thousand."""
import argparse
import collections
import os
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "scripts"))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
import figures  # noqa: E402
from pool import commit_seed, run_all  # noqa: E402

PIECE = 25
LIMIT_S = 900  # of a piece, which takes a minute


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build", metavar="DIR")
    parser.add_argument("--ci", action="store_true", help="a hundred runs")
    parser.add_argument("--runs", type=int, help="so many (default 2400)")
    parser.add_argument("--first", type=lambda s: int(s, 0), help="number of the first run (default: by the commit)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    a = parser.parse_args()
    first = commit_seed() * 1000 if a.first is None else a.first
    runs = a.runs or (100 if a.ci else 2400)
    program = os.path.join(a.build, "tests", "hostile")
    totals, bad, began = collections.Counter(), False, time.monotonic()
    print(f"hostile link, runs {first} to {first + runs - 1}", flush=True)
    argvs = [[program, str(first + n), str(min(PIECE, runs - n))] for n in range(0, runs, PIECE)]
    for n, result, good in run_all(argvs, a.jobs, LIMIT_S):
        bad = bad or not good
        totals.update(result or {})
        if n % 8 == 0 or n == len(argvs):
            print(f"  {totals['runs']} of {runs} runs, {totals['wrong']} wrong; {time.monotonic() - began:.0f} s", flush=True)
    # Every fifth or so is confirmed, as many rolled back, the others fail; in a hundred runs that varies. A few may well all end alike.
    enough = 0 if runs < 100 else runs // 50 if runs < 1000 else runs // 10
    rows = [figures.row("runs", totals["runs"], "", ok=totals["runs"] == runs), figures.row("confirmed", totals["confirmed"], "", least=enough),
            figures.row("rolled_back", totals["rolled_back"], "", least=enough), figures.row("failed_with_reason", totals["failed"], "", least=enough),
            figures.row("unbootable", totals["unbootable"], "", 0), figures.row("overtime", totals["overtime"], "", 0),
            figures.row("wrong", totals["wrong"], "", 0), figures.row("faults on the line", totals["faults"], "", least=10 * enough),
            figures.row("resets and power cuts", totals["resets"], "", least=enough)]
    return max(figures.publish(a.build, "hostile", rows), int(bad))


if __name__ == "__main__":
    sys.exit(main())
