// SPDX-License-Identifier: MIT
'use strict';
/** Files for tests, made as docs/image.md describes them. */
const zlib = require('node:zlib');

const LINK = 0x08004200;
const DISTANCE = 0x5c000;
const PRODUCT = Buffer.from('6f7a1c2e0b3d4e5f8a9bacbdcedfe0f1', 'hex');

function crc32(data) {
    if (zlib.crc32) return zlib.crc32(data) >>> 0;
    let crc = 0xffffffff;
    for (const byte of data) {
        crc ^= byte;
        for (let i = 0; i < 8; i++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return (crc ^ 0xffffffff) >>> 0;
}

/**
 * A `firmware.bin` with its relocation table: a vector table, an application info block, filler.
 * @param {{version: number[], counter: number, size?: number}} what  version: [major, minor, patch]
 */
function firmwareBin({ version, counter, size = 24000 }) {
    const code = Buffer.alloc(size, 0);
    for (let i = 512; i < size; i++) code[i] = (i * 31 + version[1] * 7) & 0x3f;
    code.writeUInt32LE(0x20020000, 0);
    code.writeUInt32LE(LINK + 0x400 + 1, 4);
    const info = 512;
    code.write('FOTA-APP-INFO-01', info, 'latin1');
    PRODUCT.copy(code, info + 16);
    code.writeUInt16LE(1, info + 32);
    code.writeUInt16LE(1, info + 34);
    version.forEach((n, i) => code.writeUInt16LE(n, info + 36 + 2 * i));
    code.writeUInt16LE(0, info + 42);
    code.writeUInt32LE(0, info + 44);
    code.writeUInt32LE(counter, info + 48);
    code.writeUInt32LE(0, info + 52);
    const relocations = Buffer.alloc(4);
    relocations.writeUInt32LE(4, 0);
    const tail = Buffer.alloc(24);
    tail.writeUInt32LE(size, 0);
    tail.writeUInt32LE(LINK, 4);
    tail.writeUInt32LE(DISTANCE, 8);
    tail.writeUInt32LE(1, 12);
    tail.writeUInt32LE(crc32(Buffer.concat([code, relocations, tail.subarray(0, 16)])), 16);
    tail.write('FRL1', 20, 'latin1');
    return Buffer.concat([code, relocations, tail]);
}

/** What looks like a package to whoever reads only the header; no device would take it: the signature is zero. */
function unsignedPackage({ version, counter, size = 2000 }) {
    const file = Buffer.alloc(512 + size, 0xff);
    file.write('FOTA', 0, 'latin1');
    file.writeUInt16LE(1, 4);
    file.writeUInt16LE(512, 6);
    PRODUCT.copy(file, 8);
    version.forEach((n, i) => file.writeUInt16LE(n, 28 + 2 * i));
    file.writeUInt16LE(0, 34);
    file.writeUInt32LE(0, 36);
    file.writeUInt32LE(counter, 40);
    file.writeUInt32LE(size, 44);
    file.fill(0, 448, 512);
    return file;
}

module.exports = { firmwareBin, unsignedPackage };
