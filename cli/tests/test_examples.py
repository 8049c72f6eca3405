# SPDX-License-Identifier: MIT
"""fota pack and fota doctor with the examples as they are built for the board."""
import json
import os
import subprocess
import sys
import unittest

from support import GCC, HERE, Scratch

TARGET = os.path.abspath(sys.argv.pop(1))
ROOT = os.path.dirname(os.path.dirname(HERE))
ONE_LINK = ("hello-1.0.0", "hello-3.0.0", "busy-1.0.0", "busy-large-1.0.0", "tasks-1.0.0")  # those whose first ELF is enough


def elf(name, link="a"):
    return os.path.join(TARGET, f"{name}.{link}.elf")


class Examples(Scratch):
    def test_one_link_is_enough(self):
        for name in ONE_LINK:
            with self.subTest(name):
                self.good("pack", elf(name), "--key", "k.pem", "-o", "one.fota")
                self.good("pack", elf(name), elf(name, "b"), "--key", "k.pem", "-o", "two.fota")
                self.assertEqual(self.read("one.fota"), self.read("two.fota"))

    def test_veneers_want_two_links(self):
        r = self.run_fota("pack", elf("busy-ram-1.0.0"), "--key", "k.pem", "-o", "one.fota")
        self.assertEqual(r.returncode, 1)
        self.assertRegex(r.stderr, r"\(`__\w+_veneer`\+0x4 in .data\) looks like an address in slot A, but no relocation covers it")

    def test_the_doctor_finds_nothing(self):
        for name in (*ONE_LINK, "busy-ram-1.0.0", "busy-small-1.1.0", "probe-1.0.0", "bare-1.0.0", "hal-1.0.0"):
            with self.subTest(name):
                both = [elf(name), elf(name, "b")]
                for elfs in (both, both[:1]) if name in ONE_LINK else (both,):
                    out = json.loads(self.good("doctor", *elfs, "--json"))
                    self.assertEqual((out["ok"], out["errors"], out["warnings"]), (True, 0, 0))
                    self.assertEqual([f["check"] for f in out["findings"]],
                                     ["updates"] if "hello" in name else ["vtor"] if "ram" in name else [])  # notes

    def with_the_agent(self, old, new):
        """The bare example with one thing changed, and the agent as it is built for the board."""
        with open(os.path.join(ROOT, "target", "examples", "bare", "main.c"), encoding="utf-8") as f:
            text = f.read()
        self.assertIn(old, text)
        self.write("changed.c", text.replace(old, new).encode())
        folders = [os.path.join(ROOT, f) for f in ("target/agent/include", "target/chip", "core/include")]
        subprocess.run([GCC, "-Os", "-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16", "-ffunction-sections", "-fdata-sections", "-ffreestanding",
                        "--specs=picolibc.specs", "-nostartfiles", "-DEXAMPLE_MINOR=0u", "-DFOTA_AGENT_LINES=1u", *("-I" + f for f in folders),
                        "-L" + os.path.join(ROOT, "target", "kit"), "-T" + os.path.join(ROOT, "target", "agent", "application.ld"), "-Wl,--defsym=fota_code=0x08004200",
                        "-Wl,--emit-relocs,--gc-sections,--no-warn-rwx-segments", "changed.c", os.path.join(ROOT, "target", "chip", "startup.c"),
                        os.path.join(TARGET, "libfota_agent.a"), "-o", "changed.elf"], cwd=self.dir, check=True)
        out = json.loads(self.run_fota("doctor", "changed.elf", "--json").stdout)
        return [(f["level"], f["check"]) for f in out["findings"] if f["level"] != "note"]

    def test_the_doctor_and_the_agent(self):
        """The agent feeds the watchdog at erases and confirms what was asked for in an interrupt: that alone does not count."""
        self.assertEqual(self.with_the_agent("fota_feed(&agent);", "fota_feed(&agent);"), [])
        self.assertEqual(self.with_the_agent("fota_feed(&agent);", ""), [("error", "watchdog")])
        self.assertEqual(self.with_the_agent("fota_feed(&agent);", "watchdog_feed();"), [("warning", "watchdog")])
        self.assertEqual(self.with_the_agent("fota_confirm(&agent)", "(0)"), [("error", "confirm")])
        self.assertEqual(self.with_the_agent("FOTA_FAULT_HANDLER(HardFault_Handler);", ""), [("warning", "fault-handler")])

    def test_the_doctor_finds_who_never_confirms(self):
        for name in ("hello-1.2.0", "hello-1.2.1", "hello-1.3.0"):
            out = json.loads(self.run_fota("doctor", elf(name), elf(name, "b"), "--json").stdout)
            self.assertEqual([f["check"] for f in out["findings"] if f["level"] != "note"], ["confirm"], name)

    def test_the_doctor_at_the_bootloader(self):
        r = self.run_fota("doctor", os.path.join(TARGET, "bootloader.elf"))
        self.assertEqual((r.returncode, r.stderr), (1, ""))
        self.assertIn("linked for 0x08000000", r.stdout)


if __name__ == "__main__":
    if not os.path.exists(elf("hello-1.0.0")):
        print("the Arm programs are not built")
        sys.exit(77)
    unittest.main()
