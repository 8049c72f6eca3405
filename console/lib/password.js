// SPDX-License-Identifier: MIT
'use strict';
/** Password hashes: scrypt (RFC 7914), written as `scrypt:N:r:p:salt:key` in base64url. */
const crypto = require('node:crypto');

const N = 32768;
const R = 8;
const P = 1;
const KEY_BYTES = 32;
const MAXMEM = 128 * 1024 * 1024;
const FORMAT = /^scrypt:(\d{4,7}):(\d{1,2}):(\d{1,2}):([\w-]{16,88}):([\w-]{43})$/;

/** @returns {string} a new hash of `password` with a random salt */
function hashPassword(password) {
    const salt = crypto.randomBytes(16);
    const key = crypto.scryptSync(password.normalize('NFKC'), salt, KEY_BYTES, { N, r: R, p: P, maxmem: MAXMEM });
    return `scrypt:${N}:${R}:${P}:${salt.toString('base64url')}:${key.toString('base64url')}`;
}

function parse(hash) {
    const m = FORMAT.exec(hash);
    if (!m) return null;
    const [n, r, p] = m.slice(1, 4).map(Number);
    const powerOfTwo = (n & (n - 1)) === 0;
    if (!powerOfTwo || r < 1 || p < 1 || 128 * n * r > MAXMEM / 2) return null;
    return { n, r, p, salt: Buffer.from(m[4], 'base64url'), key: Buffer.from(m[5], 'base64url') };
}

/** @returns {boolean} whether `hash` is one that checkPassword can use */
function isPasswordHash(hash) {
    return parse(hash) !== null;
}

/**
 * Compares in constant time.
 * @returns {Promise<boolean>} whether `password` has the hash `hash`
 */
function checkPassword(password, hash) {
    const h = parse(hash);
    if (!h) return Promise.resolve(false);
    return new Promise((resolve, reject) => {
        crypto.scrypt(password.normalize('NFKC'), h.salt, h.key.length, { N: h.n, r: h.r, p: h.p, maxmem: MAXMEM }, (err, key) => {
            if (err) reject(err);
            else resolve(crypto.timingSafeEqual(key, h.key));
        });
    });
}

module.exports = { hashPassword, isPasswordHash, checkPassword };
