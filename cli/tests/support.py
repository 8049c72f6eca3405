# SPDX-License-Identifier: MIT
"""What the tests of `fota` share: a scratch folder with freshly linked programs, and running the command."""
import json
import os
import shutil
import struct
import subprocess
import tempfile
import unittest
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
FOTA = os.environ.get("FOTA", "fota")
GCC = os.environ.get("ARM_GCC", "arm-none-eabi-gcc")
OBJCOPY = os.environ.get("ARM_OBJCOPY", "arm-none-eabi-objcopy")
FLAGS = ["-mcpu=cortex-m4", "-mthumb", "-O2", "-nostdlib", "-ffreestanding"]
SLOT_A, SLOT_B = 0x08004200, 0x08060200
DISTANCE = 0x5C000
PRODUCT = "3f1c9a52-0d4e-4b7a-9c55-6a1be0f4c001"
OTHER_PRODUCT = "00000000-0000-4000-8000-000000000000"
MEMBERS = ["--product", PRODUCT, "--hw", "1-4", "--version", "1.2.3+7", "--counter", "3"]


class Scratch(unittest.TestCase):
    """One folder for each class, with a key, two links and the packages made of them."""

    @classmethod
    def setUpClass(cls):
        if shutil.which(GCC) is None:
            raise RuntimeError(f"{GCC} is missing: install gcc-arm-none-eabi")
        cls.dir = tempfile.mkdtemp(prefix="fota-cli-")
        cls.addClassCleanup(shutil.rmtree, cls.dir)
        cls.script = os.path.join(HERE, "app.ld")
        cls.link("a.elf", SLOT_A, "-Wl,--emit-relocs")
        cls.link("b.elf", SLOT_B)
        for name in ("k", "k2"):
            cls.run_fota("keygen", "-o", name)
        cls.ok_setup("pack", "a.elf", "b.elf", "--key", "k.pem", "-o", "app.fota")

    @classmethod
    def path(cls, name):
        return os.path.join(cls.dir, name)

    @classmethod
    def link(cls, name, origin, *flags, script=None, source="app.c"):
        subprocess.run(
            [GCC, *FLAGS, *flags, f"-Wl,-T,{script or cls.script}", f"-Wl,--defsym=flash_origin={origin:#x}",
             os.path.join(HERE, source), "-o", name], cwd=cls.dir, check=True, capture_output=True)
        return name

    @classmethod
    def links(cls, name, *flags, script=None):
        """Both slots, the first with its relocations kept."""
        a, b = f"{name}_a.elf", f"{name}_b.elf"
        cls.link(a, SLOT_A, "-Wl,--emit-relocs", *flags, script=script)
        cls.link(b, SLOT_B, *flags, script=script)
        return a, b

    @classmethod
    def run_fota(cls, *arguments):
        return subprocess.run([FOTA, *arguments], cwd=cls.dir, capture_output=True, text=True, timeout=60)

    @classmethod
    def ok_setup(cls, *arguments):
        r = cls.run_fota(*arguments)
        if r.returncode != 0:
            raise RuntimeError(f"fota {' '.join(arguments)}: {r.stderr}")

    def good(self, *arguments):
        r = self.run_fota(*arguments)
        self.assertEqual((r.returncode, r.stderr), (0, ""), arguments)
        return r.stdout

    def good_json(self, *arguments):
        out = json.loads(self.good(*arguments, "--json"))
        self.assertIs(out["ok"], True)
        return out

    def refused(self, message, *arguments, code=1):
        """The command fails with exactly this sentence."""
        r = self.run_fota(*arguments)
        self.assertEqual((r.stderr, r.returncode), (f"fota: {message}\n", code), arguments)

    def read(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()

    def write(self, name, data):
        with open(self.path(name), "wb") as f:
            f.write(data)
        return name


def u16(data, at):
    return struct.unpack_from("<H", data, at)[0]


def u32(data, at):
    return struct.unpack_from("<I", data, at)[0]


def put32(data, at, value):
    data = bytearray(data)
    struct.pack_into("<I", data, at, value & 0xFFFFFFFF)
    return bytes(data)


def unpack_package(data):
    """An independent reader (docs/image.md): the code for both slots and the absolute offsets of the words that move."""
    header, at = data[:512], 512
    kind, zero, length = struct.unpack_from("<HHI", data, at)
    assert (kind, zero) == (1, 0)
    at += 8
    end = at + length
    a, b, moves = b"", b"", []
    while at < end:
        size, count = struct.unpack_from("<HH", data, at)
        assert 1 <= size <= 4096
        offsets = struct.unpack_from(f"<{count}H", data, at + 4)
        at += 4 + 2 * count
        code = bytearray(data[at:at + size])
        at += size
        moves += [len(a) + o for o in offsets]
        a += code
        for o in offsets:
            assert o + 4 <= size
            struct.pack_into("<I", code, o, (u32(code, o) + DISTANCE) & 0xFFFFFFFF)
        b += code
    assert at == end and data[at:] == b"\xff\xff\0\0\0\0\0\0"
    return header, a, b, moves


def make_bin(code, offsets, link=SLOT_A, distance=DISTANCE):
    body = code + b"".join(struct.pack("<I", o) for o in offsets)
    body += struct.pack("<IIII", len(code), link, distance, len(offsets))
    return body + struct.pack("<I", zlib.crc32(body)) + b"FRL1"
