# SPDX-License-Identifier: MIT
"""Every bad package of make_bad, with the reason that it is refused for and what the sentence must say.

The reason is the same word everywhere: from fota, from the hub, from the gateway, and from the bootloader where it sees the
fault (`boot`: what it answers to BEGIN; None: the header is good, the fault lies behind it)."""
import struct
from dataclasses import dataclass



@dataclass(frozen=True)
class Case:
    name: str
    reason: str
    says: tuple  # in the sentence: the field, its value, what to do; {names} are filled in by facts()
    boot: str = None
    finish: str = None  # what the bootloader finds at FINISH, where the whole code can be sent


def header(name, reason, *says):
    return Case(name, reason, says, boot=reason)


def behind(name, reason, *says, finish=None):
    return Case(name, reason, says, finish=finish)


SIGNATURE = ("signature does not fit", "{trusted}", "sign it again with fota pack")
DAMAGED = "fetch it or pack it again"
FIT = "pack it again"
VECTORS = "pack it again from an ELF with its vector table first"

CASES = [
    header("magic", "magic", "magic number 0x41544f58", "0x41544f46", "make one with fota pack"),
    header("format", "format", "format version 2", "version 1", FIT),
    header("header-size", "format", "header of 1024 bytes", "512", FIT),
    header("flags", "flags", "flags 0x00000002", FIT),
    header("size-0", "size", "image size 0 ", "8 to 376320", FIT),
    header("size-4", "size", "image size 4 ", "8 to 376320", FIT),
    header("size-odd", "size", "image size 4098", "multiple of 4", FIT),
    header("size-slot", "size", "image size 376324", "8 to 376320", "make the program smaller"),
    header("size-huge", "size", "image size 4294967292", "8 to 376320", FIT),
    header("link-address", "link-address", "linked for 0x08008200", "0x08004200", "link it for slot A"),
    header("distance", "link-address", "slot distance 0x40000", "0x5c000", FIT),
    header("deadline-0", "deadline-range", "trial deadline 999 ms", "--deadline 1 to 600"),
    header("deadline-long", "deadline-range", "trial deadline 600001 ms", "--deadline 1 to 600"),
    header("hw-order", "hw-revision", "revision 3 is above the highest 2", "--hw LOWEST-HIGHEST"),
    header("key-unknown", "key", "key {unknown}", "trust"),
    header("key-borrowed", "signature", *SIGNATURE),
    header("header-changed", "signature", *SIGNATURE),
    header("signature-r", "signature", *SIGNATURE),
    header("signature-s", "signature", *SIGNATURE),
    header("signature-zero", "signature", *SIGNATURE),
    header("signature-ones", "signature", *SIGNATURE),
    behind("image-size-less", "size", "code", "{less} bytes that the header says", FIT),
    behind("image-size-more", "size", "code", "{more} bytes that the header says", FIT),
    behind("crc-b", "crc", "CRC-32", "slot B 0x", DAMAGED, finish="crc"),
    behind("hash-a", "hash", "SHA-256", "slot A ", DAMAGED),
    behind("hash-b", "hash", "SHA-256", "slot B ", DAMAGED, finish="hash"),
    behind("code-flipped", "crc", "CRC-32", "slot A 0x", DAMAGED, finish="crc"),
    behind("section-0", "section", "section type 0 ", FIT),
    behind("section-delta", "section", "section type 2 (delta)", "plain code"),
    behind("section-compressed", "section", "section type 3 (compressed code)", "plain code"),
    behind("section-encrypted", "section", "section type 4 (encrypted code)", "plain code"),
    behind("section-5", "section", "section type 5 ", FIT),
    behind("section-flags", "section", "section type 1 (flags 1", FIT),
    behind("section-short", "section", "block at offset", "longer than its section", DAMAGED),
    behind("section-huge", "size", "{size} bytes that the header says", FIT),
    behind("end-first", "section", "section type 65535 ", "out of order", FIT),
    behind("end-length", "section", "section type 65535 ", "length 4", FIT),
    behind("code-twice", "section", "section type 1 ", "out of order", FIT),
    behind("block-empty", "size", "{size} bytes that the header says", FIT),
    behind("block-large", "size", "{size} bytes that the header says", FIT),
    behind("relocations-many", "relocation", "1025 relocations", "at most 1024", DAMAGED),
    behind("relocation-beyond", "relocation", "relocation ", "is at {beyond}", "outside the block's {block} bytes", DAMAGED),
    behind("relocation-far", "relocation", "relocation ", "is at 65534", "outside the block's {block} bytes", DAMAGED),
    behind("relocation-overlap", "relocation", "relocation 1 ", "where the one before ends", DAMAGED),
    behind("relocation-order", "relocation", "relocation 1 ", "where the one before ends", DAMAGED),
    behind("relocation-other", "crc", "CRC-32", "slot B 0x", DAMAGED, finish="crc"),
    behind("stack-beyond", "vectors", "stack pointer 0x20020008", VECTORS, finish="vectors"),
    behind("stack-flash", "vectors", "stack pointer 0x08004200", VECTORS, finish="vectors"),
    behind("stack-odd", "vectors", "stack pointer 0x2001fffc", VECTORS, finish="vectors"),
    behind("stack-erased", "vectors", "stack pointer 0xffffffff", VECTORS, finish="vectors"),
    behind("reset-beyond", "vectors", "reset address {past}", "{end}", VECTORS, finish="vectors"),
    behind("reset-header", "vectors", "reset address 0x08004001", VECTORS, finish="vectors"),
    behind("reset-boot", "vectors", "reset address 0x08000001", VECTORS, finish="vectors"),
    behind("reset-even", "vectors", "reset address 0x080", "odd", VECTORS, finish="vectors"),
    behind("reset-fixed", "vectors", "reset address 0x080", "move with the slot", VECTORS, finish="vectors"),
    behind("trailing-byte", "trailing", "after the end of the package", DAMAGED),
    behind("trailing-twice", "trailing", "after the end of the package", DAMAGED),
    behind("oversized", "trailing", "1048577 bytes in all", "at most 1048576", DAMAGED),
    behind("cut-1", "truncated", "make one with fota pack"),
    behind("cut-header", "truncated", "ends after 511 bytes", DAMAGED),
    behind("cut-after-header", "truncated", "ends after 512 bytes", DAMAGED),
    behind("cut-section", "truncated", "ends after 519 bytes", DAMAGED),
    behind("cut-block", "truncated", "ends after 523 bytes", DAMAGED),
    behind("cut-relocations", "truncated", "ends after 527 bytes", DAMAGED),
    behind("cut-code", "truncated", "ends after ", DAMAGED),
    behind("cut-end", "truncated", "ends after ", DAMAGED),
    behind("cut-last", "truncated", "ends after ", DAMAGED),
]

# Good packages, but not for this device: the hub takes them. `fota` are the options of fota verify that say what the device is.
MISFITS = [
    (header("other-product", "product", "5f0e1a52-7c34-4b11-9d20-610bdeadbeef", "5f0e1a52-7c34-4b11-9d20-610b3a774001",
            "for this product"), ("--product", "5f0e1a52-7c34-4b11-9d20-610b3a774001")),
    (header("other-hw", "hw-revision", "hardware revision", "7 to 9", "1"), ("--hw", "1")),
    (header("low-counter", "floor", "security counter 0", "floor 1", "device"), ("--floor", "1")),
]


def facts(good, trusted, unknown):
    """The values that stand in the sentences, from the good package."""
    size, = struct.unpack_from("<I", good, 44)
    block, = struct.unpack_from("<H", good, 520)
    end = 0x08004200 + size
    return {"trusted": trusted, "unknown": unknown, "size": size, "less": size - 4, "more": size + 4, "block": block,
            "beyond": block - 2, "end": f"0x{end:08x}", "past": f"0x{end + 1:08x}"}


@dataclass(frozen=True)
class Other:
    """A file that is no package."""
    name: str
    data: bytes
    verify: str  # the reason that fota verify gives
    hub: str
    says: tuple  # fota verify, hub and gateway
    pack: tuple = ()  # what fota pack says; empty: it can be packed, or has a test of its own
    kind: str = None  # that fota inspect calls it, where it is not good


def intel_hex(data):
    lines = []
    for at in range(0, len(data), 16):
        record = struct.pack(">BHB", len(data[at:at + 16]), at & 0xFFFF, 0) + data[at:at + 16]
        lines.append(":" + record.hex().upper() + f"{-sum(record) & 0xFF:02X}")
    return "\n".join(lines + [":00000001FF", ""]).encode()


def others(read, target, bench_path):
    """Files that people upload by mistake. `read` reads a file, `target` and `bench_path` make paths."""
    code = read(target("hello-2.0.0.a.bin"))
    text = b"Release notes: nothing in here is firmware.\n" * 40
    elf_wanted = ("wanted is the ELF", "firmware.bin")
    not_movable = ("cannot be moved to another slot", "make a package of the ELF with fota pack")
    give_elf = ("cannot be moved to slot B", "Give the ELF", "-Wl,--emit-relocs", "fota bin")
    return [
        Other("empty", b"", "truncated", "truncated", ("the file is empty", "fota pack"), ("the file is empty", "give the ELF"),
              "empty"),
        Other("text", text, "magic", "magic", ("0x656c6552", "a text file", "fota pack"), ("a text file", *elf_wanted), "text"),
        Other("short-text", text[:40], "truncated", "magic", ("a text file", "fota pack"), ("a text file", *elf_wanted), "text"),
        Other("bare-bin", code, "magic", "magic", ("a bare .bin", *not_movable), ("a bare .bin", *give_elf), "bare-bin"),
        Other("intel-hex", intel_hex(code), "magic", "magic", ("an Intel HEX file", *not_movable),
              ("an Intel HEX file", *give_elf), "intel-hex"),
        Other("zeros", bytes(4096), "magic", "magic", ("0x00000000", "unknown kind", "fota pack"), ("unknown kind", *elf_wanted),
              "unknown"),
        Other("erased", b"\xff" * 4096, "magic", "magic", ("0xffffffff", "unknown kind", "fota pack"),
              ("unknown kind", *elf_wanted), "unknown"),
        Other("elf", read(target("hello-2.0.0.a.elf")), "magic", "magic", ("an ELF file", "make a package of it with fota pack")),
        Other("firmware-bin", read(bench_path("hello-2.0.0.bin")), "magic", "magic",
              ("a firmware.bin with its relocation table", "make a package of it with fota pack")),
        Other("private-key", read(bench_path("other.pem")), "truncated", "magic", ("PEM file", "fota pack"),
              ("PEM file", *elf_wanted)),
        Other("slot", read(bench_path("factory.bin")), "section", "section",
              ("the content of a slot", "no .fota package", "fota pack"), ("the content of a slot", *elf_wanted)),
        Other("bootloader", read(bench_path("boot.bin")), "magic", "magic", ("a bootloader", "no .fota package", "fota pack"),
              ("a bootloader", *elf_wanted)),
    ]
