# SPDX-License-Identifier: MIT
"""fota keygen, verify, inspect, bootloader: what is said about good and bad files."""
import json
import os
import shutil
import stat
import struct
import subprocess
import unittest
import zlib

from support import OTHER_PRODUCT, PRODUCT, Scratch, put32, u16, u32, unpack_package

DAMAGED = "the file is damaged or was changed after signing; fetch it or pack it again"
CODE = 512 + 8  # where the first block begins


def flip_without_crc(data, at):
    """XOR the CRC's own polynomial into the data: the CRC-32 stays, the SHA-256 does not."""
    bits = (1 << 32 | 0x04C11DB7)
    data = bytearray(data)
    for i in range(33):
        if bits >> (32 - i) & 1:
            data[at + i // 8] ^= 1 << (i % 8)
    return bytes(data)


class Verify(Scratch):
    def setUp(self):
        self.package = self.read("app.fota")
        self.key_id = json.loads(self.run_fota("inspect", "k.pub.pem", "--json").stdout)["key_id"]

    def bad(self, data, message, *options, reason):
        self.write("bad.fota", data)
        self.refused(f"bad.fota: {message}", "verify", "bad.fota", "--key", "k.pub.pem", *options)
        r = self.run_fota("verify", "bad.fota", "--key", "k.pub.pem", *options, "--json")
        out = json.loads(r.stdout)
        self.assertEqual((r.returncode, r.stderr, out["ok"], out["reason"], out["message"]),
                         (1, "", False, reason, f"bad.fota: {message}"))

    def test_good(self):
        out = self.good_json("verify", "app.fota", "--key", "k2.pub.pem", "--key", "k.pub.pem", "--product", PRODUCT, "--hw", "4",
                             "--floor", "3")
        self.assertEqual((out["product"], out["version"], out["counter"], out["key_id"], out["size"]),
                         (PRODUCT, "1.2.3+7", 3, self.key_id, len(self.package)))
        self.good("verify", "app.fota", "--key", "k.pem")

    def test_wrong_magic(self):
        self.bad(put32(self.package, 0, 0x12345678), "magic number 0x12345678 instead of 0x41544f46 (FOTA): this is a file of an "
                 "unknown kind, no .fota package; make one with fota pack", reason="magic")

    def test_other_files(self):
        text = b"This is a letter and no firmware at all.\n" * 40
        self.bad(text, "magic number 0x73696854 instead of 0x41544f46 (FOTA): this is a text file, no .fota package; make one with "
                 "fota pack", reason="magic")
        self.bad(text[:60], "magic number 0x73696854 instead of 0x41544f46 (FOTA): this is a text file, no .fota package; make one "
                 "with fota pack", reason="truncated")
        self.bad(b"", "the file is empty: fetch the package again, or make one with fota pack", reason="truncated")
        self.bad(self.read("a.elf"), "magic number 0x464c457f instead of 0x41544f46 (FOTA): this is an ELF file; make a package of "
                 "it with fota pack", reason="magic")
        _, code, _, _ = unpack_package(self.package)
        self.bad(code + bytes(600), f"magic number 0x{u32(code, 0):08x} instead of 0x41544f46 (FOTA): this is a bare .bin, without a "
                 "relocation table, which cannot be moved to another slot; make a package of the ELF with fota pack",
                 reason="magic")

    def test_truncated_at_every_length(self):
        for n in list(range(5, len(self.package), 37)) + [511, 512, 513, 520, len(self.package) - 1]:
            self.bad(self.package[:n], f"the package ends after {n} bytes, before it is complete: fetch it or pack it again",
                     reason="truncated")

    def test_too_long(self):
        self.bad(self.package + b"\0", f"there are bytes after the end of the package ({len(self.package) + 1} bytes in all, at most "
                 "1048576 allowed): fetch it or pack it again", reason="trailing")
        self.bad(self.package + bytes(1 << 20), "there are bytes after the end of the package "
                 f"({len(self.package) + (1 << 20)} bytes in all, at most 1048576 allowed): fetch it or pack it again",
                 reason="trailing")

    def test_header_fields(self):
        p = self.package
        self.bad(put32(p, 4, 0x02000002), "format version 2 with a header of 512 bytes; this program knows version 1 with 512: use a "
                 "newer fota, or pack it again", reason="format")
        self.bad(put32(p, 60, 4), "flags 0x00000004 are not known here (0 is for a device, 1 for a gateway): use a newer fota, or pack it again", reason="flags")
        for size in (0, 4, 376324, 0xFFFFFFFC, 21):
            self.bad(put32(p, 44, size), f"image size {size} is not in 8 to 376320 and a multiple of 4: make the program smaller, or "
                     "pack it again", reason="size")
        self.bad(put32(p, 48, 0x08000000), "linked for 0x08000000 with the slot distance 0x5c000; this layout has 0x08004200 and "
                 "0x5c000: link it for slot A and pack it again", reason="link-address")
        self.bad(put32(p, 56, 999), "trial deadline 999 ms is not in 1000 to 600000 ms: pack it with --deadline 1 to 600 (seconds)",
                 reason="deadline-range")
        self.bad(put32(p, 24, 0x00010002), "lowest hardware revision 2 is above the highest 1: pack it with --hw LOWEST-HIGHEST",
                 reason="hw-revision")

    def test_bad_signature(self):
        message = (f"the signature does not fit the header, though its key {self.key_id} is trusted: the header was changed after "
                   "signing; sign it again with fota pack")
        p = bytearray(self.package)
        for at in (8, 40, 44, 72, 200, 447, 448, 511):
            data = bytes(p[:at]) + bytes([p[at] ^ (4 if at == 44 else 1)]) + bytes(p[at + 1:])
            self.bad(data, message, reason="signature")
        self.bad(self.package[:448] + bytes(64) + self.package[512:], message, reason="signature")

    def test_unknown_key(self):
        other = json.loads(self.run_fota("inspect", "k2.pub.pem", "--json").stdout)["key_id"]
        self.refused(f"app.fota: signed with the key {self.key_id}, which is not trusted here; trusted: {other}: sign it with a "
                     "trusted key, or add this one's public half", "verify", "app.fota", "--key", "k2.pub.pem")

    def test_digest_mismatch(self):
        block = CODE + 4 + 2 * u16(self.package, CODE + 2)
        moves = unpack_package(self.package)[3]
        at = next(i for i in range(64, 4000) if all(m + 4 <= i or m >= i + 5 for m in moves))
        p = bytearray(self.package)
        p[block + at] ^= 1
        crc = (f"the CRC-32 of the code is not what the header says (slot A 0x{u32(p, 64):08x}, slot B 0x{u32(p, 68):08x}): "
               f"{DAMAGED}")
        self.bad(bytes(p), crc, reason="crc")
        forged = flip_without_crc(self.package, block + at)
        size = u32(forged, 44)
        self.assertEqual(zlib.crc32(forged[block:block + size]), u32(forged, 64), "the CRC-32 is the same")
        self.bad(forged, f"the SHA-256 of the code is not what the header says (slot A {self.package[72:76].hex()}…, slot B "
                 f"{self.package[104:108].hex()}…): {DAMAGED}", reason="hash")

    def test_relocations(self):
        length, count = struct.unpack_from("<HH", self.package, CODE)
        last = CODE + 4 + 2 * (count - 1)
        free_from = u16(self.package, last - 2) + 4
        for value in (length - 3, length, 0xFFFF, free_from - 1, 0):
            p = bytearray(self.package)
            struct.pack_into("<H", p, last, value)
            where = f"outside the block's {length} bytes" if value + 4 > length else f"below {free_from}, where the one before ends"
            self.bad(bytes(p), f"relocation {count - 1} of the block at offset 0 of the code is at {value}, {where}: {DAMAGED}",
                     reason="relocation")
        p = bytearray(self.package)
        struct.pack_into("<H", p, CODE + 2, 1025)
        self.bad(bytes(p), "the block at offset 0 of the code has 1025 relocations, at most 1024 are possible: " + DAMAGED,
                 reason="relocation")
        at = next(CODE + 4 + 2 * i for i in range(1, count)
                  if u16(self.package, CODE + 4 + 2 * i) - u16(self.package, CODE + 2 + 2 * i) >= 8)
        p = bytearray(self.package)
        struct.pack_into("<H", p, at, u16(p, at) - 4)  # well-formed, but another word moves
        self.bad(bytes(p), "the CRC-32 of the code is not what the header says "
                 f"(slot A 0x{u32(p, 64):08x}, slot B 0x{u32(p, 68):08x}): {DAMAGED}", reason="crc")

    def test_vectors(self):
        block = CODE + 4 + 2 * u16(self.package, CODE + 2)
        size = u32(self.package, 44)
        for at, value in ((0, 0x30000000), (0, 0x20000004), (4, 0x08004301 - 1), (4, 0x08004201 + size)):
            p = put32(self.package, block + at, value)
            self.bad(p, f"the vector table begins with stack pointer 0x{u32(p, block):08x} and reset address "
                     f"0x{u32(p, block + 4):08x}; the stack pointer must be 8-aligned in SRAM or CCM, the reset address odd and "
                     f"between 0x08004200 and 0x{0x08004200 + size:08x}, and move with the slot: pack it again from an ELF with its "
                     "vector table first", reason="vectors")

    def test_sections(self):
        for kind, name in ((2, "delta"), (3, "compressed code"), (4, "encrypted code")):
            self.bad(put32(self.package, 512, kind), f"section type {kind} ({name}) is reserved and not supported yet: pack it as "
                     "plain code", reason="section")
        length = u32(self.package, 516)
        tail = "is unknown, out of order or of a wrong length: the file is damaged or made by a newer fota; pack it again"
        self.bad(put32(self.package, 512, 9), f"section type 9 (flags 0, length {length}) {tail}", reason="section")
        self.bad(put32(self.package, 512, 0x10001), f"section type 1 (flags 1, length {length}) {tail}", reason="section")
        self.bad(put32(self.package, len(self.package) - 4, 4), f"section type 65535 (flags 0, length 4) {tail}", reason="section")
        for short in (0, length - 4):
            self.bad(put32(self.package, 516, short), f"the block at offset {0 if short == 0 or length <= 4096 else length} of the code "
                     f"is longer than its section: {DAMAGED}", reason="section")
        self.run_fota("image", "app.fota", "--slot", "A", "-o", "slot.bin")
        self.bad(self.read("slot.bin"), "this is the content of a slot (header and code), no .fota package; make one with fota pack",
                 reason="section")

    def test_it_does_not_fit_the_device(self):
        self.bad(self.package, f"the image is for product {PRODUCT}, the device is {OTHER_PRODUCT}: choose the package for this "
                 "product", "--product", OTHER_PRODUCT, reason="product")
        for hw in (0, 5, 65535):
            self.bad(self.package, f"hardware revision {hw} of the device is outside 1 to 4, for which the image is made: choose "
                     "another package, or pack it with a wider --hw", "--hw", str(hw), reason="hw-revision")
        self.bad(self.package, "security counter 3 is below the floor 5 of the device: a release with that floor was confirmed "
                 "there; pack this version with --counter 5 or higher if it may be installed", "--floor", "5", reason="floor")

    def test_inspect_needs_no_key(self):
        out = self.good("inspect", "app.fota")
        self.assertIn("what it is         a .fota package\n", out)
        self.assertIn("the signature was not checked", out)
        out = json.loads(self.run_fota("inspect", "app.fota", "--key", "k2.pub.pem", "--json").stdout)
        self.assertEqual((out["kind"], out["ok"], out["reason"], out["signature"], out["version"]),
                         ("package", False, "key", "by another key", "1.2.3+7"))
        out = self.good_json("inspect", "app.fota", "--key", "k.pub.pem")
        self.assertEqual((out["signature"], out["relocations"]), ("good", len(unpack_package(self.package)[3])))
        self.write("bad.fota", self.package[:-9])
        r = self.run_fota("inspect", "bad.fota")
        self.assertEqual(r.returncode, 1)
        self.assertIn("version            1.2.3+7", r.stdout)
        self.assertIn("NOT GOOD", r.stdout)
        for name, kind in (("a.elf", "elf"), ("k.pem", "pem")):
            self.assertEqual(self.good_json("inspect", name)["kind"], kind)
        for name, data, kind in (("t", b"text\n", "text"), ("e", b"", "empty"), ("r", bytes(range(256)), "unknown")):
            r = self.run_fota("inspect", self.write(name, data), "--json")
            self.assertEqual((r.returncode, json.loads(r.stdout)["kind"]), (1, kind))


class Keys(Scratch):
    def test_modes_and_no_overwriting(self):
        for name, mode in (("k.pem", 0o600), ("k.pub.pem", 0o644)):
            self.assertEqual(stat.S_IMODE(os.stat(self.path(name)).st_mode), mode)
        before = self.read("k2.pem")
        self.refused("k2.pem is there already and is not overwritten: devices that trust it would be lost; choose another name, or "
                     "say --force", "keygen", "-o", "k2", code=3)
        self.assertEqual(self.read("k2.pem"), before)
        out = self.good_json("keygen", "-o", "k2", "--force")
        self.assertNotEqual(self.read("k2.pem"), before)
        self.assertEqual(out["key_id"], self.good_json("inspect", "k2.pub.pem")["key_id"])
        self.assertEqual(stat.S_IMODE(os.stat(self.path("k2.pem")).st_mode), 0o600)
        self.assertEqual(sorted(f for f in os.listdir(self.dir) if f.startswith("k2")), ["k2.pem", "k2.pub.pem"])

    @unittest.skipIf(shutil.which("openssl") is None, "no openssl here")
    def test_openssl_both_ways(self):
        def openssl(*arguments):
            return subprocess.run(["openssl", *arguments], cwd=self.dir, check=True, capture_output=True).stdout

        self.assertIn(b"prime256v1", openssl("pkey", "-in", "k.pem", "-noout", "-text"))
        self.assertEqual(openssl("pkey", "-in", "k.pem", "-pubout"), self.read("k.pub.pem"))
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-out", "sec1.pem")  # parameters first, then SEC1
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "pkcs8.pem")
        openssl("ec", "-in", "sec1.pem", "-pubout", "-out", "sec1.pub.pem")
        for name, pub in (("sec1.pem", "sec1.pub.pem"), ("pkcs8.pem", "pkcs8.pem")):
            self.good("pack", "a.elf", "--key", name, "-o", "o.fota")
            self.good("verify", "o.fota", "--key", pub)
        # The signature as openssl sees it: r and s as DER over bytes 0-447.
        data = self.read("app.fota")

        def integer(b):
            b = b.lstrip(b"\0")
            b = b"\0" + b if b[:1] >= b"\x80" else b
            return b"\x02" + bytes([len(b)]) + b

        body = integer(data[448:480]) + integer(data[480:512])
        self.write("sig.der", b"\x30" + bytes([len(body)]) + body)
        self.write("signed", data[:448])
        self.assertIn(b"Verified OK", openssl("dgst", "-sha256", "-verify", "k.pub.pem", "-signature", "sig.der", "signed"))

    @unittest.skipIf(shutil.which("openssl") is None, "no openssl here")
    def test_keys_that_are_none(self):
        wanted = ("; wanted is a P-256 key in a PEM file (fota keygen -o NAME, or openssl ecparam -name prime256v1 -genkey)")
        for command, name, why in (
                (["ecparam", "-name", "secp384r1", "-genkey", "-noout", "-out", "x.pem"], "x.pem",
                 "the private key is not one of the curve P-256"),
                (["genpkey", "-algorithm", "RSA", "-out", "x.pem"], "x.pem", "the private key is not one of the curve P-256"),
                (["pkcs8", "-topk8", "-in", "k.pem", "-passout", "pass:x", "-out", "x.pem"], "x.pem",
                 "the private key is encrypted; decrypt it first: openssl pkey -in … -out …")):
            subprocess.run(["openssl", *command], cwd=self.dir, check=True, capture_output=True)
            self.refused(f"{name}: {why}{wanted}", "pack", "a.elf", "--key", name, "-o", "never.fota")
        self.refused("k.pub.pem: a public key cannot sign; give the private one (NAME.pem of fota keygen)", "pack", "a.elf", "--key",
                     "k.pub.pem", "-o", "never.fota")
        self.write("x.pem", b"nothing\n")
        self.refused(f"x.pem: there is no key in it{wanted}", "verify", "app.fota", "--key", "x.pem")
        self.refused("none.pem: cannot be opened: No such file or directory", "verify", "app.fota", "--key", "none.pem", code=3)


class Bootloader(Scratch):
    def boot(self, size=9000):
        code = struct.pack("<II", 0x20020000, 0x08000201) + bytes(size - 8)
        return self.write("bl.bin", code)

    def test_fill_in_and_show(self):
        self.boot()
        self.good("bootloader", "bl.bin", "--key", "k.pub.pem", "--key", "k2.pem", "--product", PRODUCT, "--hw", "2", "--floor", "7",
                  "--uart", "1", "--spi", "0", "--baud", "921600", "--hse", "25000000", "-o", "boot.bin")
        data = self.read("boot.bin")
        self.assertEqual(len(data), 16384)
        self.assertEqual(data[:9000], self.read("bl.bin"))
        self.assertEqual(data[9000:0x3F00], b"\xff" * (0x3F00 - 9000))
        c = data[0x3F00:]
        self.assertEqual((c[:4], u16(c, 4), u16(c, 6), c[8:24].hex(), u16(c, 24), c[26], c[27], u32(c, 28), u32(c, 32), u32(c, 36)),
                         (b"FCFG", 1, 256, PRODUCT.replace("-", ""), 2, 2, 1, 921600, 7, 25000000))
        self.assertEqual(u32(c, 252), zlib.crc32(c[:252]))
        ids = [self.good_json("inspect", n)["key_id"] for n in ("k.pub.pem", "k2.pub.pem")]
        self.assertEqual([c[40:48].hex(), c[112:120].hex()], ids)
        out = self.good_json("bootloader", "--show", "boot.bin")
        self.assertEqual((out["keys"], out["product"], out["hw"], out["floor"], out["uart"], out["baud"], out["hse"]),
                         (ids, PRODUCT, 2, 7, 1, 921600, 25000000))
        # Its own output is taken again, and the configuration replaced.
        self.good("bootloader", "boot.bin", "--key", "k2.pub.pem", "--product", OTHER_PRODUCT, "--hw", "0", "-o", "boot2.bin")
        out = self.good_json("bootloader", "--show", "boot2.bin")
        self.assertEqual((out["keys"], out["product"], out["hw"], out["floor"], out["uart"], out["baud"], out["hse"]),
                         (ids[1:], OTHER_PRODUCT, 0, 0, 3, 115200, 8000000))
        self.assertEqual(self.read("boot2.bin")[:0x3F00], data[:0x3F00])

    def test_errors(self):
        common = ["--key", "k.pub.pem", "--product", PRODUCT, "--hw", "1", "-o", "never.bin"]
        for size in (16129, 16384, 20000):
            self.boot(size)
            self.refused(f"bl.bin: {size} bytes; a bootloader has at most 16128, the last 256 bytes of its 16 KiB sector are the "
                         "configuration block: make it smaller", "bootloader", "bl.bin", *common)
        self.boot(16128)
        self.good("bootloader", "bl.bin", *common[:-1], "boot.bin")
        self.refused("bl.bin: 16128 bytes; a configured bootloader has 16384: make one with fota bootloader -o", "bootloader", "--show",
                     "bl.bin")
        self.write("bl.bin", self.read("boot.bin")[:0x3F00] + b"\xff" * 256)
        self.refused("bl.bin: no configuration block at 0x08003f00: fill it in with fota bootloader --key … --product … -o boot.bin",
                     "bootloader", "--show", "bl.bin")
        broken = bytearray(self.read("boot.bin"))
        broken[0x3F08] ^= 1
        self.write("bl.bin", bytes(broken))
        self.refused("bl.bin: the configuration block at 0x08003f00 is not valid (crc): fill it in again with fota bootloader",
                     "bootloader", "--show", "bl.bin")
        self.write("bl.bin", struct.pack("<II", 0x20020000, 0x08004301) + bytes(100))
        self.refused("bl.bin: its reset address 0x08004301 is not in sector 0 (0x08000000 to 0x08003fff): this is an application, no "
                     "bootloader", "bootloader", "bl.bin", *common)
        self.refused("a.elf: this is an ELF file; wanted is the bootloader's bare binary (objcopy -O binary)", "bootloader", "a.elf",
                     *common)
        self.boot()
        self.refused("crystal of 8500000 Hz is not in 4 to 26 MHz, in whole MHz (0: none)", "bootloader", "bl.bin", *common, "--hse",
                     "8500000")
        self.refused("k.pub.pem and k.pem are the same key; give two different ones, or one", "bootloader", "bl.bin", *common, "--key",
                     "k.pem", code=2)
        self.assertFalse(os.path.exists(self.path("never.bin")))


class Usage(Scratch):
    def test_help_of_every_command(self):
        out = self.good("--help")
        for name in ("keygen", "pack", "bin", "bootloader", "image", "inspect", "verify", "flash", "status"):
            self.assertIn(f"\n  {name} ", out)
            text = self.good(name, "--help")
            self.assertTrue(text.startswith(f"Usage: fota {name} [OPTION...]"), text)
            self.assertIn("Example", text)
            self.assertIn("--json", text)
        self.assertRegex(self.good("--version"), r"^fota \d+\.\d+\.\d+")

    def test_wrong_usage(self):
        for arguments, message in (
                ([], "Usage: fota COMMAND"),
                (["nonsense"], 'fota: there is no command "nonsense"; fota --help lists them'),
                (["keygen"], "-o NAME is missing"),
                (["pack", "-o", "x", "--key", "k.pem"], "the input is missing"),
                (["pack", "a.elf", "-o", "x"], "--key K.pem is missing; make one with fota keygen -o NAME"),
                (["pack", "a.elf", "--key", "k.pem"], "-o is missing"),
                (["pack", "a", "b", "c", "--key", "k.pem", "-o", "x"], 'more than two input files: "c"'),
                (["pack", "a.elf", "--version", "1.2"], '--version: "1.2" is not a version such as 1.2.3 or 1.2.3+45'),
                (["pack", "a.elf", "--hw", "4-1"], '--hw: "4-1" is not a revision or a range such as 1-3, 0 to 65535'),
                (["pack", "a.elf", "--product", "x"], '--product: "x" is not a UUID such as'),
                (["pack", "a.elf", "--deadline", "601"], '--deadline: "601" is not a number from 1 to 600'),
                (["pack", "a.elf", "--counter", "-1"], '--counter: "-1" is not a number from 0 to 4294967295'),
                (["verify", "app.fota"], "the package and at least one --key are needed"),
                (["bootloader", "x.bin"], "--key, --product, --hw and -o are needed (or --show)"),
                (["image", "app.fota"], "the package, --slot and -o are needed"),
                (["flash", "app.fota"], "--port is missing"),
                (["status"], "--port is missing")):
            r = self.run_fota(*arguments)
            self.assertEqual((r.returncode, r.stdout), (2, ""), arguments)
            self.assertIn(message, r.stderr)


if __name__ == "__main__":
    unittest.main()
