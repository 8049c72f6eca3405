#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Arbitrary contents of the flash (tests/arbitrary/main.c), on as many cores as there are. `--ci` tries a thousand, others with each commit."""
import argparse
import collections
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "scripts"))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
import figures  # noqa: E402
from pool import commit_seed, run_all  # noqa: E402

PIECE = 250
LIMIT_S = 900  # of a piece, which takes half a minute


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build", metavar="DIR")
    parser.add_argument("--ci", action="store_true", help="a thousand")
    parser.add_argument("--contents", type=int, help="so many (default 20000)")
    parser.add_argument("--first", type=lambda s: int(s, 0), help="number of the first one (default: by the commit)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    a = parser.parse_args()
    first = commit_seed() * 100000 if a.first is None else a.first
    count = a.contents or (1000 if a.ci else 20000)
    program = os.path.join(a.build, "tests", "arbitrary")
    totals, bad, slowest = collections.Counter(), False, 0
    print(f"arbitrary flash, contents {first} to {first + count - 1}", flush=True)
    argvs = [[program, str(first + n), str(min(PIECE, count - n))] for n in range(0, count, PIECE)]
    for n, result, good in run_all(argvs, a.jobs, LIMIT_S):
        bad = bad or not good
        slowest = max(slowest, (result or {}).get("slowest_ms", 0))
        totals.update(result or {})
        if n % 8 == 0 or n == len(argvs):
            print(f"  {totals['contents']} of {count}, {totals['wrong']} wrong", flush=True)
    enough = count if count >= 500 else 0  # a few may well be all of one kind
    rows = [figures.row("contents", totals["contents"], "", ok=totals["contents"] == count),
            figures.row("entered a signed image", totals["entered"], "", least=enough // 4), figures.row("stayed and answered", totals["stayed"], "", least=enough // 4),
            figures.row("journal and confirmed image whole, and booted", totals["intact"], "", least=enough // 30),  # one in ten is
            figures.row("of those that stayed, brought to life by an update", totals["updated"], "", least=enough // 500),
            figures.row("of those that stayed, update refused with a reason", totals["refused"], "", least=enough // 500), figures.row("wrong", totals["wrong"], "", 0),
            figures.row("slowest decision, without erases", slowest, "ms", 2000)]
    return max(figures.publish(a.build, "arbitrary", rows), int(bad))


if __name__ == "__main__":
    sys.exit(main())
