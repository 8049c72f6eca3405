#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A line of the power-cut campaign, replayed in a process of its own, takes the same course: the same torn bits, the same decisions. Lines of first cuts and of cuts
in recoveries."""
import random
import subprocess
import sys

SCENES = (("a-to-b", 1), ("compaction", 4), ("rollback-fault", 2))
SHARE, LINES = "0.04", 12


def cuts(program, *arguments):
    run = subprocess.run([program, "--verbose", *arguments], capture_output=True, text=True, timeout=300, check=True)
    return [line[4:].split(" |", 1) for line in run.stdout.splitlines() if line.startswith("cut ")]


def main():
    program, wrong, tried = sys.argv[1], 0, 0
    for scene, config in SCENES:
        made = cuts(program, "--share", SHARE, "--seed", "3", scene, str(config))
        deep = [c for c in made if len(c[0].split()) > 1]
        choice = random.Random(1)
        for line, course in choice.sample(made, LINES // 2) + choice.sample(deep, min(LINES // 2, len(deep))):
            again = cuts(program, scene, str(config), *line.split())[-1]
            tried += 1
            if again[1] != course:
                wrong += 1
                print(f"{scene} {config} {line}:\n  first {course}\n  again {again[1]}")
        if not deep:
            sys.exit(f"{scene}: no cut in a recovery")
    print(f"{tried} replayed, {wrong} took another course")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
