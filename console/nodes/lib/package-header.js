// SPDX-License-Identifier: MIT
'use strict';
/** Reads what a page shows of a package out of its header (docs/image.md). It judges nothing: the gateway does. */
const HEADER_SIZE = 512;

/**
 * @param {Buffer} head  the beginning of a file
 * @returns {object|null} version, product, counter, image_size; null when the file is not a package
 */
function readHeader(head) {
    if (head.length < HEADER_SIZE || head.toString('latin1', 0, 4) !== 'FOTA') return null;
    if (head.readUInt16LE(4) !== 1 || head.readUInt16LE(6) !== HEADER_SIZE) return null;
    const hex = head.toString('hex', 8, 24);
    const build = head.readUInt32LE(36);
    return {
        product: [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-'),
        version: `${head.readUInt16LE(28)}.${head.readUInt16LE(30)}.${head.readUInt16LE(32)}${build ? `+${build}` : ''}`,
        counter: head.readUInt32LE(40),
        image_size: head.readUInt32LE(44),
    };
}

module.exports = { readHeader, HEADER_SIZE };
