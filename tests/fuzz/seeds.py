#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Make the seeds of the corpora from real things: `tests/fuzz/seeds.py BUILD`, after make build. What was found stays beside them."""
import base64
import os
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build")
PRODUCT = "5f0e1a52-7c34-4b11-9d20-610b3a774001"


def seed(target, name, data):
    folder = os.path.join(HERE, "corpus", target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "seed-" + name), "wb") as f:
        f.write(data)


def read(path):
    with open(path, "rb") as f:
        return f.read()


def artefacts(folder):
    fota, elf = os.path.join(BUILD, "cli", "fota"), os.path.join(BUILD, "target", "hello-1.3.0")
    for link in "ab":
        subprocess.run(["arm-none-eabi-strip", "-g", "-o", f"{folder}/{link}.elf", f"{elf}.{link}.elf"], check=True)

    def run(*arguments):
        subprocess.run([fota, *arguments], check=True, cwd=folder, stdout=subprocess.DEVNULL)
    run("keygen", "-o", "key")
    run("pack", "a.elf", "b.elf", "--key", "key.pem", "-o", "two.fota")
    der = bytes.fromhex("30310201010420") + bytes(range(1, 33)) + bytes.fromhex("a00a06082a8648ce3d030107")
    with open(os.path.join(folder, "known.pem"), "wb") as f:  # the key that fuzz_http's hub trusts
        f.write(b"-----BEGIN EC PRIVATE KEY-----\n" + base64.encodebytes(der) + b"-----END EC PRIVATE KEY-----\n")
    run("pack", "a.elf", "b.elf", "--key", "known.pem", "-o", "signed.fota")
    run("bin", "a.elf", "b.elf", "-o", "two.bin")
    run("bootloader", os.path.join(BUILD, "target", "bootloader.bin"), "--key", "key.pub.pem", "--product", PRODUCT, "--hw", "1", "-o", "boot.bin")
    return {name: read(os.path.join(folder, name)) for name in os.listdir(folder)}


def request(method, path, who, head="", body=None):
    """A request as fuzz_http.c takes it: the length of the body is put in there."""
    length = "" if body is None else "Content-Length: $L$\r\n"
    return f"{method} /api/v1/{path} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer ${who}$\r\n{head}{length}\r\n".encode() + (body or b"")


def http(package, signed, firmware):
    """Every route with every method, and what each of them has to look at."""
    paths = ["health", "releases", "releases/$R$", "packages/$R$.fota", "devices", "devices/gw1/board1", "devices/gw1/board1/history?limit=5", "updates", "updates/$J$",
             "updates/$J$/cancel"]
    for i, path in enumerate(paths):
        seed("http", f"methods-{i}", b"".join(request(m, path, "AVO"[i % 3]) for m in ("GET", "HEAD", "PUT", "OPTIONS")) + request("PATCH", path, "V", body=b"{}$E$")
             + request("DELETE", path, "V") + request("POST", path, "G", body=b""))
        seed("http", f"get-{i}", request("GET", path, "VOA"[i % 3]))
    seed("http", "nothing-there", request("GET", "releases/" + "ab" * 32, "V") + request("GET", "packages/x.fota", "G") + request("GET", "devices/gw1/x", "V")
         + request("GET", "updates/x", "V") + request("GET", "x/%22%00?limit=%zz", "V") + request("POST", "updates/x/cancel", "O"))
    seed("http", "limits", b"".join(request("GET", f"updates?limit={n}", "V") for n in ("0", "1", "1000", "1001", "x", "")))
    for i, head in enumerate(("Range: bytes=0-99", "Range: bytes=4-\r\nIf-Range: \"$R$\"", "Range: bytes=-8\r\nIf-Range: W/\"$R$\"", "Range: bytes=9999-", "Range: bytes=0-1,4-5",
                              "If-None-Match: \"x\", W/\"$R$\"", "If-None-Match: *")):
        seed("http", f"range-{i}", request("GET", "packages/$R$.fota", "G", head + "\r\n") + request("HEAD", "packages/$Q$.fota", "V", head + "\r\n"))
    seed("http", "no-token", b"GET /api/v1/devices HTTP/1.1\r\nHost: h\r\n\r\nGET /api/v1/health HTTP/1.0\r\nHost: h\r\n\r\n")
    seed("http", "no-token-that-counts", request("GET", "updates", "V").replace(b"Bearer $V$", b"bearer  x$V$") + request("GET", "updates", "V").replace(b"Bearer", b"Basic"))
    for i, (device, release, retry) in enumerate((("board2", "$R$", "true"), ("board2", "$Q$", "false"), ("board1", "$R$", "false"), ("board4", "$Q$", "0"), ("none", "$R$", "false"), ("board2", "x", "false"))):
        seed("http", f"start-{i}", request("POST", "updates", "O", body=f'{{"gateway":"gw1","device":"{device}","release":"{release}","retry":{retry}}}'.encode()))
    for job in "JTF":
        seed("http", f"cancel-{job}", request("POST", f"updates/${job}$/cancel", "O", body=b""))
    seed("http", "start-and-all", request("POST", "updates", "A", body=b'{"gateway":"gw1","device":"board2","release":"$Q$"}$E$') + request("DELETE", "releases/$Q$", "A")
         + request("GET", "updates?limit=2", "A") + request("GET", "devices/gw1/board2/history", "A"))
    seed("http", "delete", request("DELETE", "releases/$Q$", "A") + request("DELETE", "releases/$Q$", "A") + request("DELETE", "releases/$R$", "A"))
    raw = "Content-Type: application/octet-stream\r\n"
    code = struct.pack("<II", 0x20020000, 0x08004200 + 9) + bytes(56)
    small = package[:512] + struct.pack("<HHIHHH", 1, 0, 6 + len(code), len(code), 1, 4) + code + struct.pack("<HHI", 0xFFFF, 0, 0)
    seed("http", "upload", request("POST", "releases?name=a.fota&notes=what%20is%20new", "O", raw, signed))
    seed("http", "upload-unknown-key", request("POST", "releases", "O", raw, package[:1024]))
    seed("http", "upload-signed", request("POST", "releases?name=a.fota", "O", "X: $S$\r\n", signed[:512] + small[512:]))
    seed("http", "upload-made-whole", request("POST", "releases?notes=%C3%A4", "A", "X: $D$\r\n", small))
    seed("http", "upload-twice", request("POST", "releases", "O", "", b"$P$$E$") + request("POST", "releases?name=b", "O", "", b"$P$$E$") + request("GET", "releases", "O"))
    seed("http", "upload-chunked", request("POST", "releases", "O", "Transfer-Encoding: chunked\r\n")
         + b"".join(b"%x\r\n%s\r\n" % (len(signed[n:n + 3000]), signed[n:n + 3000]) for n in range(0, len(signed), 3000)) + b"0\r\n\r\n")
    seed("http", "upload-firmware", request("POST", "releases?name=firmware.bin", "O", "X: $K$\r\n", firmware))
    seed("http", "upload-form", request("POST", "releases", "O", "Content-Type: multipart/form-data; boundary=x\r\n", b"--x\r\n"))
    seed("http", "upload-expect", request("POST", "releases", "V", "Expect: 100-continue\r\n", small[:40]))
    seed("http", "upload-too-large", request("POST", "releases", "O", "Content-Length: 1048577\r\n") + small[:40])


def main():
    with tempfile.TemporaryDirectory() as folder:
        made = artefacts(folder)
    package, header = made["two.fota"], made["two.fota"][:512]
    seed("header", "signed", header)
    seed("header", "config", made["boot.bin"][-256:])
    seed("channel", "stable", struct.pack("<4sHH16s32sIIQQ32s32s12s8s28s64s", b"FCHI", 1, 256, header[8:24], b"stable", 7, len(package), 1795000000, 1797592000,
                                          bytes(range(32)), bytes(32), bytes(12), bytes(8), b"\xff" * 28, bytes(64)))
    seed("package", "two-links", package)
    seed("package", "truncated", package[:3000])
    seed("image", "elf", b"\0" + made["a.elf"])
    seed("elf", "one", b"\0" + made["a.elf"])
    longest = max(len(made["a.elf"]), len(made["b.elf"]))
    seed("elf", "two", b"\1" + made["a.elf"].ljust(longest, b"\0") + made["b.elf"].ljust(longest, b"\0"))
    code = read(os.path.join(BUILD, "target", "hello-1.3.0.a.bin"))
    for n in range(0, min(len(code), 16384), 4096):
        seed("elf", f"code-{n // 4096}", b"\2" + code[n:n + 4096])
    seed("image", "bin", b"\0" + made["two.bin"])
    seed("image", "bootloader", b"\0" + made["boot.bin"])
    seed("image", "package", b"\0" + package[:4096])
    seed("key", "private", made["key.pem"])
    seed("key", "public", made["key.pub.pem"])
    for text in (b"1.2.3+45", b"1-4", b"0x20", PRODUCT.encode()):
        seed("key", "text-" + text.decode().replace("+", "_")[:8], text)
    for kind, payload in ((1, b"\1"), (2, b"\0\0\0\0" + header), (3, b"\0\0\0\0" + bytes(64)), (4, b""), (5, b""), (6, b""), (7, b"\1"), (8, b""), (9, struct.pack("<I", 921600))):
        seed("link", f"request-{kind}", bytes([1, kind, 7, 0]) + struct.pack("<H", len(payload)) + payload)
    seed("link", "raw", b"\0" + b"\x01\x02\x03\x00" * 8)
    get = b"\xff" + bytes([11, 0x31, 0, 1, 2, 0x11, 0x21, 0x31, 0x44, 0x63, 0x73, 0x82, 0x92]) + b"\xff"
    for wire in (0, 1):  # entering; then each call with acknowledgements all the way
        seed("rom", f"enter-{wire}", bytes([wire, 0]) + bytes(5) + b"\xff" + get + b"\xff\x01\x04\x13\xff" + b"\xff\xff\xff\x91")
        for what in range(1, 10):
            seed("rom", f"call-{what}-{wire}", bytes([wire, what]) + bytes([0, 0, 0, 0, 16, 3]) + b"\xff" * 90)
    for how in range(0, 64, 5):
        info = bytes([0, 0, 0, 0, 0, 0, 0xFF, 0, 0, 3]) + bytes(100)
        seed("push", f"{how}", bytes([how]) + (bytes([7, 120]) + info + bytes(10)) * 3)
    # records as fuzz_journal takes them: place, then what differs
    seed("journal", "empty", b"\3" + struct.pack("<II", 1, 0))
    seed("journal", "a-life", b"\1" + struct.pack("<II", 1, 0) + b"".join(struct.pack("<H", place) + bytes([kind, slot, 0, 0, 5, 5]) + struct.pack("<I", argument)
                                                                                 for place, (kind, slot, argument) in enumerate(
        [(13, 255, 0), (12, 255, 0), (3, 0, 1), (1, 0, 1), (6, 1, 2560), (7, 1, 7), (8, 1, 7), (9, 1, 1024), (2, 1, 0), (3, 1, 1), (4, 1, 0), (14, 255, 9)], 1)))
    # the slot that is kept; then calls as fuzz_install takes them
    for keep in (0, 1):
        seed("install", f"whole-{keep}", bytes([keep, 0]) + bytes([1, 255]) * 3 + bytes([4, 6]))
        seed("install", f"sectors-{keep}", bytes([keep, 0x10, 0x7A, 6, 0x10, 1, 200, 0xFA, 4, 6, 0x08, 0x3A, 5, 0x48, 0xFA, 4]))
        seed("install", f"another-{keep}", bytes([keep, 0x10, 0x9A, 6, 8, 0x1A, 5, 0x50, 0x7F, 6, 0x50, 0xFA, 4]))
        seed("install", f"bad-{keep}", bytes([keep, 0x80, 40, 1, 8, 0x22, 0x0B, 0, 0, 0, 0, 8]) + bytes(8) + bytes([0xFA, 4, 6, 8, 0xFA, 4]))
    command = b'{"v":1,"seq":3,"cmd":"update","job":"j1","device":"board1","url":"http://127.0.0.1/p.fota","sha256":"' + b"ab" * 32 + b'","size":9000,"retry":false}'
    messages = [command, b'{"v":1,"seq":9,"online":true,"version":"0.1.0","devices":["board1","board2"]}',
                b'{"v":1,"seq":9,"cmd":"update","job":"j1","device":"board1","ok":false,"reason":"busy","detail":"x"}',
                b'{"v":1,"seq":9,"job":"j1","state":"write","percent":40,"bytes":400,"total":1000,"rate":100}',
                b'{"v":1,"seq":9,"device":"board1","state":"write","job":"j1","reason":"","detail":"","version":"1.0.0","slot":"A","confirmed":true,"identity":"'
                + b"0" * 64 + b'","target":{"version":"1.1.0"},"info":{"product":"' + PRODUCT.encode() + b'","hw":1,"uid":"' + b"0" * 24 + b'","floor":1,"mode":"application"}}']
    for which, message in enumerate(messages):
        seed("mqtt", f"message-{which}", bytes([which]) + message)
    seed("mqtt", "topic", bytes([6]) + b"fota/v1/gw1/board1/state")
    seed("chunks", "in-order", bytes([1, 0]) + b"".join(bytes([8, n]) for n in range(10)))
    seed("chunks", "mixed", bytes([0, 1, 8, 3, 8, 1, 6, 200, 8, 2, 7, 7, 1, 1, 0, 0, 8, 1, 48, 9, 0, 0, 0, 5]))
    http(package, made["signed.fota"], made["two.bin"])


if __name__ == "__main__":
    main()
