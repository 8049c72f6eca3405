#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The power-cut campaign: every scene of tests/powercut, on as many cores as there are. `--ci` makes a share of the
cuts, another one with each commit. A failure prints the line that replays it."""
import argparse
import collections
import os
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "scripts"))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
import figures  # noqa: E402
from pool import commit_seed, run_all  # noqa: E402

CONFIGS = 6
CI_SHARE = 0.10
LEAST = {"full": 200000, "ci": 20000}
LIMIT_S = {"full": 3600, "ci": 600}  # of one part, of which the longest take a tenth of that


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build", metavar="DIR")
    parser.add_argument("--ci", action="store_true", help="a share, chosen by the commit")
    parser.add_argument("--share", type=float, help="part of the cuts of a full run, 0 to 1")
    parser.add_argument("--seed", type=lambda s: int(s, 0), help="of all that is left to chance (default: the commit's)")
    parser.add_argument("--scene", action="append", help="only this one (may be repeated)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    arguments = parser.parse_args()

    program = os.path.join(arguments.build, "tests", "powercut")
    seed = commit_seed() if arguments.seed is None else arguments.seed
    share = arguments.share or (CI_SHARE if arguments.ci else 1.0)
    scenes = subprocess.run([program, "--list"], capture_output=True, text=True, check=True).stdout.split()
    units = []
    for i, scene in enumerate(scenes):
        if arguments.scene and scene not in arguments.scene:
            continue
        configs = [(seed + i) % CONFIGS] if arguments.ci else range(CONFIGS)
        units += [(scene, config, share) for config in configs]
    units.reverse()  # the longest ones come first
    print(f"power cuts, seed {seed}: {len(units)} runs of {len(units) if arguments.ci else len(units) // CONFIGS} scenes",
          flush=True)

    mode = "ci" if arguments.ci else "full"
    totals = collections.Counter()
    failed, began = False, time.monotonic()
    argvs = [[program, "--share", str(part), "--seed", str(seed), scene, str(config)] for scene, config, part in units]
    for n, result, good in run_all(argvs, arguments.jobs, LIMIT_S[mode]):
        failed = failed or not good
        if result is None:
            continue
        totals.update({k: v for k, v in result.items() if isinstance(v, int)})
        print(f"  [{n}/{len(units)}] {result['scene']}, configuration {result['config']}: {result['operations']} operations, {result['cuts']} cuts, "
              f"{result['bricked']} bricked; {time.monotonic() - began:.0f} s", flush=True)
    whole = not arguments.scene and arguments.share is None
    rows = [figures.row("cuts", totals["cuts"], "", LEAST[mode] if whole else None,
                        ok=not whole or totals["cuts"] >= LEAST[mode]),
            figures.row("bricked", totals["bricked"], "", 0),
            figures.row("states", totals["states"], ""),
            figures.row("boots_old", totals["boots_old"], ""),
            figures.row("boots_new", totals["boots_new"], ""),
            figures.row("boots_recovery", totals["boots_recovery"], ""),
            figures.row("boots in all", totals["boots"], ""),
            figures.row("installs after a cut", totals["installs"], ""),
            figures.row("of those, resumed at an offset", totals["resumed"], "", 1 if whole else None, ok=not whole or totals["resumed"] > 0),
            figures.row("cuts that left unsure bits", totals["unsure"], ""),
            figures.row("runs with the Arm code's crypto", totals["by_arm"], ""),
            figures.row("functions compared with the host's", totals["compared"], ""),
            figures.row("of those, different", totals["differed"], "", 0),
            figures.row("duration", round(time.monotonic() - began), "s", "at most 480 on two cores" if arguments.ci and whole else None, ok=True)]  # time fails nothing
    return max(figures.publish(arguments.build, "powercut", rows), int(failed))


if __name__ == "__main__":
    sys.exit(main())
