#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The power-cut campaign: every scene of tests/powercut, on as many cores as there are. `--ci` makes a share of the
cuts, another one with each commit. A failure prints the line that replays it."""
import argparse
import collections
import concurrent.futures
import json
import os
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "scripts"))
import figures  # noqa: E402  pylint: disable=wrong-import-position

CONFIGS = 6
CI_SHARE = 0.14
LEAST = {"full": 200000, "ci": 20000}


def commit_seed():
    """A number that changes with the commit."""
    p = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    return int(p.stdout[:8], 16) if p.returncode == 0 else 1


def run(program, scene, config, share, seed):
    argv = [program, "--share", str(share), "--seed", str(seed), scene, str(config)]
    p = subprocess.run(argv, capture_output=True, text=True, check=False)
    lines = p.stdout.splitlines()
    return argv, p.returncode, json.loads(lines[-1]) if lines and lines[-1].startswith("{") else None, p.stderr


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

    totals = collections.Counter()
    failed, began = False, time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        jobs = [pool.submit(run, program, *unit, seed) for unit in units]
        for n, job in enumerate(concurrent.futures.as_completed(jobs), 1):
            argv, status, result, errors = job.result()
            failed = failed or status != 0
            if errors:
                print(errors.rstrip(), flush=True)
            if result is None:
                print(f"  {' '.join(argv)}: exit status {status}, no result", flush=True)
                continue
            totals.update({k: v for k, v in result.items() if isinstance(v, int)})
            print(f"  [{n}/{len(units)}] {result['scene']}, configuration {result['config']}: {result['operations']} "
                  f"operations, {result['cuts']} cuts, {result['bricked']} bricked; "
                  f"{time.monotonic() - began:.0f} s", flush=True)
    mode = "ci" if arguments.ci else "full"
    whole = not arguments.scene and arguments.share is None
    rows = [figures.row("cuts", totals["cuts"], "", LEAST[mode] if whole else None,
                        ok=not whole or totals["cuts"] >= LEAST[mode]),
            figures.row("bricked", totals["bricked"], "", 0),
            figures.row("states", totals["states"], ""),
            figures.row("boots_old", totals["boots_old"], ""),
            figures.row("boots_new", totals["boots_new"], ""),
            figures.row("boots_recovery", totals["boots_recovery"], ""),
            figures.row("boots in all", totals["boots"], ""),
            figures.row("cuts that left unsure bits", totals["unsure"], ""),
            figures.row("runs with the Arm code's crypto", totals["by_arm"], ""),
            figures.row("functions compared with the host's", totals["compared"], ""),
            figures.row("of those, different", totals["differed"], "", 0),
            figures.row("duration", round(time.monotonic() - began), "s")]
    return max(figures.publish(arguments.build, "powercut", rows), int(failed))


if __name__ == "__main__":
    sys.exit(main())
