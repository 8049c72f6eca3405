#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Deliberate bugs, one at a time in a copy of the tree: each must be caught by a check that knows nothing of it. The first line of a patch says what is wrong with
it, the second which checks are worth trying: scenes of the power-cut campaign, other campaigns, or unit tests."""
import argparse
import filecmp
import glob
import os
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "scripts"))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
import figures  # noqa: E402
from pool import commit_seed  # noqa: E402

CI = 3
SHARES = (0.1, 0.99)  # of the cuts of a scene: few first; 1.0 would spread them over the configurations
LIMIT_S = 300
CAMPAIGN_LIMIT_S = 900
# the other campaigns, and what part of them is run
CAMPAIGNS = {"hostile": lambda seed: (str(seed * 1000), "150"), "arbitrary": lambda seed: (str(seed * 1000), "500"),
             "glitch": lambda seed: ("--share", "0.0001", "--inside", "0", "--seed", str(seed))}


def run(argv, **more):
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **more)


class Copy:
    """A copy of the tree with a build of its own. What was built stays for the next time, so a file is written only where its content differs: then its time is newer
    than that of what was built of it with a bug."""

    def __init__(self, folder):
        self.tree, self.build = os.path.join(folder, "tree"), os.path.join(folder, "build")
        build = os.path.abspath(os.path.dirname(folder))
        for place, folders, files in os.walk(ROOT):
            folders[:] = [f for f in folders if f not in ("build", ".git", "node_modules", "__pycache__") and os.path.join(place, f) != build]
            there = os.path.join(self.tree, os.path.relpath(place, ROOT))
            os.makedirs(there, exist_ok=True)
            for name in files:
                source, copy = os.path.join(place, name), os.path.join(there, name)
                if not os.path.exists(copy) or not filecmp.cmp(source, copy, shallow=False):
                    shutil.copyfile(source, copy)
                    shutil.copymode(source, copy)
        done = run(["cmake", "-G", "Ninja", "-S", self.tree, "-B", self.build, "-DCMAKE_BUILD_TYPE=RelWithDebInfo"])
        if done.returncode != 0:
            sys.exit(f"the copy cannot be configured:\n{done.stdout}")

    def make(self, tests):
        done = run(["cmake", "--build", self.build, "--target", "powercut", *CAMPAIGNS, "target", *tests])
        return None if done.returncode == 0 else done.stdout

    def patch(self, file, back=False):
        return run(["patch", "-p1", "--force", "--silent", *(["-R"] if back else []), "-i", file], cwd=self.tree).returncode == 0


def verdict(done):
    """The line that says what is wrong with the program; None when nothing is, or when the check failed for a reason of its own: it could not run, it crashed."""
    if done.returncode <= 0:
        return None
    marks = ("FAILED: ", "BOOTED", "ERROR: ", "[  FAILED", "[  ERROR")
    line = next((text for text in done.stdout.splitlines() if text.startswith(marks) or "without any cut: " in text), None)
    return line and line.replace("FAILED: ", "").strip("[] ").split(": slot")[0][:110]


def try_check(argv, limit_s, name):
    """@return what was caught, with the time that it took; None: nothing, or it was too slow to say."""
    begun = time.monotonic()
    try:
        done = run(argv, timeout=limit_s)
    except subprocess.TimeoutExpired:
        return None
    what = verdict(done)
    if what is None:
        return None
    cuts = next((f" after {line.split(' after ')[1].split(':')[0]}" for line in done.stdout.splitlines() if "failures after" in line), "")
    return f"{name}{cuts} ({time.monotonic() - begun:.0f} s): {what}"


def caught_by(copy, checks, seed, shares=SHARES):
    """What caught the mutant that is built, None when nothing did."""
    for check in checks:
        words = check.split()
        if words[0] in CAMPAIGNS:
            tries = [([os.path.join(copy.build, "tests", words[0]), *CAMPAIGNS[words[0]](seed), *words[1:]], CAMPAIGN_LIMIT_S)]
        elif words[0] != "powercut":
            folder = "tests" if words[0].startswith("system_") else "core/tests"
            tries = [([os.path.join(copy.build, folder, words[0])], LIMIT_S)]
        else:
            tries = [([os.path.join(copy.build, "tests", "powercut"), "--share", str(share), "--seed", str(seed), "--failures", "1", words[1], str(config)], LIMIT_S)
                     for share in shares for config in (seed % 6, (seed + 3) % 6)]
        for argv, limit_s in tries:
            what = try_check(argv, limit_s, check)
            if what is not None:
                return what
    return None


def baseline(copy, patches, seed):
    """Every check that is relied upon, once without any bug: it must not see one."""
    checks = sorted({c.strip() for patch in patches for c in open(patch, encoding="utf-8").read().split("\n")[1].removeprefix("checks:").split(";")})
    broken = copy.make([c for c in checks if c.split()[0] not in ("powercut", *CAMPAIGNS)])
    if broken:
        sys.exit(f"the copy does not build:\n{broken}")
    print(f"{len(checks)} checks without a bug", flush=True)
    for check in checks:
        what = caught_by(copy, [check], seed, SHARES[:1])
        if what is not None:
            sys.exit(f"{check} sees a bug where none was put: {what}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build", metavar="DIR")
    parser.add_argument("--ci", action="store_true", help=f"{CI} of them, others with each commit")
    parser.add_argument("--seed", type=int)
    parser.add_argument("name", nargs="*", help="only these")
    a = parser.parse_args()
    seed = commit_seed() if a.seed is None else a.seed
    patches = sorted(glob.glob(os.path.join(HERE, "*.patch")))
    if a.name:
        patches = [p for p in patches if os.path.basename(p)[:-6] in a.name]
    elif a.ci:
        patches = [patches[(seed + i * len(patches) // CI) % len(patches)] for i in range(CI)]
    print(f"{len(patches)} mutants, seed {seed}", flush=True)
    copy = Copy(os.path.abspath(os.path.join(a.build, "mutants")))
    if not a.ci and not a.name:
        baseline(copy, patches, seed)
    survived = 0
    for n, patch in enumerate(patches, 1):
        name = os.path.basename(patch)[:-6]
        with open(patch, encoding="utf-8") as f:
            why, checks = f.readline().strip(), [c.strip() for c in f.readline().removeprefix("checks:").split(";")]
        tests = [c for c in checks if c.split()[0] not in ("powercut", *CAMPAIGNS)]
        if not copy.patch(patch):
            sys.exit(f"{name}.patch does not apply any more: make it anew")
        broken = copy.make(tests)
        by = None if broken else caught_by(copy, checks, seed)
        if not copy.patch(patch, back=True):
            sys.exit(f"{name}.patch cannot be taken back")
        if broken:
            sys.exit(f"{name} does not build:\n{broken}")
        survived += by is None
        print(f"  [{n}/{len(patches)}] {name}: {why}\n      {'SURVIVED' if by is None else 'caught by ' + by}", flush=True)
    return figures.publish(a.build, "mutants", [figures.row("mutants", len(patches), ""), figures.row("survived", survived, "", 0)])


if __name__ == "__main__":
    sys.exit(main())
