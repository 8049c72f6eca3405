#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fuzzing with libFuzzer, ASan and UBSan. First every target runs its corpus (tests/fuzz/corpus: seeds, and whatever was once found), then it
searches for the time given, on as many cores as there are. What it finds is kept in BUILD/fuzz/found, with the line that replays it."""
import argparse
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "scripts"))
import figures  # noqa: E402

LARGEST = {"image": 65536, "elf": 65536, "package": 16384, "http": 16384, "journal": 4096, "install": 1024, "push": 4096}
ENVIRONMENT = dict(os.environ, ASAN_OPTIONS="detect_leaks=1:allocator_may_return_null=1", UBSAN_OPTIONS="print_stacktrace=1")


def commit_seed():
    p = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    return int(p.stdout[:7], 16) if p.returncode == 0 else 1


def build(folder):
    if not os.path.exists(os.path.join(folder, "build.ninja")):
        subprocess.run(["cmake", "-G", "Ninja", "-S", ROOT, "-B", folder, "-DCMAKE_C_COMPILER=clang", "-DCMAKE_BUILD_TYPE=RelWithDebInfo",
                        "-DFOTA_SANITIZE=ON", "-DFOTA_FUZZ=ON", "-DFOTA_TARGET=OFF", "-DBUILD_TESTING=OFF", "-DFOTA_PARTS=pack;gateway;hub;tests/fuzz"],
                       check=True, stdout=subprocess.DEVNULL)
    targets = sorted(f[5:-2] for f in os.listdir(HERE) if f.startswith("fuzz_") and f.endswith(".c"))
    done = subprocess.run(["cmake", "--build", folder, "--target", *("fuzz_" + t for t in targets)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stdout)
    return targets


def last(pattern, text, default=0):
    found = re.findall(pattern, text)
    return int(found[-1]) if found else default


def fuzz(folder, target, seconds, seed, found):
    """(target, runs, coverage, new, what is wrong)"""
    program = os.path.join(folder, "tests", "fuzz", "fuzz_" + target)
    corpus, work = os.path.join(HERE, "corpus", target), os.path.join(folder, "corpus", target)
    os.makedirs(work, exist_ok=True)
    kept = sorted(os.path.join(corpus, f) for f in os.listdir(corpus)) if os.path.isdir(corpus) else []
    if not kept:
        return target, 0, 0, 0, f"{corpus} is empty: tests/fuzz/seeds.py makes seeds"
    replay = subprocess.run([program, "-timeout=20", f"-artifact_prefix={found}/{target}-", *kept], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                            env=ENVIRONMENT, check=False)
    if replay.returncode != 0:
        case = re.findall(r"Running: (\S+)", replay.stdout)
        return target, len(kept), 0, 0, f"the corpus fails:\n{replay.stdout[-3000:]}\n  replay: {program} {case[-1] if case else ''}"
    before = set(os.listdir(found))
    argv = [program, f"-max_total_time={seconds}", f"-seed={seed}", f"-max_len={LARGEST.get(target, 2048)}", "-timeout=20", "-rss_limit_mb=2048",
            "-print_final_stats=1", f"-artifact_prefix={found}/{target}-", work, corpus]
    run = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=ENVIRONMENT, check=False)
    runs, coverage = last(r"stat::number_of_executed_units:\s+(\d+)", run.stdout), last(r" cov: (\d+)", run.stdout)
    new = last(r"stat::new_units_added:\s+(\d+)", run.stdout)
    if run.returncode != 0:
        cases = sorted(set(os.listdir(found)) - before)
        where = "\n".join(f"  replay: {program} {os.path.join(found, c)}" for c in cases if c.startswith(target))
        return target, runs, coverage, new, f"{run.stdout[-3500:]}\n{where}"
    return target, runs, coverage, new, ""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build", metavar="DIR")
    parser.add_argument("--seconds", type=int, default=300, help="for each target (default 300)")
    parser.add_argument("--seed", type=int, help="default: the commit's")
    parser.add_argument("target", nargs="*", help="only these")
    a = parser.parse_args()
    if shutil.which("clang") is None:
        sys.exit("fuzz: clang is missing: make deps")
    folder = os.path.abspath(os.path.join(a.build, "fuzz"))
    found = os.path.join(folder, "found")
    os.makedirs(found, exist_ok=True)
    seed = (commit_seed() if a.seed is None else a.seed) % 2147483647 or 1
    targets = build(folder)
    for name in a.target:
        if name not in targets:
            sys.exit(f"fuzz: there is no target {name}; there are {', '.join(targets)}")
    targets = a.target or targets
    print(f"{len(targets)} fuzz targets, {a.seconds} s each, seed {seed}", flush=True)
    rows, bad, began = [], 0, time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(fuzz, folder, t, a.seconds, seed, found) for t in targets]
        for job in concurrent.futures.as_completed(jobs):
            target, runs, coverage, new, wrong = job.result()
            print(f"  {target}: {runs} runs, {coverage} edges, {new} new inputs; {time.monotonic() - began:.0f} s", flush=True)
            if wrong:
                bad += 1
                print(wrong, flush=True)
            rows.append(figures.row(f"fuzz_{target}_runs", runs, "", ok=not wrong and runs > 0))
    rows.append(figures.row("fuzz_findings", bad, "", 0))
    return figures.publish(a.build, "fuzz", rows)


if __name__ == "__main__":
    sys.exit(main())
