// SPDX-License-Identifier: MIT
'use strict';
/**
 * Packages in a folder, each under its SHA-256; an upload that is not yet a package is packed and signed by the `fota`
 * command. Files appear under their final name only when they are whole.
 */
const { execFile } = require('node:child_process');
const crypto = require('node:crypto');
const fs = require('node:fs');
const fsp = require('node:fs/promises');
const path = require('node:path');
const { pipeline } = require('node:stream/promises');
const { bounded } = require('./hub-client');
const { readHeader, HEADER_SIZE } = require('./package-header');

const PACK_TIMEOUT_MS = 30 * 1000;
const MAX_PACKAGES = 50;
const SHA256 = /^[0-9a-f]{64}$/;

class StoreError extends Error {
    constructor(status, code, message) {
        super(message);
        this.status = status;
        this.code = code;
    }
}

class PackageStore {
    /** @param {{dir: string, command: string, key: string, limit: number}} options  command and key of `fota pack`; limit in bytes */
    constructor(options) {
        this.options = options;
        fs.mkdirSync(options.dir, { recursive: true, mode: 0o700 });
    }

    file(sha256) {
        return path.join(this.options.dir, `${sha256}.fota`);
    }

    /**
     * Stores an upload.
     * @param {stream.Readable} stream
     * @param {string} name  its file name, for the list
     * @returns {Promise<object>} the release, with the members that the hub's have (docs/http.md)
     */
    async add(stream, name) {
        const work = await fsp.mkdtemp(path.join(this.options.dir, '.upload-'));
        try {
            // The tool tells the kinds of file apart by what is in them, and by the ending for its messages.
            const received = path.join(work, 'upload' + (/\.(bin|elf|fota)$/i.exec(name)?.[0].toLowerCase() || '.bin'));
            await pipeline(stream, bounded(this.options.limit), fs.createWriteStream(received, { mode: 0o600 }));
            let ready = received;
            let header = await this.header(received);
            if (!header) {
                ready = path.join(work, 'packed.fota');
                await this.pack(received, ready, name);
                header = await this.header(ready);
                if (!header) throw new StoreError(500, 'internal', `${this.options.command} pack made a file that is not a package`);
            }
            const data = await fsp.readFile(ready);
            const sha256 = crypto.createHash('sha256').update(data).digest('hex');
            const release = { sha256, size: data.length, ...header, name, uploaded: new Date().toISOString() };
            const meta = path.join(work, 'meta.json');
            await fsp.writeFile(meta, JSON.stringify(release));
            await fsp.rename(ready, this.file(sha256));
            await fsp.rename(meta, path.join(this.options.dir, `${sha256}.json`));
            await this.prune();
            return release;
        } finally {
            await fsp.rm(work, { recursive: true, force: true });
        }
    }

    async header(file) {
        const handle = await fsp.open(file);
        try {
            const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEADER_SIZE), 0, HEADER_SIZE, 0);
            if (bytesRead === 0) throw new StoreError(400, 'empty', 'the file is empty: choose a firmware.bin or a .fota package');
            return readHeader(buffer.subarray(0, bytesRead));
        } finally {
            await handle.close();
        }
    }

    pack(input, output, name) {
        const { command, key } = this.options;
        if (!key) {
            throw new StoreError(400, 'not-signed', `${name} is not a signed .fota package, and this console has no key to sign with: ` +
                'sign it first with fota pack, or set FOTA_DEV_KEY to a development key');
        }
        return new Promise((resolve, reject) => {
            execFile(command, ['pack', input, '--key', key, '-o', output], { timeout: PACK_TIMEOUT_MS, maxBuffer: 65536 }, (err, stdout, stderr) => {
                if (!err) return resolve();
                if (err.code === 'ENOENT' || err.code === 'EACCES') {
                    return reject(new StoreError(500, 'no-tool', `the fota tool is not there ("${command}"): set FOTA_COMMAND to its path, or upload a signed .fota package`));
                }
                if (err.killed) return reject(new StoreError(500, 'stalled', `fota pack did not end within ${PACK_TIMEOUT_MS / 1000} s`));
                // The tool's own words, without its name and our folder.
                const words = `${stderr}${stdout}`.split(input).join(name).replace(/^fota: /, '').trim().slice(0, 800);
                reject(new StoreError(400, 'pack', words || `fota pack ended with ${err.code}`));
            });
        });
    }

    /** @returns {Promise<object[]>} the releases, newest first */
    async list() {
        const releases = [];
        for (const file of await fsp.readdir(this.options.dir)) {
            const m = /^([0-9a-f]{64})\.json$/.exec(file);
            if (!m) continue;
            try {
                const release = JSON.parse(await fsp.readFile(path.join(this.options.dir, file), 'utf8'));
                if (release.sha256 === m[1] && fs.existsSync(this.file(m[1]))) releases.push(release);
            } catch {
                // A damaged entry is as good as none; the next upload of the file makes it anew.
            }
        }
        return releases.sort((a, b) => (a.uploaded < b.uploaded ? 1 : -1));
    }

    async prune() {
        for (const old of (await this.list()).slice(MAX_PACKAGES)) {
            await fsp.rm(path.join(this.options.dir, `${old.sha256}.json`), { force: true });
            await fsp.rm(this.file(old.sha256), { force: true });
        }
    }

    /** @returns {Promise<object|null>} the release of a digest */
    async get(sha256) {
        if (!SHA256.test(sha256)) return null;
        return (await this.list()).find((r) => r.sha256 === sha256) || null;
    }
}

module.exports = { PackageStore, StoreError, MAX_PACKAGES };
