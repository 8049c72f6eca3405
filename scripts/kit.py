#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The kit: what an application takes from fota, as one archive, BUILD/fota-kit-VERSION.tar.xz. The same sources and compiler give the same bytes.

What is compiled stands in target/sources.mk; the headers of those folders go with it."""
import argparse
import io
import os
import re
import subprocess
import sys
import tarfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# folder or file of the kit: where it comes from. {crypto}: what scripts/fetch-crypto.sh brought, {build}: of the Arm build
PLACES = {"core/": "core/", "port/": "target/kit/port/", "crypto/bearssl/": "{crypto}/bearssl/", "crypto/p256-m/": "{crypto}/p256-m/",
          "examples/Makefile": "target/kit/examples.mk", "examples/.project": "target/kit/cubeide/.project",
          "examples/.cproject": "target/kit/cubeide/.cproject", "bootloader/bootloader.bin": "{build}/bootloader.bin",
          "crypto/p256-m/LICENSE": "/usr/share/common-licenses/Apache-2.0", "LICENSE": "LICENSE", "integrate.md": "docs/integrate.md",
          "application.md": "docs/application.md"} | {
              name: "target/kit/" + name for name in ("README.md", "CMakeLists.txt", "fota.mk", "fota_flash.ld", "post-build.sh")}
# besides sources and headers; examples are folders
FILES = ["sources.mk", "sources.cmake", "toolchain.cmake", "agent/application.ld", "crypto/bearssl/LICENSE.txt", "crypto/p256-m/p256-m.c"]
FILES += [name for name in PLACES if not name.endswith("/")]
FOLDERS = ["agent/include", "chip", "core/include/fota", "crypto/psa", "crypto/mbedtls", "crypto/p256-m", "crypto/bearssl/inc", "crypto/bearssl/src",
           "port/hal"]
EXAMPLES = ["bare", "hello", "busy", "tasks", "hal", "freertos"]


def source(name, where):
    """Where a file of the kit comes from."""
    for place in sorted(PLACES, key=len, reverse=True):
        if name == place or (place.endswith("/") and name.startswith(place)):
            path = PLACES[place].format(**where) + name[len(place):]
            break
    else:
        path = os.path.join("target", name)
    return os.path.join(ROOT, path)


def contents(where):
    """@return names of the kit's files"""
    with open(os.path.join(ROOT, "target", "sources.mk"), encoding="utf-8") as f:
        names = set(re.findall(r"\S+\.c\b", "\n".join(line for line in f if not line.startswith("#"))))
    names.update(FILES)
    for folder in FOLDERS:
        names.update(f"{folder}/{n}" for n in os.listdir(source(folder + "/", where)) if n.endswith(".h"))
    for example in EXAMPLES:
        names.update(f"examples/{example}/{n}" for n in os.listdir(source(f"examples/{example}/", where)))
    return sorted(names)


def output(*command):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    p.add_argument("--build", default="build")
    a = p.parse_args()
    build = os.path.abspath(a.build)
    where = {"crypto": os.path.join(build, "crypto"), "build": os.path.join(build, "target")}
    version = output("scripts/version.sh")
    # of the last commit; a tarball of `make dist` has none
    when = int(output("git", "log", "-1", "--format=%ct")) if os.path.exists(os.path.join(ROOT, ".git")) else int(os.path.getmtime(os.path.join(ROOT, "VERSION")))
    path = os.path.join(build, f"fota-kit-{version}.tar.xz")
    with tarfile.open(path + ".part", "w:xz", format=tarfile.PAX_FORMAT, preset=9) as tar:
        for name in contents(where) + ["VERSION"]:
            if name == "VERSION":
                data, mode = (version + "\n").encode(), 0o644
            else:
                file = source(name, where)
                if not os.path.exists(file):
                    sys.exit(f"kit: {name} should come from {file}, which is not there: build first")
                with open(file, "rb") as f:
                    data = f.read()
                mode = 0o755 if os.access(file, os.X_OK) and name.endswith(".sh") else 0o644
            entry = tarfile.TarInfo(f"fota-kit-{version}/{name}")
            entry.size, entry.mtime, entry.mode = len(data), when, mode
            entry.uname = entry.gname = "root"
            tar.addfile(entry, io.BytesIO(data))
    os.replace(path + ".part", path)
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
