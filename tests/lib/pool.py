# SPDX-License-Identifier: MIT
"""What the campaigns share: programs that print a line of JSON, on as many cores as there are."""
import concurrent.futures
import json
import os
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def commit_seed():
    """A number that changes with the commit."""
    p = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    return int(p.stdout[:8], 16) if p.returncode == 0 else 1


def _run(argv, limit_s):
    try:
        p = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=limit_s)
    except subprocess.TimeoutExpired as e:
        errors = (e.stderr or b"").decode(errors="replace")
        return argv, None, f"{errors}{' '.join(argv)}: not at its end after {limit_s} s"
    lines = p.stdout.splitlines()
    result = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else None
    errors = p.stderr.rstrip()
    if p.returncode != 0 or result is None:
        errors += f"\n  {' '.join(argv)}: exit status {p.returncode}{'' if result else ', no result'}"
    return argv, result, errors.lstrip("\n")


def run_all(argvs, jobs, limit_s):
    """Run them; prints what each says on stderr, and a line that repeats one that failed, hung or crashed.

    Yields (n, result, good) as they end: n from 1, result the object of the last line or None.
    """
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        runs = [pool.submit(_run, argv, limit_s) for argv in argvs]
        for n, done in enumerate(concurrent.futures.as_completed(runs), 1):
            _, result, errors = done.result()
            if errors:
                print(errors, flush=True)
            yield n, result, not errors
