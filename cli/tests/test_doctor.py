# SPDX-License-Identifier: MIT
"""fota doctor: each of its checks finds what is wrong with a program that the Arm compiler made, and nothing else."""
import json
import os
import subprocess
import unittest

from support import HERE, SLOT_A, SLOT_B, Scratch, put32, u16, u32

INCLUDE = "-I" + os.path.join(HERE, "..", "..", "core", "include")
GC = ["-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections"]


class Doctor(Scratch):
    def program(self, name, *flags, origin=SLOT_A, script=None, relocations=True):
        more = ["-Wl,--emit-relocs"] if relocations else []
        return self.link(name, origin, *more, *GC, INCLUDE, *flags, script=script, source="doctor.c")

    def ask(self, *elfs, code):
        r = self.run_fota("doctor", *elfs, "--json")
        self.assertEqual((r.returncode, r.stderr), (code, ""), r.stdout)
        out = json.loads(r.stdout)
        found = out["findings"]
        self.assertEqual(out["errors"], sum(f["level"] == "error" for f in found))
        self.assertEqual(out["warnings"], sum(f["level"] == "warning" for f in found))
        self.assertIs(out["ok"], code == 0)
        for f in found:
            self.assertNotIn("\n", f["message"])
        return found

    def finds(self, elfs, level, check, *words, also=()):
        """This is found, and nothing else but what stands in `also`, and that updates are not taken."""
        elfs = [elfs] if isinstance(elfs, str) else elfs
        found = self.ask(*elfs, code=1 if level == "error" or "error" in [w for w, _ in also] else 0)
        mine = [f for f in found if (f["level"], f["check"]) == (level, check)]
        self.assertTrue(mine, found)
        for word in words:
            self.assertTrue(any(word in f["message"] for f in mine), (word, mine))
        rest = [(f["level"], f["check"]) for f in found if f not in mine and f["check"] != "updates"]
        self.assertEqual(sorted(rest), sorted(also), found)
        return mine

    def script_with(self, name, *changes):
        with open(self.script, encoding="ascii") as f:
            text = f.read()
        for old, new in changes:
            self.assertIn(old, text)
            text = text.replace(old, new)
        return self.path(self.write(name, text.encode()))

    def test_a_good_one(self):
        a = self.program("good.elf", "-DUPDATES")
        self.assertEqual(self.ask(a, code=0), [])
        self.assertEqual(self.good("doctor", a), "good.elf: nothing wrong was found\n")
        b = self.program("good_b.elf", "-DUPDATES", origin=SLOT_B)
        self.assertEqual(self.ask(a, b, code=0), [])
        for flags in (["-O0"], ["-Og"], ["-O1"], ["-Os"], ["-O3"], ["-mlong-calls"], ["-g3"]):
            with self.subTest(flags):
                self.assertEqual(self.ask(self.program("good.elf", "-DUPDATES", *flags), code=0), [])

    def test_text_and_exit_codes(self):
        a = self.program("never.elf", "-DNO_CONFIRM", "-DNO_FAULT_HANDLER")
        r = self.run_fota("doctor", a)
        lines = r.stdout.splitlines()
        self.assertEqual((r.returncode, r.stderr, len(lines)), (1, "", 4))
        self.assertRegex(lines[0], r"^error: never.elf: the image is never confirmed: fota_confirm\(\) .* \[confirm\]$")
        self.assertRegex(lines[1], r"^warning: never.elf: a fault is not noted: .* \[fault-handler\]$")
        self.assertRegex(lines[2], r"^note: never.elf: fota_agent_updates\(\) .* \[updates\]$")
        self.assertEqual(lines[3], "1 error, 1 warning")
        self.refused("none.elf: cannot be opened: No such file or directory", "doctor", "none.elf", code=3)
        for wrong in ([], [a, a, a], ["--key", "x", a]):
            self.assertEqual(self.run_fota("doctor", *wrong).returncode, 2)

    def test_help_names_it(self):
        self.assertIn("\n  doctor ", self.run_fota("--help").stdout)
        self.assertIn("VTOR overwritten", self.good("doctor", "--help"))

    def test_other_files(self):
        self.write("note.txt", b"hello, this is no firmware\n")
        self.finds("note.txt", "error", "elf", "this is a text file; wanted is the ELF")
        self.program("good.elf")
        self.good("bin", "good.elf", "-o", "f.bin")
        self.finds("f.bin", "error", "elf", "this is a firmware.bin, which has no symbols")
        elf = self.read("good.elf")
        for at, byte, word in ((4, 2, "a 64-bit ELF"), (5, 2, "a big-endian ELF"), (18, 62, "an ELF for machine 62"), (16, 1, "not linked yet"),
                               (16, 3, "position-independent")):
            self.write("bad.elf", elf[:at] + bytes([byte]) + elf[at + 1:])
            self.finds("bad.elf", "error", "elf", word)
        self.write("cut.elf", elf[:700])
        self.finds("cut.elf", "error", "elf", "lies outside the file")

    def test_start_address_and_size(self):
        self.finds(self.program("zero.elf", origin=0x08000000), "error", "start-address", "linked for 0x08000000; the address for slot A is 0x08004200")
        self.finds(self.program("b.elf", origin=SLOT_B), "error", "start-address", "(that is the other slot)")
        a = self.program("a2.elf")
        self.finds((a, a), "error", "start-address", "the address for slot B is 0x08060200")
        large = self.script_with("large.ld", ("376320", "1M"), (".text : {", ".text : { KEEP(*(.vectors)) . = . + 380000;"))
        self.finds(self.program("large.elf", script=large), "error", "size", "more than the 376320 that a slot holds")

    def test_places(self):
        ram = self.script_with("ram.ld", ("> RAM AT> FLASH", "> RAM"))
        self.finds(self.program("ram.elf", script=ram), "error", "load-address", "have the load address 0x20000000, which is no flash")
        far = self.script_with("far.ld", ("LENGTH = 128K", "LENGTH = 192K"), (".bss : {", ".bss : { . = . + 140000;"))
        self.finds(self.program("far.elf", script=far), "error", "memory", "section .bss, 0x20000", "SRAM (0x20000000, 128 KiB)",
                   also=[("error", "vectors")])  # the stack pointer
        ccm = self.script_with("ccm.ld", ("RAM (rwx)", "CCM (rw) : ORIGIN = 0x10000000, LENGTH = 64K\n    RAM (rwx)"),
                               ("    .bss", "    .ccm : { *(.ccm*) } > CCM AT> FLASH\n    .bss"))
        self.finds(self.program("ccm.elf", "-DCCM_DATA", script=ccm), "warning", "copy", "4 bytes of initial values for 0x10000000 lie at 0x0800",
                   "nothing in the program names that address")
        nowhere = self.script_with("nowhere.ld", ("RAM (rwx)", "CCM (rw) : ORIGIN = 0x10000000, LENGTH = 64K\n    RAM (rwx)"),
                                   ("    .bss", "    .ccm : { *(.ccm*) } > CCM\n    .bss"))
        self.finds(self.program("nowhere.elf", "-DCCM_DATA", script=nowhere), "error", "load-address", "have the load address 0x10000000")

    def test_vectors_and_entry(self):
        self.finds(self.program("even.elf", "-DEVEN_VECTOR"), "error", "vectors", "vector 4 at 0x08004210 is 0x08004400", also=[("error", "words")])
        stack = self.script_with("stack.ld", ("stack_top = ORIGIN(RAM) + LENGTH(RAM);", "stack_top = 0x20000004;"))
        self.finds(self.program("stack.elf", script=stack), "error", "vectors", "begins with stack pointer 0x20000004")
        first = self.script_with("first.ld", ("KEEP(*(.vectors)) *(.text*)", "*(.text*) KEEP(*(.vectors))"))
        r = self.run_fota("doctor", self.program("first.elf", script=first), "--json")
        self.assertEqual(r.returncode, 1)
        self.assertIn("put the vector table first in the linker script", r.stdout)
        self.program("entry.elf")
        self.write("entry.elf", put32(self.read("entry.elf"), 24, 0x08004200))
        self.finds("entry.elf", "warning", "entry", "the entry point is 0x08004200", "ENTRY(Reset_Handler)")

    def test_relocations(self):
        plain = self.program("plain.elf", relocations=False)
        self.finds(plain, "error", "relocations", "there are no relocations in this ELF")
        self.finds(self.program("number.elf", "-DVTOR_VALUE=0x20000000", "-DOTHER_SLOT=0x08004000"), "error", "words",
                   "the word 0x08004000 at 0x0800", "--allow-word", also=[("note", "vtor")])
        self.finds(self.program("movw.elf", "-mslow-flash-data"), "error", "relocations", "is a MOVW or MOVT", "-mword-relocations")
        a = self.program("links_a.elf")
        self.assertEqual(self.ask(a, self.program("links_b.elf", origin=SLOT_B), code=0)[0]["check"], "updates")
        self.finds((a, self.program("links_b.elf", "-DDEADLINE=4000", origin=SLOT_B)), "error", "links", "it differs by", "links of the same objects")
        self.finds((a, self.program("links_b.elf", "-DNO_POLL", origin=SLOT_B)), "error", "links", "bytes of code")

    def test_many_words(self):
        script = self.script_with("many.ld", ("KEEP(*(.info))", "KEEP(*(.info)) " + "LONG(0x08004445) " * 12))
        found = self.finds(self.program("many.elf", script=script), "error", "words", "there is more of this kind")
        self.assertEqual(len(found), 9)

    def test_what_it_says_of_itself(self):
        self.finds(self.program("noinfo.elf", "-DNO_INFO"), "error", "appinfo", "FOTA_APPLICATION(.product", "KEEP(*(.fota_appinfo))")
        self.finds(self.program("hw.elf", "-DHW_MIN=3"), "error", "appinfo", ".hw_min = 3 is above .hw_max = 2")
        self.finds(self.program("deadline.elf", "-DDEADLINE=20"), "error", "appinfo", ".deadline_ms = 20 is not in 1000 to 600000")
        self.finds(self.program("product.elf", "-DPRODUCT=0"), "warning", "appinfo", ".product is all zero")

    def test_vtor(self):
        for optimise in ("-O0", "-Og", "-O2", "-Os"):
            for flags in (["-DVTOR_VALUE=0x08000000"], ["-DVTOR_VALUE=0x08000000", "-DRCC_FIRST"], ["-DVTOR_VALUE=(0x08000000|0xC0000)"], ["-DVTOR_PAIR"]):
                with self.subTest((optimise, flags)):
                    self.finds(self.program("vtor.elf", optimise, *flags), "error", "vtor", "VTOR is overwritten", "(`SystemInit`+0x",
                               "but the vector table is at 0x08004200", "USER_VECT_TAB_ADDRESS")
        for optimise in ("-O1", "-O2", "-Os"):
            self.finds(self.program("call.elf", optimise, "-DVTOR_CALL"), "error", "vtor", "(`NVIC_SetVectorTable`+0x", "writes 0x08004000")
        self.finds(self.program("call.elf", "-O0", "-DVTOR_CALL"), "note", "vtor", "what it writes could not be told")
        both = [self.program("number_a.elf", "-DVTOR_VALUE=0x08004200"), self.program("number_b.elf", "-DVTOR_VALUE=0x08004200", origin=SLOT_B)]
        self.finds(both, "error", "vtor", "the number 0x08004200, which does not move to the other slot")
        self.finds(self.program("unknown.elf", "-DVTOR_VALUE=ready"), "note", "vtor", "could not be told")
        self.finds(self.program("inram.elf", "-DVTOR_VALUE=0x20000000"), "note", "vtor", "fota_agent_start() has to be called before")
        table = "-DVTOR_VALUE=(uint32_t)vectors"
        both = [self.program("table_a.elf", table), self.program("table_b.elf", table, origin=SLOT_B)]
        for good in (both, both[:1]):
            self.assertEqual([f["check"] for f in self.ask(*good, code=0)], ["updates"])
        self.finds(self.program("odd.elf", table + "+64"), "error", "vtor", "which is no multiple of 512")

    def test_watchdog(self):
        self.finds(self.program("feed.elf", "-DNO_FEED"), "error", "watchdog", "fota_feed() is not in this ELF", "at least every 20 s")
        self.finds(self.program("own.elf", "-DNO_FEED", "-DOWN_FEED"), "warning", "watchdog", "the watchdog is fed at 0x0800", "(`reset`+0x")
        self.finds(self.program("hal.elf", "-DNO_FEED", "-DHAL_FEED"), "warning", "watchdog", "probably fed")
        self.finds(self.program("kept.elf", "-DNO_FEED", "-Wl,--undefined=fota_feed"), "error", "watchdog", "is linked, but nothing that runs calls it")

    def test_confirmation(self):
        self.finds(self.program("never.elf", "-DNO_CONFIRM"), "error", "confirm", "is linked, but nothing that runs calls it")
        self.finds(self.program("absent.elf", "-DNO_CONFIRM", "-DNO_POLL", "-DNO_FEED", "-DOWN_FEED"), "error", "confirm", "is not in this ELF",
                   also=[("warning", "watchdog"), ("warning", "agent")])
        self.assertEqual([f["check"] for f in self.ask(self.program("pointer.elf", "-DNO_CONFIRM", "-DCONFIRM_BY_POINTER"), code=0)], ["updates"])

    def test_agent(self):
        self.finds(self.program("start.elf", "-DNO_START"), "error", "agent", "fota_agent_start() is not in this ELF")
        self.finds(self.program("poll.elf", "-DNO_POLL"), "warning", "agent", "the agent gets no bytes")
        self.finds(self.program("fault.elf", "-DNO_FAULT_HANDLER"), "warning", "fault-handler", "HardFault goes to `idle` in .text")
        self.finds(self.program("noupdates.elf"), "note", "updates", "updates go through the bootloader")

    def test_the_other_slot(self):
        self.finds(self.program("other.elf", "-DOTHER_SLOT=0x08061000"), "warning", "other-slot", "(`reset`+0x", "loads 0x08061000, an address in slot B")

    def test_without_symbols(self):
        a, b = self.program("s_a.elf", "-DVTOR_VALUE=0x08000000"), self.program("s_b.elf", "-DVTOR_VALUE=0x08000000", origin=SLOT_B)
        for elf in (a, b):
            subprocess.run(["arm-none-eabi-strip", elf], cwd=self.dir, check=True)
        self.finds((a, b), "warning", "symbols", "could not be told; give the ELF as it was before strip", also=[("error", "vtor")])

    def test_link_time_optimisation_is_no_error(self):
        found = self.ask(self.program("lto.elf", "-flto", "-DNO_CONFIRM", "-DNO_POLL", "-DNO_FEED", "-DOWN_FEED"), code=0)
        confirm = [f for f in found if f["check"] == "confirm"][0]
        self.assertEqual(confirm["level"], "warning")
        self.assertIn("then this cannot be told", confirm["message"])

    def test_damaged_ones(self):
        """Whatever stands in the tables: an answer, no crash."""
        good = self.read(self.program("good.elf"))
        sections, count = u32(good, 32), u16(good, 48)
        places = [28, 32, 44, 48, 50] + [sections + 40 * n + at for n in range(1, count) for at in (4, 12, 16, 20, 24, 28, 36)]
        segments = u32(good, 28)
        places += [segments + 32 * n + at for n in range(u16(good, 44)) for at in (4, 8, 12, 16)]
        for n, place in enumerate(places):  # many more: fuzz_elf
            value = (0, 0xFFFFFFFF, u32(good, place) ^ 0x80000000, u32(good, place) + 4)[n % 4]
            self.write("bad.elf", put32(good, place, value))
            r = self.run_fota("doctor", "bad.elf", "--json")
            self.assertIn(r.returncode, (0, 1), (place, value, r.stderr))
            json.loads(r.stdout)


if __name__ == "__main__":
    unittest.main()
