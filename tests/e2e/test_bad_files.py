#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `fota verify`, `inspect` and `pack` say of every bad file: field, value, and what to do. No device.

usage: test_bad_files.py BUILD_DIR [test names]"""
import json
import struct
import sys
import unittest

from cases import CASES, MISFITS, facts, others
from system import System, build_dir, read

PT_LOAD = 1


class BadFiles(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.system = System(BUILD)
        cls.addClassCleanup(cls.system.close, False)
        cls.good = cls.system.bench.package("2.0.0")
        cls.bad = cls.system.make_bad(cls.good)
        cls.system.bench.firmware_bin("2.0.0")
        cls.system.bench.run("image", cls.good, "--slot", "A", "-o", cls.system.path("factory.bin"))
        key_id = lambda name: cls.json("inspect", cls.system.path(name))["key_id"]  # noqa: E731
        cls.facts = facts(read(cls.good), key_id("demo.pub.pem"), key_id("other.pub.pem"))

    @classmethod
    def json(cls, *arguments):
        return json.loads(cls.system.fota(*arguments, "--json").stdout)

    def refused(self, file, reason, says, *arguments):
        """The command ends with 1 and one line on stderr that names the file and says all this; so does its JSON."""
        done = self.system.fota(*arguments)
        self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (1, "", 1), done)
        self.assertTrue(done.stderr.startswith("fota: "), done.stderr)
        self.assertIn(file, done.stderr)
        for phrase in says:
            self.assertIn(phrase.format(**self.facts), done.stderr)
        answer = self.json(*arguments)
        self.assertEqual((answer["ok"], answer["reason"], answer["message"]), (False, reason, done.stderr[len("fota: "):-1]))

    def test_every_case_is_there(self):
        self.assertEqual(sorted(self.bad), sorted([c.name for c in CASES] + [c.name for c, _ in MISFITS]))

    def test_good(self):
        self.assertTrue(self.json("verify", self.good, "--key", self.system.bench.public)["ok"])

    def test_verify(self):
        for case in CASES:
            with self.subTest(case.name):
                self.refused(self.bad[case.name], case.reason, case.says, "verify", self.bad[case.name], "--key",
                             self.system.bench.public)

    def test_verify_for_a_device(self):
        for case, device in MISFITS:
            with self.subTest(case.name):
                file = self.bad[case.name]
                self.assertTrue(self.json("verify", file, "--key", self.system.bench.public)["ok"])
                self.refused(file, case.reason, case.says, "verify", file, "--key", self.system.bench.public, *device)

    def test_inspect(self):
        for case in CASES:
            with self.subTest(case.name):
                file = self.bad[case.name]
                answer = self.json("inspect", file, "--key", self.system.bench.public)
                if case.name == "cut-1":  # one byte says nothing
                    self.assertFalse(answer["ok"])
                    continue
                self.assertEqual((answer["ok"], answer["reason"]), (False, case.reason))
                for phrase in (file, *case.says):
                    self.assertIn(phrase.format(**self.facts), answer["message"])

    def test_other_files(self):
        s = self.system
        for other in others(read, lambda n: s.tool("target", n), s.path):
            with self.subTest(other.name):
                file = s.path("other-" + other.name)
                with open(file, "wb") as f:
                    f.write(other.data)
                self.refused(file, other.verify, other.says, "verify", file, "--key", s.bench.public)
                if other.kind is not None:
                    answer = self.json("inspect", file)
                    self.assertEqual((answer["kind"], answer["ok"]), (other.kind, False))
                    for phrase in (file, *other.says):
                        self.assertIn(phrase, answer["message"])
                if other.pack:
                    self.refused(file, "truncated" if not other.data else "magic", other.pack, "pack", file, "--key", s.bench.key,
                                 "-o", s.path("never.fota"))
        self.refused(self.good, "magic", ("a .fota package already", "fota inspect", "fota flash"), "pack", self.good, "--key",
                     s.bench.key, "-o", s.path("never.fota"))
        self.assert_nothing_was_packed()

    def assert_nothing_was_packed(self):
        with self.assertRaises(FileNotFoundError):
            read(self.system.path("never.fota"))

    def test_elf_at_the_wrong_address(self):
        s = self.system
        a, b = (s.tool("target", f"hello-2.0.0.{slot}.elf") for slot in "ab")
        moved = bytearray(read(a))
        table, = struct.unpack_from("<I", moved, 28)
        for i in range(struct.unpack_from("<H", moved, 44)[0]):
            kind, _, virtual, load = struct.unpack_from("<IIII", moved, table + 32 * i)
            if kind == PT_LOAD and load >= 0x08000000:  # as if it had been linked for the beginning of the flash
                struct.pack_into("<II", moved, table + 32 * i + 8, virtual, load - 0x4200)
        low = s.path("low.elf")
        with open(low, "wb") as f:
            f.write(moved)
        should = ("slot A is 0x08004200", "set the origin of the flash in the linker script to 0x08004200", "length to 376320")
        pack = ("--key", s.bench.key, "-o", s.path("never.fota"))
        self.refused(low, "link-address", ("linked for 0x08000000", *should), "pack", low, *pack)
        self.refused(low, "link-address", ("linked for 0x08000000", *should), "pack", low, b, *pack)
        self.refused(b, "link-address", ("linked for 0x08060200", "the other slot", *should), "pack", b, *pack)
        self.refused(b, "link-address", ("linked for 0x08060200", "slot A first and slot B second"), "pack", b, a, *pack)
        self.refused(a, "link-address", ("linked for 0x08004200", "slot B is 0x08060200", "origin of the flash in the linker script "
                                         "to 0x08060200"), "pack", a, a, *pack)
        self.assert_nothing_was_packed()
        answer = self.json("inspect", low)
        self.assertEqual((answer["ok"], answer["reason"]), (False, "link-address"))
        self.assertIn("0x08004200", answer["message"])

    def test_vectors_in_the_elf(self):
        s = self.system
        for at, value, says in ((0, 0x20020008, "stack pointer 0x20020008"), (0, 0x20000004, "stack pointer 0x20000004"),
                                (4, 0x08000101, "reset address 0x08000101"), (4, 0x08004400, "reset address 0x08004400")):
            links = []
            for slot, base in (("a", 0x08004200), ("b", 0x08060200)):
                elf = bytearray(read(s.tool("target", f"hello-2.0.0.{slot}.elf")))
                struct.pack_into("<I", elf, self.file_offset(elf, base) + at, value)
                links.append(s.path(f"vectors.{slot}.elf"))
                with open(links[-1], "wb") as f:
                    f.write(elf)
            with self.subTest(says):
                self.refused(links[0], "vectors", (says, "8-aligned in SRAM", "odd", "put the vector table first in the linker script"),
                             "pack", *links, "--key", s.bench.key, "-o", s.path("never.fota"))
        self.assert_nothing_was_packed()

    @staticmethod
    def file_offset(elf, address):
        table, = struct.unpack_from("<I", elf, 28)
        for i in range(struct.unpack_from("<H", elf, 44)[0]):
            kind, offset, _, load, size = struct.unpack_from("<IIIII", elf, table + 32 * i)
            if kind == PT_LOAD and load <= address < load + size:
                return offset + address - load
        raise ValueError(f"0x{address:08x} is not in this ELF")


if __name__ == "__main__":
    BUILD = build_dir(sys.argv)
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]], verbosity=2)
