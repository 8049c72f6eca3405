#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The systemd units: systemd's own check finds nothing, and what they may do is little. None was started by a booted systemd here (docs/operate.md)."""
import os
import re
import shutil
import subprocess
import tempfile
import unittest

UNITS = os.environ["FOTA_UNITS"]
EXPOSURE = 2.0  # of 10, as systemd-analyze has it
NAMES = ("fota-gateway", "fota-hub", "fota-console")


@unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed")
class Units(unittest.TestCase):
    def check(self, name, change=lambda text: text):
        """(status, output) of systemd-analyze verify, in a root where the programs that the unit starts are there"""
        with tempfile.TemporaryDirectory(prefix="fota-units-") as root:
            with open(os.path.join(UNITS, name + ".service"), encoding="utf-8") as f:
                text = change(f.read())
            for program in re.findall(r"^Exec\w+=[-+!@:]*(/\S+)", text, re.MULTILINE):
                path = root + program
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o755), "w", encoding="utf-8"):
                    pass
            folder = os.path.join(root, "usr/lib/systemd/system")
            os.makedirs(folder)
            with open(os.path.join(folder, name + ".service"), "w", encoding="utf-8") as f:
                f.write(text)
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", "--root=" + root, name + ".service"],
                                  capture_output=True, text=True)
            security = subprocess.run(["systemd-analyze", "security", "--offline=true", "--root=" + root, name + ".service"],
                                      capture_output=True, text=True)
            level = re.search(r"exposure level for \S+: ([0-9.]+)", security.stdout)
            return done.returncode, done.stdout + done.stderr, float(level.group(1)) if level else 10.0

    def test_verify(self):
        for name in NAMES:
            with self.subTest(name):
                status, output, exposure = self.check(name)
                self.assertEqual((status, [line for line in output.splitlines() if name in line]), (0, []), output)
                self.assertLessEqual(exposure, EXPOSURE)

    def test_the_check_can_fail(self):
        status, output, _ = self.check("fota-hub", lambda text: text.replace("[Service]", "[Service]\nRestrat=always"))
        self.assertIn("Restrat", output)
        _, _, exposure = self.check("fota-hub", lambda text: re.sub(r"^(Protect|Private|Restrict|NoNew|System|Capab|Lock|Memory)\w*=.*\n", "", text, flags=re.MULTILINE))
        self.assertGreater(exposure, EXPOSURE)


if __name__ == "__main__":
    unittest.main()
