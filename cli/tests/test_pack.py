# SPDX-License-Identifier: MIT
"""fota pack, bin, image: from real programs of the Arm compiler to packages."""
import hashlib
import os
import subprocess
import unittest
import zlib

from support import (DISTANCE, GCC, MEMBERS, OBJCOPY, PRODUCT, SLOT_A, Scratch, make_bin, u32, unpack_package)

MOVW = ("compile with -mword-relocations and without -mslow-flash-data and -mpure-code (gcc), with -mno-movt (clang); "
        "in assembler write `ldr r0, =symbol`")
SAME = ("The two must be links of the same objects with nothing but the origin of the flash changed: no __TIME__, no "
        "-Wl,--build-id, no branch to a fixed address, no arithmetic on addresses")
VECTORS = ("; the stack pointer must be 8-aligned in SRAM (0x20000000-0x20020000) or CCM (0x10000000-0x10010000), the reset "
           "address odd and between 0x08004200 and 0x{end:08x}: put the vector table first in the linker script")
MOVES = ("it does not say which of its words are addresses, so it cannot be moved to slot B. Give the ELF that it was made of "
         "(two links, or one with -Wl,--emit-relocs), or a firmware.bin made by fota bin")


def binary(case, elf):
    out = elf + ".bin"
    subprocess.run([OBJCOPY, "-O", "binary", elf, out], cwd=case.dir, check=True)
    data = case.read(out)
    return data + b"\xff" * (-len(data) % 4)


class Pack(Scratch):
    def pack(self, *inputs, out="out.fota"):
        return self.good("pack", *inputs, "--key", "k.pem", "-o", out)

    def pack_refused(self, message, *inputs, code=1):
        if os.path.exists(self.path("never.fota")):
            os.remove(self.path("never.fota"))
        self.refused(message, "pack", *inputs, "--key", "k.pem", "-o", "never.fota", code=code)
        self.assertFalse(os.path.exists(self.path("never.fota")), "nothing is written after an error")

    def symbol(self, elf, name):
        out = subprocess.run(["arm-none-eabi-nm", elf], cwd=self.dir, check=True, capture_output=True, text=True).stdout
        return [int(line.split()[0], 16) for line in out.splitlines() if line.split()[-1] == name][0]

    def test_the_package_holds_both_links(self):
        header, a, b, moves = unpack_package(self.read("app.fota"))
        self.assertEqual(a, binary(self, "a.elf"))
        self.assertEqual(b, binary(self, "b.elf"))
        self.assertGreaterEqual(len(moves), 10)
        self.assertTrue(any(m % 4 for m in moves), "the packed struct has unaligned words")
        self.assertTrue(any(y - x == 4 and x % 4 for x, y in zip(moves, moves[1:])), "and adjacent ones")
        self.assertEqual(header[72:104], hashlib.sha256(a).digest())
        self.assertEqual(header[104:136], hashlib.sha256(b).digest())
        self.assertEqual((u32(header, 64), u32(header, 68)), (zlib.crc32(a), zlib.crc32(b)))
        self.assertEqual(u32(header, 52), DISTANCE)

    def test_two_links_relocations_and_firmware_bin_give_the_same_bytes(self):
        two = self.read("app.fota")
        self.pack("a.elf", out="one.fota")
        self.assertEqual(self.read("one.fota"), two, "RFC 6979: even the signature is the same")
        self.good("bin", "a.elf", "b.elf", "-o", "fw.bin")
        self.good("bin", "a.elf", "-o", "fw1.bin")
        self.assertEqual(self.read("fw.bin"), self.read("fw1.bin"))
        self.pack("fw.bin", out="bin.fota")
        self.assertEqual(self.read("bin.fota"), two)
        _, a, _, moves = unpack_package(two)
        self.assertEqual(self.read("fw.bin"), make_bin(a, moves), "as docs/image.md says")

    def test_optimisations_and_cores(self):
        for flags in (["-O0"], ["-Os", "-flto"], ["-O3", "-ffunction-sections", "-Wl,--gc-sections"],
                      ["-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"], ["-mlong-calls"], ["-Os"]):
            with self.subTest(flags=flags):
                a, b = self.links("flags", *flags)
                self.pack(a, b, out="two.fota")
                self.pack(a, out="one.fota")
                self.assertEqual(self.read("two.fota"), self.read("one.fota"))
                _, code_a, code_b, _ = unpack_package(self.read("two.fota"))
                self.assertEqual((code_a, code_b), (binary(self, a), binary(self, b)))

    def test_members_come_from_the_application_and_options_override(self):
        out = self.good_json("pack", "a.elf", "--key", "k.pem", "-o", "m.fota")
        self.assertEqual((out["product"], out["version"], out["hw_min"], out["hw_max"], out["counter"], out["deadline_ms"]),
                         (PRODUCT, "1.2.3+7", 1, 4, 3, 20000))
        out = self.good_json("pack", "a.elf", "--key", "k.pem", "-o", "m.fota", "--version", "2.0.1", "--hw", "6", "--counter",
                             "9", "--deadline", "45", "--product", "00112233-4455-6677-8899-aabbccddeeff")
        self.assertEqual((out["product"], out["version"], out["hw_min"], out["hw_max"], out["counter"], out["deadline_ms"]),
                         ("00112233-4455-6677-8899-aabbccddeeff", "2.0.1", 6, 6, 9, 45000))
        self.assertEqual(hashlib.sha256(self.read("m.fota")).hexdigest(), out["sha256"])
        self.assertEqual(hashlib.sha256(self.read("m.fota")[:448]).hexdigest(), out["identity"])

    def test_an_application_without_info(self):
        a, b = self.links("noinfo", "-DNO_INFO")
        self.pack_refused("the application says nothing of itself (fota/appinfo.h), so --product --hw --version --counter must "
                          "be given", a, b, code=2)
        self.good("pack", a, b, "--key", "k.pem", "-o", "x.fota", *MEMBERS)

    def test_two_infos(self):
        a, b = self.links("infos", "-DTWO_INFOS")
        r = self.run_fota("pack", a, b, "--key", "k.pem", "-o", "never.fota")
        self.assertEqual(r.returncode, 1)
        self.assertRegex(r.stderr, r"^fota: infos_a.elf: two blocks of application info, at 0x0800[0-9a-f]{4} and "
                         r"0x0800[0-9a-f]{4}: there must be one \(appinfo.h\); remove the other\n$")

    def test_movw_is_refused_with_the_remedy_and_the_remedy_works(self):
        for flags in (["-mslow-flash-data"], ["-mpure-code"], ["-mtune=cortex-a53"]):
            with self.subTest(flags=flags):
                a, b = self.links("movw", *flags)
                for inputs, more in (((a, b), ""), ((a,), " (relocation type 47)")):
                    r = self.run_fota("pack", *inputs, "--key", "k.pem", "-o", "never.fota")
                    self.assertEqual(r.returncode, 1)
                    tail = " that holds half an address" if more == "" else f"{more} that holds half the address of `data_load`"
                    self.assertRegex(r.stderr, r"^fota: movw_a.elf: the instruction at 0x080042[0-9a-f]{2} "
                                     r"\(`reset`\+0x[0-9a-f]+ in .text\) is a MOVW or MOVT")
                    self.assertTrue(r.stderr.endswith(
                        f"{tail}; only whole 32-bit words can be moved to slot B: {MOVW}\n"), r.stderr)
        a, b = self.links("movw", "-mtune=cortex-a53", "-mword-relocations")
        self.pack(a, b, out="two.fota")
        self.pack(a, out="one.fota")
        self.assertEqual(self.read("two.fota"), self.read("one.fota"))
        r = subprocess.run([GCC, "-mcpu=cortex-m4", "-mword-relocations", "-mpure-code", "-c", "-xc", "/dev/null", "-o",
                            "/dev/null"], capture_output=True, text=True)
        self.assertIn("incompatible", r.stderr, "why the remedy says `without`")

    def test_a_veneer_is_refused_in_one_link_and_fine_in_two(self):
        a, b = self.links("veneer", "-DRAM_CODE")
        r = self.run_fota("pack", a, "--key", "k.pem", "-o", "never.fota")
        self.assertEqual(r.returncode, 1)
        self.assertRegex(r.stderr, r"^fota: veneer_a.elf: the word 0x0800[0-9a-f]{4} at 0x0800[0-9a-f]{4} "
                         r"\(`__choose_veneer`\+0x[48] in .data\) looks like an address in slot A, but no relocation covers it "
                         r"\(a veneer of the linker, a LONG\(\) of the linker script, a number used as an address\): link twice "
                         r"\(slot A and slot B\) and give both ELFs; or, if it is no address, say --allow-word 0x0800")
        self.pack(a, b, out="veneer.fota")
        _, code_a, code_b, _ = unpack_package(self.read("veneer.fota"))
        self.assertEqual((code_a, code_b), (binary(self, a), binary(self, b)))

    def test_a_copy_table_of_the_linker_script(self):
        with open(self.script, encoding="ascii") as f:
            text = f.read()
        for where in ("text", "own"):
            with self.subTest(where=where):
                new = (text.replace("*(.text*)", "*(.text*) . = ALIGN(4); LONG(LOADADDR(.data))") if where == "text" else
                       text.replace("    .ARM.exidx", "    .copy : { LONG(LOADADDR(.data)) LONG(0) } > FLASH\n    .ARM.exidx"))
                self.assertNotEqual(new, text)
                self.write("copy.ld", new.encode())
                a, b = self.links("copy", script="copy.ld")
                load = self.symbol(a, "data_load")
                r = self.run_fota("pack", a, "--key", "k.pem", "-o", "never.fota")
                self.assertEqual(r.returncode, 1)
                self.assertIn(f"the word 0x{load:08x} at 0x0800", r.stderr)
                self.assertIn("no relocation covers it", r.stderr)
                self.pack(a, b)

    def test_a_number_that_looks_like_an_address(self):
        a, b = self.links("number", "-DNUMBER")
        at = self.symbol(a, "number")
        self.pack_refused(f"number_a.elf: the word 0x08004444 at 0x{at:08x} (`number` in .text) looks like an address in slot A, "
                          "but no relocation covers it (a veneer of the linker, a LONG() of the linker script, a number used as "
                          "an address): link twice (slot A and slot B) and give both ELFs; or, if it is no address, say "
                          f"--allow-word 0x{at:08x}", a)
        self.pack(a, "--allow-word", f"{at:#x}", out="allowed.fota")
        self.pack(a, b, out="two.fota")
        self.assertEqual(self.read("allowed.fota"), self.read("two.fota"))
        self.pack_refused("--allow-word 0x08000000 is outside the image, 0x08004200 to "
                          f"0x{SLOT_A + len(binary(self, a)) - 4:08x}", a, "--allow-word", "0x08000000", code=2)

    def test_links_that_are_not_of_the_same_objects(self):
        self.link("x_a.elf", SLOT_A, "-DSTAMP=0x12345678")
        self.link("x_b.elf", SLOT_A + DISTANCE, "-DSTAMP=0x12345679")
        r = self.run_fota("pack", "x_a.elf", "x_b.elf", "--key", "k.pem", "-o", "never.fota")
        self.assertEqual(r.returncode, 1)
        self.assertRegex(r.stderr, r"^fota: the word at 0x080043[0-9a-f]{2} \(`reset`\+0x[0-9a-f]+ in .text\) is "
                         r"0x[0-9a-f]{8} in x_a.elf and 0x[0-9a-f]{8} in x_b.elf: it differs by 0x[0-9a-f]+, not by the slot "
                         r"distance 0x5c000\. ")
        self.assertTrue(r.stderr.endswith(SAME + "\n"))
        size_a = len(self.read(self.link("y_b.elf", SLOT_A + DISTANCE, "-DFILLER=16")))
        self.assertGreater(size_a, 0)
        r = self.run_fota("pack", "a.elf", "y_b.elf", "--key", "k.pem", "-o", "never.fota")
        self.assertRegex(r.stderr, r"^fota: a.elf has \d+ bytes of code and y_b.elf has \d+: the two must be links of the same "
                         r"objects with nothing but the origin of the flash changed\n$")

    def test_a_wrong_address_is_answered_with_the_right_one(self):
        tail = "set the origin of the flash in the linker script to 0x{0:08x}, the length to 376320"
        self.link("zero.elf", 0x08000000, "-Wl,--emit-relocs")
        self.pack_refused("zero.elf: linked for 0x08000000; the address for slot A is 0x08004200: " + tail.format(SLOT_A), "zero.elf")
        self.pack_refused("zero.elf: linked for 0x08000000; the address for slot B is 0x08060200: " + tail.format(0x08060200),
                          "a.elf", "zero.elf")
        self.pack_refused("b.elf: linked for 0x08060200 (that is the other slot); the address for slot A is 0x08004200: give slot "
                          "A first and slot B second, or " + tail.format(SLOT_A), "b.elf", "a.elf")
        with open(self.script, encoding="ascii") as f:
            self.write("ram.ld", f.read().replace("> RAM AT> FLASH", "> RAM").encode())
        self.link("ram.elf", SLOT_A, "-Wl,--emit-relocs", script="ram.ld")
        size = self.symbol("ram.elf", "data_end") - 0x20000000
        self.pack_refused(f"ram.elf: {size} bytes have the load address 0x20000000, which is no flash: initialised data in RAM needs "
                          "`AT> FLASH` in the linker script", "ram.elf")

    def test_a_branch_to_a_fixed_address(self):
        a, b = self.links("fixed", "-DFIXED", "-Wl,--defsym=fixed=0x08000101")
        r = self.run_fota("pack", a, "--key", "k.pem", "-o", "never.fota")
        self.assertRegex(r.stderr, r"^fota: fixed_a.elf: the branch at 0x0800[0-9a-f]{4} \(`reset`\+0x[0-9a-f]+ in .text\) goes to "
                         r"`fixed` = 0x0800010[01], which does not move together with it: call it through a pointer \(a variable, "
                         r"or -mlong-calls\)\n$")
        r = self.run_fota("pack", a, b, "--key", "k.pem", "-o", "never.fota")
        self.assertIn("no branch to a fixed address", r.stderr)
        a, b = self.links("fixed", "-DFIXED", "-mlong-calls", "-Wl,--defsym=fixed=0x08000101")
        self.pack(a, b, out="two.fota")
        self.pack(a, out="one.fota")
        self.assertEqual(self.read("two.fota"), self.read("one.fota"), "the remedy works")

    def test_no_relocations(self):
        self.link("plain.elf", SLOT_A)
        self.pack_refused("plain.elf: there are no relocations in this ELF, so it cannot be moved to slot B: link it with "
                          "-Wl,--emit-relocs, or link it a second time for slot B (0x08060200) and give both", "plain.elf")

    def test_oversized(self):
        with open(self.script, encoding="ascii") as f:
            self.write("large.ld", f.read().replace("376320", "1M").encode())
        self.link("large.elf", SLOT_A, "-Wl,--emit-relocs", "-DFILLER=380000", script="large.ld")
        size = os.stat(self.path("large.elf")).st_size
        self.assertGreater(size, 380000)
        r = self.run_fota("pack", "large.elf", "--key", "k.pem", "-o", "never.fota")
        self.assertRegex(r.stderr, r"^fota: large.elf: 380\d\d\d bytes of code, \d{4} more than the 376320 that a slot holds: make "
                         r"it smaller \(-Os, -Wl,--gc-sections\)\n$")

    def test_vector_table_outside(self):
        for flag, stack, reset in (("-DBAD_STACK", "0x40000000", None), ("-DBAD_RESET", "0x20020000", "0x08000101")):
            a, b = self.links("vectors", flag)
            code = binary(self, a)
            begin = f"the vector table at 0x08004200 begins with stack pointer {stack} and reset address "
            begin += reset or f"0x{u32(code, 4):08x}"
            for inputs in ((a, b), (a,)):
                self.pack_refused("vectors_a.elf: " + begin + VECTORS.format(end=SLOT_A + len(code)), *inputs)

    def test_other_kinds_of_files(self):
        for name, form, what in (("bare.bin", "binary", "a bare .bin, without a relocation table"),
                                 ("x.hex", "ihex", "an Intel HEX file"), ("x.srec", "srec", "a Motorola S-record file")):
            subprocess.run([OBJCOPY, "-O", form, "a.elf", name], cwd=self.dir, check=True)
            self.pack_refused(f"{name}: this is {what}: {MOVES}", name)
        self.write("note.txt", b"hello, this is no firmware\n")
        self.pack_refused("note.txt: this is a text file; wanted is the ELF that the linker made, or a firmware.bin with its "
                          "relocation table", "note.txt")
        self.write("empty", b"")
        self.pack_refused("empty: the file is empty; give the ELF that the linker made", "empty")
        self.pack_refused("app.fota: this is a .fota package already; to see what is in it: fota inspect, to install it: fota "
                          "flash", "app.fota")
        self.pack_refused("k.pem: this is a PEM file (a key or certificate); wanted is the ELF that the linker made, or a "
                          "firmware.bin with its relocation table", "k.pem")
        self.pack_refused("none.elf: cannot be opened: No such file or directory", "none.elf", code=3)
        self.write("cut.elf", self.read("a.elf")[:600])
        self.pack_refused("cut.elf: the section table lies outside the file (600 bytes): the ELF is damaged or cut off", "cut.elf")
        subprocess.run([GCC, "-mcpu=cortex-m4", "-c", "-xc", "/dev/null", "-o", "object.o"], cwd=self.dir, check=True)
        self.pack_refused("object.o: ELF type 1 is an object file that was not linked yet; wanted is a linked program (type 2)",
                          "object.o")

    def test_firmware_bin_errors(self):
        _, code, _, moves = unpack_package(self.read("app.fota"))
        good = make_bin(code, moves)
        self.write("f.bin", good[:40] + bytes([good[40] ^ 1]) + good[41:])
        r = self.run_fota("pack", "f.bin", "--key", "k.pem", "-o", "never.fota")
        self.assertRegex(r.stderr, r"^fota: f.bin: CRC-32 is 0x[0-9a-f]{8}, its table says 0x[0-9a-f]{8}: the file is damaged; make "
                         r"it again with fota bin\n$")
        self.write("f.bin", make_bin(code, moves + [len(code) - 3]))
        self.pack_refused(f"f.bin: relocation {len(moves) + 1} of {len(moves) + 1} is at offset {len(code) - 3}, outside the code",
                          "f.bin")
        self.write("f.bin", make_bin(code, [moves[0], moves[0] + 3]))
        self.pack_refused(f"f.bin: relocation 2 of 2 is at offset {moves[0] + 3}, not after the one before it", "f.bin")
        self.write("f.bin", make_bin(code, moves, link=0x08000000))
        self.pack_refused("f.bin: linked for 0x08000000 with the distance 0x5c000; wanted is 0x08004200 with 0x5c000: link it for "
                          "slot A and make it again with fota bin", "f.bin")
        self.write("f.bin", make_bin(code, []))
        self.pack_refused("f.bin: the reset address at 0x08004204 is not one of the words that move to slot B: slot B would start "
                          "the code of slot A; give the vector table relocations (no absolute numbers in it)", "f.bin")
        self.write("f.bin", good[1:])
        self.pack_refused(f"f.bin: {len(good) - 1} bytes, but its table says {len(code)} bytes of code and {len(moves)} relocations: "
                          "the file is damaged; make it again with fota bin", "f.bin")
        self.write("f.bin", good)
        self.pack_refused("f.bin: this is a firmware.bin with its relocation table, which is whole: give it alone", "f.bin", "a.elf", code=2)

    def test_the_slot_for_a_debug_probe(self):
        header, a, b, _ = unpack_package(self.read("app.fota"))
        for slot, code in (("A", a), ("B", b)):
            self.good("image", "app.fota", "--slot", slot, "--key", "k.pub.pem", "-o", "slot.bin")
            self.assertEqual(self.read("slot.bin"), header + code)
            out = self.run_fota("inspect", "slot.bin", "--json").stdout
            self.assertIn(f"code for slot {slot}", out)
        r = self.run_fota("image", "app.fota", "--slot", "C", "-o", "slot.bin")
        self.assertEqual(r.returncode, 2)
        self.assertIn('--slot: "C" is neither A nor B', r.stderr)


if __name__ == "__main__":
    unittest.main()
