// SPDX-License-Identifier: MIT
'use strict';
/**
 * The console's page in headless Chromium, with the real hub, the real `fota` tool and a real broker. The gateway is
 * directed by the test, so that every state is there long enough to be looked at; the whole way with the real gateway
 * and board is `make demo-once`.
 *
 *   node --test tests/browser/      FOTA_BUILD: where hub/fota-hub and cli/fota are (default: build)
 *                                   FOTA_SHOTS: a folder for pictures of the page
 */
const test = require('node:test');
const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const page = require('./page');

const ROOT = path.resolve(__dirname, '../..');
const SUPPORT = path.join(ROOT, 'console/tests/support');
const { startBroker, startConsole, child, until, tempDir } = require(path.join(SUPPORT, 'processes'));
const { firmwareBin } = require(path.join(SUPPORT, 'firmware'));
const { Gateway } = require(path.join(SUPPORT, 'gateway'));

const BUILD = path.resolve(ROOT, process.env.FOTA_BUILD || 'build');
const HUB = path.join(BUILD, 'hub/fota-hub');
const FOTA = path.join(BUILD, 'cli/fota');
const SHOTS = process.env.FOTA_SHOTS || '';

async function shot(browser, name, options) {
    if (!SHOTS) return;
    fs.mkdirSync(SHOTS, { recursive: true });
    await page.screenshot(browser.page, path.join(SHOTS, name), options);
}

function pack(dir, version, counter) {
    const bin = path.join(dir, `firmware-${version.join('.')}.bin`);
    const out = bin.replace(/bin$/, 'fota');
    fs.writeFileSync(bin, firmwareBin({ version, counter }));
    execFileSync(FOTA, ['pack', bin, '--key', path.join(dir, 'dev.pem'), '-o', out], { stdio: 'pipe' });
    return out;
}

async function startHub(dir, broker, port = 0) {
    const portFile = path.join(dir, 'hub-port');
    fs.rmSync(portFile, { force: true });
    const hub = child(HUB, ['--data', path.join(dir, 'hub'), '--listen', `127.0.0.1:${port}`, '--port-file', portFile, '--mqtt', `127.0.0.1:${broker.port}`,
        '--key', path.join(dir, 'dev.pub.pem')]);
    await until(() => hub.alive() && fs.existsSync(portFile) && fs.readFileSync(portFile, 'utf8').trim(), 'hub listens');
    hub.port = Number(fs.readFileSync(portFile, 'utf8'));
    return hub;
}

/** Plays one update on the gateway's side, up to the state before the end. */
async function play(gateway, device, job, target, { pause = 700 } = {}) {
    const wait = () => new Promise((resolve) => setTimeout(resolve, pause));
    const more = { job, target };
    await gateway.state(device, 'download', more);
    await gateway.progress(device, job, 'download', 100);
    await wait();
    await gateway.state(device, 'write', more);
    await gateway.progress(device, job, 'write', 42);
    await wait();
    await gateway.progress(device, job, 'write', 87);
    // Two states faster than the page is told: neither may be lost.
    await gateway.state(device, 'verify', more);
    await gateway.state(device, 'jump', more);
    await wait();
}

test('the console in a browser', { timeout: 180000 }, async (t) => {
    for (const file of [HUB, FOTA]) assert.ok(fs.existsSync(file), `${file} is not there: build first, or set FOTA_BUILD`);
    const dir = tempDir();
    const ends = [];
    t.after(async () => {
        for (const end of ends.reverse()) await end();
        fs.rmSync(dir, { recursive: true, force: true });
    });

    execFileSync(FOTA, ['keygen', '-o', path.join(dir, 'dev')], { stdio: 'pipe' });
    const packages = { good: pack(dir, [1, 1, 0], 2), bad: pack(dir, [1, 2, 0], 3) };
    const token = execFileSync(HUB, ['token', 'add', '--data', path.join(dir, 'hub'), '--role', 'operator', '--name', 'console'], { encoding: 'utf8' }).trim().split(/\s+/).pop();
    let broker = await startBroker();
    ends.push(() => broker.stop());
    let hub = await startHub(dir, broker);
    ends.push(() => hub.stop());
    const console_ = await startConsole({ FOTA_HUB_URL: `http://127.0.0.1:${hub.port}`, FOTA_HUB_TOKEN: token, FOTA_MQTT_URL: broker.url });
    ends.push(console_.stop);
    const browser = await page.launch();
    ends.push(browser.close);
    const p = browser.page;
    const see = (id) => p.locator(`[data-testid="${id}"]`);
    const D = 'gw1/board1';
    let gateway;

    await t.test('a wrong password does not come in, the right one does', async () => {
        await assert.rejects(page.login(p, console_.url, 'admin', 'wrong password'), /User or password is wrong/);
        await page.login(p, console_.url, console_.user, console_.password);
        await see('devices-empty').getByText('No devices yet').waitFor();
        await see('releases-empty').getByText('No releases yet').waitFor();
        await shot(browser, '1-empty.png');
    });

    await t.test('devices appear when their gateway speaks', async () => {
        gateway = await Gateway.start(broker.url, 'gw1', ['board1', 'board2']);
        ends.push(() => gateway.stop());
        await gateway.state('board1', 'idle');
        const state = await page.waitState(p, D, ['idle'], 10000);
        await until(async () => (await page.deviceState(p, D)).version === '1.0.0', 'version is shown');
        assert.equal(state.online, true);
        assert.equal(await see('device-row').count(), 2);
    });

    await t.test('a channel that a gateway watches is a line, and its problem is said', async () => {
        const channel = { channel: 'stable', product: '6f7a1c2e-0b3d-4e5f-8a9b-acbdcedfe0f1', sequence: 7, version: '1.2.3', expiry: new Date(Date.now() + 864e6).toISOString(),
            polled: new Date().toISOString(), problem: '' };
        await gateway.say('channels', { channels: [channel] }, true);
        const line = see('channel');
        await line.getByText('version 1.2.3, sequence 7 · good until').waitFor();
        assert.match(await line.textContent(), /gw1 watches channel stable: .* · polled at \d/);
        await gateway.say('channels', { channels: [{ ...channel, problem: 'https://bucket/fota: status 403 SignatureDoesNotMatch: the secret access key does not belong to the access key id' }] }, true);
        await line.getByText('SignatureDoesNotMatch').waitFor();
        await shot(browser, '6-channel.png');
        await gateway.say('channels', { channels: [] }, true);
        await line.waitFor({ state: 'detached' });
    });

    await t.test('an upload says in words what is wrong, and stores what is right', async () => {
        const refused = await page.upload(p, { name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('this is not firmware\n'.repeat(100)) });
        assert.equal(refused.ok, false);
        assert.match(refused.text, /\w+ \w+ \w+/);
        const huge = await page.upload(p, { name: 'huge.bin', mimeType: 'application/octet-stream', buffer: Buffer.alloc(1024 * 1024 + 1) });
        assert.match(huge.text, /1048577 bytes.*at most 1048576/);
        const damaged = fs.readFileSync(packages.good);
        damaged[460] ^= 1;
        const signature = await page.upload(p, { name: 'damaged.fota', mimeType: 'application/octet-stream', buffer: damaged });
        assert.equal(signature.code, 'signature');
        await shot(browser, '2-upload-refused.png');
        const good = await page.upload(p, packages.good);
        assert.equal(good.ok, true, good.text);
        assert.equal(good.version, '1.1.0');
        assert.equal((await page.upload(p, packages.bad)).version, '1.2.0');
        assert.equal(await see('release-row').count(), 2);
    });

    await t.test('an update is started, followed state by state, and confirmed', async () => {
        assert.deepEqual((await page.start(p, { version: '1.1.0', device: D })).ok, true);
        const command = await gateway.command();
        assert.equal(command.cmd, 'update');
        assert.equal(command.device, 'board1');
        await gateway.reply(command, true);
        const shown = [];
        const done = page.waitState(p, D, ['confirmed'], 30000, (s) => shown.push(s), { job: command.job, progress: true });
        const target = { version: '1.1.0', identity: '1'.repeat(64), sha256: command.sha256, slot: 'B' };
        const playing = play(gateway, 'board1', command.job, target, { pause: 1200 });
        await until(async () => (await page.deviceState(p, D)).percent === 42, 'percentage is shown');
        assert.equal(await see('step-write').first().getAttribute('data-status'), 'current');
        assert.equal(await see('step-download').first().getAttribute('data-status'), 'done');
        assert.equal(await see('step-verify').first().getAttribute('data-status'), 'todo');
        assert.equal(await see('start-button').isDisabled(), true);
        await shot(browser, '3-updating.png');
        await playing;
        await gateway.state('board1', 'confirmed', { job: command.job, target, version: '1.1.0', slot: 'B' });
        const last = await done;
        assert.deepEqual(shown.filter((s) => !s.progress).map((s) => s.state), ['download', 'write', 'verify', 'jump', 'confirmed']);
        assert.ok(shown.some((s) => s.progress && s.percent === 42));
        assert.equal(last.version, '1.1.0');
        assert.equal(last.slot, 'B');
        await see('outcome').getByText('1.1.0 confirmed itself').waitFor();
    });

    await t.test('a rolled-back update says why, and the history keeps it', async () => {
        const before = (await page.deviceState(p, D)).job;
        assert.equal((await page.start(p, { version: '1.2.0', device: D })).ok, true);
        const command = await gateway.command();
        await gateway.reply(command, true);
        const target = { version: '1.2.0', identity: '2'.repeat(64), sha256: command.sha256, slot: 'A' };
        const running = { version: '1.1.0', slot: 'B' };
        const shown = [];
        const done = page.waitState(p, D, ['rolled-back'], 30000, (s) => shown.push(s.state), { notJob: before });
        await play(gateway, 'board1', command.job, target, { pause: 200 });
        await gateway.state('board1', 'rolled-back', { job: command.job, target, reason: 'deadline', detail: 'not confirmed within 20 s', ...running });
        const last = await done;
        assert.deepEqual(shown, ['download', 'write', 'verify', 'jump', 'rolled-back']);
        assert.match(last.text, /Back on 1\.1\.0; 1\.2\.0 was rejected\. The new firmware did not confirm itself in time/);
        await until(async () => (await page.history(p)).some((r) => r.state === 'rolled-back'), 'history shows it');
        const states = (await page.history(p)).map((r) => r.state);
        assert.equal(states[0], 'rolled-back');
        assert.ok(states.includes('confirmed'));
        await shot(browser, '4-rolled-back.png');
        await shot(browser, '4-rolled-back-full.png', { full: true });
    });

    await t.test('an update is cancelled', async () => {
        assert.equal((await page.start(p, { version: '1.2.0', device: D, retry: true })).ok, true);
        const command = await gateway.command();
        assert.equal(command.retry, true);
        await gateway.reply(command, true);
        const target = { version: '1.2.0', identity: '2'.repeat(64), sha256: command.sha256, slot: 'A' };
        const running = { job: command.job, target, version: '1.1.0', slot: 'B' };
        await gateway.state('board1', 'write', running);
        await page.waitState(p, D, ['write'], 10000, () => {}, { job: command.job });
        assert.equal((await page.cancel(p, D)).ok, true);
        const cancel = await gateway.command();
        assert.equal(cancel.cmd, 'cancel');
        assert.equal(cancel.job, command.job);
        await gateway.reply(cancel, true);
        await gateway.state('board1', 'failed', { ...running, reason: 'cancelled', detail: '' });
        const last = await page.waitState(p, D, ['failed'], 10000);
        assert.match(last.text, /Cancelled/);
    });

    await t.test('a hub that goes away is said, live states go on, and it comes back by itself', async () => {
        const { port } = hub;
        await hub.stop();
        await see('hub-error').getByText('Hub unreachable').waitFor({ timeout: 30000 });
        assert.match((await page.start(p, { version: '1.1.0', device: D })).text, /does not answer/);
        await gateway.state('board2', 'idle', { version: '3.2.1' });
        await until(async () => (await page.deviceState(p, 'gw1/board2')).version === '3.2.1', 'live state is shown');
        await shot(browser, '5-hub-away.png');
        hub = await startHub(dir, broker, port);
        await see('hub-error').waitFor({ state: 'detached', timeout: 30000 });
    });

    await t.test('a gateway that vanishes is offline', async () => {
        await gateway.vanish();
        await until(async () => (await page.deviceState(p, D)).online === false, 'offline is shown');
    });

    await t.test('a broker that goes away is said, and it comes back by itself', async () => {
        await broker.stop();
        await see('broker-error').getByText('No live progress').waitFor({ timeout: 15000 });
        broker = await startBroker(broker.port);
        await see('broker-error').waitFor({ state: 'detached', timeout: 15000 });
        gateway = await Gateway.start(broker.url, 'gw1', ['board1', 'board2']);
        await gateway.state('board1', 'idle', { version: '1.1.1' });
        await until(async () => (await page.deviceState(p, D)).version === '1.1.1', 'live states are back');
    });

    await t.test('nothing was asked of any other machine, and nothing went wrong in the page', () => {
        assert.deepEqual(browser.requests.filter((u) => !u.startsWith(console_.origin) && !u.startsWith('data:')), []);
        // The wrong password and the refused uploads are meant to be refused.
        const meant = /status of (400|401|413)/;
        assert.deepEqual(browser.errors.filter((e) => !meant.test(e)), []);
    });

    await t.test('logging out ends the page and its socket', async () => {
        await see('logout').click();
        await see('login-form').waitFor();
        await p.goto(console_.url);
        await see('login-form').waitFor();
    });
});
