#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What programs can find in the C sources without running them.

  format     clang-format has nothing to change
  tidy       clang-tidy (.clang-tidy)
  cppcheck   cppcheck
  analyzer   gcc -fanalyzer, of the machine and of the Arm
  waits      no wait without an end on the chip (waits.py)

Every C file that is built is looked at once, with the flags that it is built with. Exit status 1 when anything is found. There is no list of
findings to leave out: a wrong one is suppressed where it is, by the tool's own comment and with the reason."""
import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
JOBS = os.cpu_count()
# C files that no compile command names, and why that is so
APART = {"board/tests/firmware/": "built by the Arm compiler with flags of their own; they break rules on purpose, to see the board notice",
         "board/src/unicorn_plain.c": "empty functions for other versions of Unicorn than the one that is here",
         "gateway/linux/gpio_v2.c": "for libgpiod 2, where Debian 12 has 1",
         "target/examples/freertos/": "built where FREERTOS_DIR= names the kernel",
         "gateway/esp32/host/": "built by ESP-IDF alone, or behind its headers (make esp32-linux, esp32-check)",
         "cli/tests/app.c": "linked in many wrong ways, to see `fota pack` refuse it",
         "cli/tests/doctor.c": "the same for `fota doctor`",
         "tests/fuzz/": "built by clang in a build of their own (fuzz.py), under sanitizers",
         "tests/static/": "what waits.py has to find"}


def git_files(*patterns):
    done = subprocess.run(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard", "--", *patterns], capture_output=True, text=True, check=True)
    return [f for f in done.stdout.split("\n") if f and os.path.exists(os.path.join(ROOT, f))]


class Sources:
    """The compile commands of a build, one for each file of ours."""

    def __init__(self, build, part, name):
        with open(os.path.join(build, part, "compile_commands.json"), encoding="utf-8") as f:
            entries = json.load(f)
        ours, self.entries = set(git_files("*.c")), {}
        for e in entries:
            path = os.path.relpath(os.path.realpath(os.path.join(e["directory"], e["file"])), ROOT)
            if path in ours:
                self.entries.setdefault(path, e)
        for entry in self.entries.values():  # gcc's alone
            entry["command"] = re.sub(" -(fcallgraph-info=su|mword-relocations)", "", entry["command"])
        self.folder = os.path.join(build, "lint", name)
        os.makedirs(self.folder, exist_ok=True)
        with open(os.path.join(self.folder, "compile_commands.json"), "w", encoding="utf-8") as f:
            json.dump(list(self.entries.values()), f, indent=1)

    def command(self, path, *more):
        """The compiler on a file, without output and without what belongs to the link."""
        words = [w for w in shlex.split(self.entries[path]["command"]) if w not in ("-flto", "-fstack-usage")]
        at = words.index("-o")
        return words[:at] + ["-o", os.devnull] + words[at + 2:] + list(more)


def run(command, directory=ROOT):
    """@return what a tool has to say, "" when nothing."""
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    text = done.stdout + done.stderr
    if done.returncode == 0:
        return ""
    return text or f"{shlex.join(command)}: status {done.returncode}\n"


def each(function, things):
    with ThreadPoolExecutor(JOBS) as pool:
        return "".join(pool.map(function, things))


def clang_format(_host, _target):
    files = git_files("*.c", "*.h")
    return len(files), each(lambda part: run(["clang-format", "--dry-run", "--Werror", *part]), [files[i::JOBS] for i in range(JOBS)])


def clang_tidy(host, target):
    library = re.search(r"search starts here:\n (\S*picolibc\S*)", subprocess.run(
        ["arm-none-eabi-gcc", "--specs=picolibc.specs", "-E", "-v", "-x", "c", os.devnull], capture_output=True, text=True, check=True).stderr).group(1)
    arm = ["--extra-arg-before=--target=arm-none-eabi", "--extra-arg=-isystem" + library, "--extra-arg=-Wno-unused-command-line-argument"]

    def one(job):
        sources, path, more = job
        text = run(["clang-tidy", "-p", sources.folder, "--quiet", "--extra-arg=-Wno-unknown-warning-option", *more, path])
        return re.sub(r"^\d+ warnings? .*\n", "", text, flags=re.M)  # of system headers

    # tests/: what helps in a product (no rand(), no ignored result) is in the way in a test
    jobs = [(host, p, []) for p in host.entries if "tests/" not in p] + [(target, p, arm) for p in target.entries if p not in host.entries]
    return len(jobs), each(one, jobs)


def cppcheck(host, target):
    # of what compilers define by themselves, only the byte order matters here
    options = ["cppcheck", "--quiet", f"-j{JOBS}", "--enable=warning,performance,portability", "--inline-suppr", "--error-exitcode=1", "--library=posix",
               "--std=c11", "-D__BYTE_ORDER__=1234", "-D__ORDER_LITTLE_ENDIAN__=1234", "-D__ORDER_BIG_ENDIAN__=4321"]
    text = ""
    for sources, platform in ((host, "unix64"), (target, "unix32")):
        text += run(options + ["--platform=" + platform, "--project=" + os.path.join(sources.folder, "compile_commands.json")])
    return len(host.entries) + len(target.entries), text


def analyzer(host, target):
    jobs = [(s, p) for s in (host, target) for p in s.entries]

    def one(job):
        sources, path = job
        return run(sources.command(path, "-fanalyzer", "-Werror"), sources.entries[path]["directory"])

    return len(jobs), each(one, jobs)


def waits(_host, target):
    build = os.path.dirname(os.path.dirname(target.folder))
    return len(target.entries), run([sys.executable, os.path.join(ROOT, "scripts", "waits.py"), "--build", build])


STEPS = {"format": clang_format, "waits": waits, "cppcheck": cppcheck, "analyzer": analyzer, "tidy": clang_tidy}


def unseen(host, target):
    """C files that would escape."""
    return [f for f in git_files("*.c") if f not in host.entries and f not in target.entries and not f.startswith(tuple(APART))]


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--build", default="build")
    p.add_argument("steps", nargs="*", metavar="STEP", help=f"of {', '.join(STEPS)}; all without any")
    a = p.parse_args()
    if set(a.steps) - set(STEPS):
        p.error(f"no such step: {', '.join(set(a.steps) - set(STEPS))}")
    build = os.path.abspath(a.build)
    host, target = Sources(build, "", "host"), Sources(build, "target", "target")
    status = 0
    for path in unseen(host, target):
        print(f"lint: {path} is not built, so nobody looks at it")
        status = 1
    for name in a.steps or STEPS:
        begin = time.monotonic()
        count, text = STEPS[name](host, target)
        print(text + f"  {name:<9} {count:>4} files  {time.monotonic() - begin:>4.0f} s  {'FOUND SOMETHING' if text else 'clean'}", flush=True)
        status = 1 if text else status
    return status


if __name__ == "__main__":
    sys.exit(main())
