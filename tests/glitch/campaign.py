#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""One skipped instruction (tests/glitch/main.c): every scene, on as many cores as there are. `--ci` tries a share of the instructions, others with each commit;
of each address the first executions always."""
import argparse
import collections
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "scripts"))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
import figures  # noqa: E402
from pool import commit_seed, run_all  # noqa: E402

CI_SHARE, CI_INSIDE, CI_SCENES = 0.002, 500, 2
LIMIT_S = {"full": 6 * 3600, "ci": 900}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build", metavar="DIR")
    parser.add_argument("--ci", action="store_true", help="a share, chosen by the commit")
    parser.add_argument("--share", type=float, help="part of the instructions, 0 to 1 (default 1)")
    parser.add_argument("--seed", type=lambda s: int(s, 0), help="of what is left to chance (default: the commit's)")
    parser.add_argument("--scene", action="append", help="only this one (may be repeated)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    a = parser.parse_args()
    program = os.path.join(a.build, "tests", "glitch")
    seed = commit_seed() if a.seed is None else a.seed
    scenes = a.scene or subprocess.run([program, "--list"], capture_output=True, text=True, check=True).stdout.split()
    if a.ci:
        scenes = [scenes[(seed + i * len(scenes) // CI_SCENES) % len(scenes)] for i in range(CI_SCENES)]
    share, inside = (CI_SHARE, CI_INSIDE) if a.ci else (1.0, 20)
    print(f"skipped instructions, seed {seed}: {', '.join(scenes)}", flush=True)
    argvs = [[program, "--share", str(a.share or share), "--inside", str(inside), "--seed", str(seed), scene] for scene in scenes]
    totals, bad = collections.Counter(), False
    for n, result, good in run_all(argvs, a.jobs, LIMIT_S["ci" if a.ci else "full"]):
        bad = bad or not good
        if result:
            totals.update({k: v for k, v in result.items() if isinstance(v, int)})
            print(f"  [{n}/{len(argvs)}] {result['scene']}: {result['outside']} instructions outside of the cryptography's loops; "
                  f"{result['tried']} tried, {result['booted']} booted", flush=True)
    rows = [figures.row("tried", totals["tried"], "", 1000, ok=totals["tried"] >= 1000), figures.row("inside of the loops", totals["inside"], ""),
            figures.row("ended in a reset", totals["ended_in_a_reset"], ""), figures.row("booted", totals["booted"], "", 0)]
    return max(figures.publish(a.build, "glitch", rows), int(bad))


if __name__ == "__main__":
    sys.exit(main())
