#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""scripts/waits.py finds the waits without an end in loops.c: all of them and nothing else."""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
LOOPS = os.path.join(HERE, "loops.c")


def lines_found(*arguments):
    """@return (exit status, lines with a finding, output)"""
    done = subprocess.run([sys.executable, "-B", os.path.join(ROOT, "scripts", "waits.py"), *arguments], capture_output=True, text=True, check=False)
    assert not done.stderr, done.stderr
    return done.returncode, {int(n) for n in re.findall(r"^\S+?:(\d+): ", done.stdout, re.M)}, done.stdout


def main():
    with open(LOOPS, encoding="utf-8") as f:
        bad = {n for n, text in enumerate(f, 1) if "/* bad */" in text}
    status, found, text = lines_found(LOOPS)
    assert status == 1 and found == bad, f"missed {sorted(bad - found)}, too much {sorted(found - bad)}\n{text}"
    print(f"{len(bad)} of {len(bad)} found")


if __name__ == "__main__":
    main()
