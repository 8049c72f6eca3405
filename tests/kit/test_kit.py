#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The kit, followed word by word: its archive is unpacked in an empty folder, and the blocks of docs/integrate.md run there as they stand, up to updates over
the air on the virtual board. Then the kit's examples, the settings for STM32CubeIDE, and what the usual mistakes say.

usage: test_kit.py BUILD"""
import contextlib
import glob
import lzma
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ET

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
from fotatest import free_port  # noqa: E402

BUILD = os.path.abspath(sys.argv.pop(1) if len(sys.argv) > 1 else "build")
PROGRAMS = ("cli/fota", "board/fota-board", "gateway/fota-gateway")
COMPILER = "arm-none-eabi-gcc"


def blocks(kind):
    """Code blocks of integrate.md."""
    with open(os.path.join(ROOT, "docs", "integrate.md"), encoding="utf-8") as f:
        found = re.findall(rf"^( *)```{kind}\n(.*?)^ *```$", f.read(), re.M | re.S)
    return [re.sub(rf"^{indent}", "", text, flags=re.M) for indent, text in found]


class Place:
    """A folder that holds nothing but the kit, and an environment in which the programs are there and the repository is not."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="fota-kit-")
        self.programs = os.path.join(self.path, "programs")
        self.work = os.path.join(self.path, "work")
        for folder in (self.programs, self.work):
            os.mkdir(folder)
        for program in PROGRAMS:
            os.symlink(os.path.join(BUILD, program), os.path.join(self.programs, os.path.basename(program)))
        self.env = {"PATH": self.programs + ":/usr/local/bin:/usr/bin:/bin:/usr/sbin", "HOME": self.path, "LC_ALL": "C.UTF-8"}

    def run(self, *command, cwd=""):
        """@return (status, all that was said)"""
        done = subprocess.run(command, cwd=os.path.join(self.work, cwd), env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        return done.returncode, done.stdout

    def script(self, text, timeout):
        """A shell session in a group of its own, which ends with it."""
        with open(os.path.join(self.path, "session.log"), "w+", encoding="utf-8") as log:
            shell = subprocess.Popen(["sh", "-eux"], cwd=self.work, env=self.env, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT,
                                     start_new_session=True)
            try:
                shell.communicate(text.encode(), timeout)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(shell.pid, signal.SIGKILL)
            log.seek(0)
            return shell.returncode, log.read()

    def close(self):
        shutil.rmtree(self.path)


class Kit(unittest.TestCase):
    @staticmethod
    def make():
        return subprocess.run([os.path.join(ROOT, "scripts", "kit.py"), "--build", BUILD], capture_output=True, text=True, check=True).stdout.strip()

    @classmethod
    def setUpClass(cls):
        cls.archive = cls.make()
        cls.place = Place()
        shutil.copy(cls.archive, cls.place.work)

    @classmethod
    def tearDownClass(cls):
        cls.place.close()

    def good(self, *command, cwd=""):
        status, said = self.place.run(*command, cwd=cwd)
        self.assertEqual(status, 0, f"{' '.join(command)}\n{said}")
        return said

    def bad(self, *command, says, cwd=""):
        status, said = self.place.run(*command, cwd=cwd)
        self.assertNotEqual(status, 0, said)
        self.assertRegex(said, says)

    # --- in this order: the session leaves the unpacked kit and a key behind ---

    def test_1_archive(self):
        """The same bytes each time; nothing in it knows where it was made."""
        with open(self.archive, "rb") as f:
            first = f.read()
        self.assertNotIn(ROOT.encode(), lzma.decompress(first))
        self.assertEqual(self.make(), self.archive)
        with open(self.archive, "rb") as f:
            self.assertEqual(first, f.read())

    def test_2_word_by_word(self):
        """integrate.md, with free ports for the broker and the web server."""
        session = "\n".join(blocks("sh")).replace("1883", str(free_port())).replace("8000 ", f"{(web := free_port())} ").replace(":8000/", f":{web}/")
        status, said = self.place.script(session, 300)
        self.assertEqual(status, 0, said)
        self.assertIn("confirmed: the device runs version 1.1.0 in slot B", said)
        self.assertEqual(re.findall(r'^\{.*"state":"confirmed".*?"version":"([0-9.]*)".*"slot":"([AB])"', said, re.M), [("1.2.0", "A"), ("1.3.0", "B")], said)
        # nothing but the kit, the project and the compiler was read
        for name in glob.glob(self.place.work + "/build-0/**/*.d", recursive=True):
            with open(name, encoding="utf-8") as f:
                for path in re.findall(r"(?<=\s)/\S+", f.read()):
                    self.assertTrue(path.startswith("/usr/"), f"{name}: {path}")
        self.good("fota", "verify", "build-0/app.fota", "--key", "release.pub.pem")
        self.good("fota", "pack", "build-0/app.bin", *("--key", "release.pem", "-o", "again.fota", "--product", "5f0e1a52-7c34-4b11-9d20-610b3a774001",
                                                       "--hw", "1-2", "--version", "1.0.0", "--counter", "1"))

    def test_3_examples(self):
        for example in ("bare", "hello", "busy", "tasks"):
            self.good("make", f"EXAMPLE={example}", "KEY=../../release.pem", cwd="fota-kit/examples")
            self.good("fota", "verify", f"fota-kit/examples/build/{example}.fota", "--key", "release.pub.pem")
        self.good("make", "EXAMPLE=busy", "MINOR=1", "FOTA_RAM=1", cwd="fota-kit/examples")
        self.assertRegex(self.good("arm-none-eabi-nm", "fota-kit/examples/build/busy.a.elf"), "(?m)^20.* flash_erase$")
        self.bad("make", "EXAMPLE=hal", cwd="fota-kit/examples", says="STM32CUBE_DIR= names")
        self.bad("make", "EXAMPLE=freertos", cwd="fota-kit/examples", says="FREERTOS_DIR= names")

    def test_4_cubeide(self):
        """The importable project names what is there. And what a managed project would build, by the filter, the includes and the post-build command
        of integrate.md, with tests/system/hal in the place of ST's HAL."""
        examples = os.path.join(self.place.work, "fota-kit", "examples")
        for name in (".project", ".cproject"):
            ET.parse(os.path.join(examples, name))
        with open(os.path.join(examples, ".cproject"), encoding="utf-8") as f:
            for path in re.findall(r"\$\{ProjDirPath\}(/[^\"]*)", f.read()):
                self.assertTrue(os.path.isdir(examples + path), path)

        out = os.path.join(self.place.work, "ide", "Debug")
        os.makedirs(out)
        kit = os.path.join(self.place.work, "ide", "fota-kit")
        shutil.copytree(os.path.join(self.place.work, "fota-kit"), kit)
        hal = os.path.join(self.place.work, "ide", "hal")
        shutil.copytree(os.path.join(ROOT, "tests", "system", "hal"), hal)
        excluded = blocks("exclude")[0].split()
        sources = [os.path.relpath(p, kit) for p in glob.glob(kit + "/**/*.c", recursive=True)]
        sources = ["../fota-kit/" + s for s in sources if not any(s == e or (e.endswith("/") and s.startswith(e)) for e in excluded)]
        # in the place of HAL, start-up file and main.c of a project
        sources += ["../hal/hal.c"] + ["../fota-kit/" + s for s in ("chip/clock.c", "chip/dma.c", "chip/startup.c", "examples/hal/main.c")]
        flags = "-mcpu=cortex-m4 -mthumb -mfpu=fpv4-sp-d16 -mfloat-abi=hard -Os -g --specs=picolibc.specs -ffunction-sections -fdata-sections"
        flags = flags.split() + ["-mword-relocations", "-DFOTA_AGENT_LINES=2u", "-DEXAMPLE_MINOR=0u", "-I../hal"]
        flags += ["-I../fota-kit/" + folder for folder in blocks("include")[0].split()]
        for i, source in enumerate(sources):
            self.good(COMPILER, *flags, "-c", source, "-o", f"{i}.o", cwd="ide/Debug")
        with open(os.path.join(out, "objects.list"), "w", encoding="utf-8") as f:
            f.write("\n".join(f'"./{i}.o"' for i in range(len(sources))))
        with open(os.path.join(kit, "agent", "application.ld"), encoding="utf-8") as f:  # as a project of the IDE has it: it knows nothing of fota's sections
            script = f.read().replace("KEEP(*(.fota_appinfo)) ", "")
        with open(os.path.join(self.place.work, "ide", "STM32F407VGTX_FLASH.ld"), "w", encoding="utf-8") as f:
            f.write(script)
        shutil.copy(os.path.join(self.place.work, "release.pem"), os.path.join(self.place.work, "ide"))
        command = blocks("post-build")[0].replace("--specs=nano.specs --specs=nosys.specs", "--specs=picolibc.specs -nostartfiles")
        self.good("sh", "-c", command, cwd="ide/Debug")
        self.assertIn("1.0.0", self.good("fota", "verify", "ide/Debug/app.fota", "--key", "release.pub.pem") +
                      self.good("fota", "inspect", "ide/Debug/app.fota"))

    def link(self, *more, objects="build-0/main.o", fota="build-0/fota"):
        found = [os.path.relpath(p, self.place.work) for p in sorted(glob.glob(os.path.join(self.place.work, fota, "**", "*.o"), recursive=True))]
        return [COMPILER, objects, *found, "-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16", "-nostartfiles", "--specs=picolibc.specs",
                "-Wl,--no-warn-rwx-segments", "-Wl,--gc-sections", "-Lfota-kit", *more]

    def test_5_mistakes(self):
        script = "-Tfota-kit/agent/application.ld"
        # one link without its relocations
        self.good(*self.link(script, "-Wl,--defsym=fota_code=0x08004200", "-o", "plain.elf"))
        self.bad("fota", "pack", "plain.elf", "--key", "release.pem", "-o", "x.fota", says="--emit-relocs")
        # FOTA_APPLICATION() forgotten
        self.good("sh", "-c", "sed '/^FOTA_APPLICATION/,/;/d' main.c > none.c")
        self.good(COMPILER, "-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16", "-Os", "--specs=picolibc.specs", "-DEXAMPLE_MINOR=0u", "-Ifota-kit/agent/include",
                  "-Ifota-kit/chip", "-Ifota-kit/core/include", "-c", "none.c", "-o", "none.o")
        self.bad("sh", "fota-kit/post-build.sh", "none", "--", *self.link(script, "-Wl,--require-defined=fota_application", objects="none.o"),
                 says="fota_application")
        # a linker script of its own, that knows nothing of slots
        with open(os.path.join(self.place.work, "fota-kit", "agent", "application.ld"), encoding="utf-8") as f:
            own = f.read().replace("INCLUDE fota_flash.ld", "FLASH (rx) : ORIGIN = 0x08000000, LENGTH = 1024K")
        with open(os.path.join(self.place.work, "own.ld"), "w", encoding="utf-8") as f:
            f.write(own)
        self.bad("sh", "fota-kit/post-build.sh", "own", "--", *self.link("-Town.ld"), says="0x08004200")
        # too large
        with open(os.path.join(self.place.work, "large.c"), "w", encoding="utf-8") as f:
            f.write("const char large[400000] = {1};\n")
        self.good(COMPILER, "-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16", "-c", "large.c", "-o", "large.o")
        self.bad("sh", "fota-kit/post-build.sh", "large", "--", *self.link(script, "large.o", "-Wl,--undefined=large"), says="region `FLASH' overflowed")
        # a key that is not there, a port that is none, no program fota
        self.bad("make", "MINOR=4", "FOTA_KEY=nowhere.pem", says="nowhere.pem")
        self.bad("make", "FOTA_PORT=HAL", says="FOTA_PORT is chip, hal or own, not HAL")
        self.bad("cmake", "-S", ".", "-B", "cmake-bad", "-DCMAKE_TOOLCHAIN_FILE=fota-kit/toolchain.cmake", "-DFOTA_PORT=HAL",
                 says="FOTA_PORT is chip, hal or own, not HAL")
        self.bad("env", "PATH=/usr/bin:/bin", "sh", "fota-kit/post-build.sh", "x", "--", "true", says="fota is not in PATH")


if __name__ == "__main__":
    unittest.main(verbosity=2)
