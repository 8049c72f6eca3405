// SPDX-License-Identifier: MIT
'use strict';
/** The small flow without a hub, with a real broker: store, sign, serve, start, follow. */
const test = require('node:test');
const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { Readable } = require('node:stream');
const { PackageStore, MAX_PACKAGES } = require('../nodes/lib/package-store');
const { startBroker, startConsole, until, tempDir } = require('./support/processes');
const { unsignedPackage, firmwareBin } = require('./support/firmware');
const { Gateway } = require('./support/gateway');
const { request, login, dashboardSocket } = require('./support/http');

const sha256 = (data) => crypto.createHash('sha256').update(data).digest('hex');
const PACKAGE = unsignedPackage({ version: [1, 1, 0], counter: 2 });

/** A program in the place of `fota`, which says what it was asked and writes a package. */
function standinTool(dir, body) {
    const file = path.join(dir, 'fota');
    fs.writeFileSync(file, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
    return file;
}

test('the store keeps packages under their digest and has others packed', async (t) => {
    const dir = tempDir();
    t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
    const add = (store, data, name) => store.add(Readable.from([data]), name);
    const options = { dir: path.join(dir, 'store'), command: path.join(dir, 'none'), key: '', limit: 1024 * 1024 };
    const store = new PackageStore(options);
    const release = await add(store, PACKAGE, 'app.fota');
    assert.deepEqual([release.sha256, release.version, release.counter, release.size, release.product], [sha256(PACKAGE), '1.1.0', 2, PACKAGE.length, '6f7a1c2e-0b3d-4e5f-8a9b-acbdcedfe0f1']);
    assert.deepEqual(fs.readFileSync(store.file(release.sha256)), PACKAGE);
    assert.deepEqual(await store.list(), [release]);

    await assert.rejects(add(store, firmwareBin({ version: [1, 2, 0], counter: 3 }), 'firmware.bin'), { code: 'not-signed', message: /firmware\.bin is not a signed.*FOTA_DEV_KEY/ });
    await assert.rejects(add(store, Buffer.alloc(0), 'empty.bin'), { code: 'empty' });
    await assert.rejects(add(store, Buffer.alloc(1024 * 1024 + 1), 'big.bin'), { code: 'too-large' });
    await assert.rejects(add(new PackageStore({ ...options, key: 'k.pem' }), Buffer.from('x'), 'x.bin'), { code: 'no-tool', message: /FOTA_COMMAND/ });

    fs.writeFileSync(path.join(dir, 'signed'), unsignedPackage({ version: [1, 2, 0], counter: 3 }));
    const command = standinTool(dir, `echo "$@" > ${dir}/asked; [ "$1" = pack ] && [ "$3" = --key ] && [ "$5" = -o ] && cp ${dir}/signed "$6"`);
    const packed = await add(new PackageStore({ ...options, command, key: '/keys/dev.pem' }), firmwareBin({ version: [1, 2, 0], counter: 3 }), 'firmware.bin');
    assert.equal(packed.version, '1.2.0');
    assert.match(fs.readFileSync(path.join(dir, 'asked'), 'utf8'), /^pack \S+\/upload\.bin --key \/keys\/dev\.pem -o \S+\n$/);
    const failing = standinTool(dir, 'echo "fota: $2: a bare .bin has no relocations; link it twice" >&2; exit 1');
    await assert.rejects(add(new PackageStore({ ...options, command: failing, key: 'k' }), Buffer.from('x'), 'bare.bin'), { code: 'pack', message: 'bare.bin: a bare .bin has no relocations; link it twice' });

    for (let i = 0; i < MAX_PACKAGES + 3; i++) await add(store, unsignedPackage({ version: [2, i, 0], counter: 9 }), 'x.fota');
    assert.equal((await store.list()).length, MAX_PACKAGES);
    assert.deepEqual(fs.readdirSync(options.dir).filter((f) => f.startsWith('.')), [], 'nothing is left behind');
    assert.equal(fs.readdirSync(options.dir).length, 2 * MAX_PACKAGES);
});

test('without a hub: upload, fetch, start over MQTT, watch', { timeout: 60000 }, async (t) => {
    const broker = await startBroker();
    const console_ = await startConsole({ FOTA_FLOWS: 'standalone', FOTA_MQTT_URL: broker.url, FOTA_COMMAND: '/nonexistent/fota' });
    const gateway = await Gateway.start(broker.url, 'gw1', ['board1']);
    const { origin } = console_;
    const cookie = await login(origin, console_.user, console_.password);
    const client = dashboardSocket(origin, { cookie });
    t.after(async () => {
        client.close();
        await gateway.stop();
        await console_.stop();
        await broker.stop();
    });
    const upload = (body, name, headers = { Cookie: cookie }) => request(`${origin}/fota/upload?name=${name}`, { method: 'POST', body, headers });
    const act = (action, payload) => client.socket.emit('widget-action', 'fota-w-devices', { action, payload });
    const said = (test_) => client.events.map(([name, msg]) => (name === 'msg-input:fota-w-devices' ? msg.payload : null)).filter(Boolean).find(test_);
    const digest = sha256(PACKAGE);
    const address = `${origin}/fota/packages/${digest}.fota`;

    assert.equal((await upload(PACKAGE, 'app.fota', {})).status, 401);
    assert.equal((await request(address)).status, 404);
    const stored = await upload(PACKAGE, 'app.fota');
    assert.equal(stored.status, 201);
    assert.equal(stored.json().release.sha256, digest);
    const unsigned = await upload(firmwareBin({ version: [1, 2, 0], counter: 3 }), 'firmware.bin');
    assert.deepEqual([unsigned.status, unsigned.json().code], [400, 'not-signed']);
    const big = await upload(Buffer.alloc(1024 * 1024 + 1), 'big.bin');
    assert.equal(big.status, 413);

    // What a gateway does: fetch without a login, in parts, and go on only if it is still the same file.
    const whole = await request(address);
    assert.deepEqual(whole.body, PACKAGE);
    assert.equal(whole.headers.etag, `"${digest}"`);
    const part = await request(address, { headers: { Range: 'bytes=100-199', 'If-Range': `"${digest}"` } });
    assert.deepEqual([part.status, part.headers['content-range']], [206, `bytes 100-199/${PACKAGE.length}`]);
    assert.deepEqual(part.body, PACKAGE.subarray(100, 200));
    assert.equal((await request(address, { headers: { Range: 'bytes=100-199', 'If-Range': '"other"' } })).status, 200);
    assert.equal((await request(address, { headers: { Range: `bytes=${PACKAGE.length}-` } })).status, 416);
    assert.equal((await request(address, { headers: { 'If-None-Match': `"${digest}"` } })).status, 304);

    assert.equal(await client.connected, true);
    await gateway.state('board1', 'idle');
    act('view', { filter: '', show: 'all', offset: 0 });
    await until(() => said((p) => p.rows && p.rows[0] && p.rows[0].version === '1.0.0'), 'the device is shown');
    act('start', { gateway: 'gw1', device: 'board1', release: digest, size: PACKAGE.length });
    const command = await gateway.command();
    const { job } = command;
    assert.deepEqual(command, { v: 1, cmd: 'update', job, device: 'board1', url: address, sha256: digest, size: PACKAGE.length, retry: false });
    await gateway.reply(command, true);
    await until(() => said((p) => p.ok === true && /started/.test(p.message)), 'the start is confirmed');
    await gateway.state('board1', 'write', { job });
    await gateway.progress('board1', job, 'write', 63);
    await until(() => said((p) => p.rows && p.rows[0].percent === 63 && p.rows[0].state === 'write'), 'the percentage is shown');

    act('start', { gateway: 'gw1', device: 'board1', release: digest });
    await gateway.reply(await gateway.command(), false, { reason: 'busy', detail: 'board1 has an update under way' });
    await until(() => said((p) => p.ok === false && /refused: board1 has an update under way/.test(p.message)), 'the refusal is shown');
    act('cancel', { gateway: 'gw1', device: 'board1', job });
    assert.deepEqual(await gateway.command(), { v: 1, cmd: 'cancel', job, device: 'board1' });
    act('start', { gateway: 'gw1/#', device: 'board1', release: digest });
    await until(() => said((p) => p.ok === false && /choose a device/.test(p.message)), 'a bad name goes nowhere');
});
