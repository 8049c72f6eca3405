# SPDX-License-Identifier: MIT
"""What every demo begins with: keys of this clone, a configured bootloader, packages, and a virtual board."""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "lib"))
from fotatest import Proc, wait_until  # noqa: E402

PRODUCT = "5f0e1a52-7c34-4b11-9d20-610b3a774001"
FACTORY = "1.0.0"


class Bench:
    """The files of a demo in `folder`, made with the programs in `build`."""

    def __init__(self, build, folder, application="hello"):
        self.application = application
        self.build = os.path.abspath(build)
        self.folder = os.path.abspath(folder)
        self.fota = os.path.join(self.build, "cli", "fota")
        os.makedirs(self.folder, exist_ok=True)
        self.has_factory = False
        self.key = self.path("demo.pem")
        self.public = self.path("demo.pub.pem")
        if not os.path.exists(self.key):
            self.run("keygen", "-o", self.path("demo"))
        self.run("bootloader", os.path.join(self.build, "target", "bootloader.bin"), "--key", self.public,
                 "--product", PRODUCT, "--hw", "1", "-o", self.path("boot.bin"))

    def path(self, name):
        return os.path.join(self.folder, name)

    def run(self, *arguments):
        """Run `fota`; its message is the error."""
        done = subprocess.run([self.fota, *arguments], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"fota {arguments[0]}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def package(self, version, *options):
        """Pack and sign a build of the example application; the package's path."""
        elf = os.path.join(self.build, "target", f"{self.application}-{version}")
        out = self.path(f"{self.application}-{version}.fota")
        self.run("pack", elf + ".a.elf", elf + ".b.elf", "--key", self.key, "-o", out, *options)
        return out

    def firmware_bin(self, version):
        """The unsigned firmware.bin with its relocation table."""
        elf = os.path.join(self.build, "target", f"{self.application}-{version}")
        out = self.path(f"{self.application}-{version}.bin")
        self.run("bin", elf + ".a.elf", elf + ".b.elf", "-o", out)
        return out

    def factory(self):
        """The content of slot A as it leaves the factory."""
        slot = self.path("factory.bin")
        if not self.has_factory:
            self.run("image", self.package(FACTORY), "--slot", "A", "-o", slot)
            self.has_factory = True
        return slot

    def board(self, name, log=None, *options, wait=True):
        """A board with the factory firmware, fresh from its flash on; (process, serial port, control socket)."""
        flash, port, control = self.path(name + ".flash"), self.path(name + ".tty"), self.path(name + ".ctl")
        slot = self.factory()
        if os.path.exists(flash):
            os.unlink(flash)
        process = Proc([os.path.join(self.build, "board", "fota-board"), "--flash", flash,
                        "--load", f"0x08000000:{self.path('boot.bin')}", "--load", f"0x08004000:{slot}",
                        "--uart", f"3=pty:{port}", "--control", control, "--die-with-parent", *options],
                       name, log=log).start()
        if not wait:
            return process, port, control
        wait_until(lambda: os.path.exists(port) or not process.alive(), 10, f"{name}'s serial port")
        if not process.alive():
            sys.exit(f"{name}: {process.output().strip()}")
        return process, port, control
