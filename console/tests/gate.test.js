// SPDX-License-Identifier: MIT
'use strict';
/** The gate by itself: sessions that end, guessing, and the second lock in socket.io. */
const test = require('node:test');
const assert = require('node:assert/strict');
const http = require('node:http');
const { Server } = require('socket.io');
const { Gate } = require('../lib/gate');
const { Limiter, FREE_FAILURES } = require('../lib/limiter');
const { hashPassword, checkPassword, isPasswordHash } = require('../lib/password');
const { Sessions } = require('../lib/sessions');
const { request, login, dashboardSocket } = require('./support/http');
const { until } = require('./support/processes');

const PASSWORD = 'a password for tests';
const HASH = hashPassword(PASSWORD);

async function serve(t, options = {}, guarded = true) {
    const gate = new Gate({ user: 'admin', passwordHash: HASH, sessionMs: 60000, home: '/home', ...options });
    const server = http.createServer((_req, res) => res.end('inside'));
    if (guarded) gate.guard(server);
    // As the dashboard does it: after the gate, yet before everyone else in the list of listeners.
    const io = new Server(server, { path: '/io' });
    io.use(gate.ioMiddleware());
    // A closed polling client is waited for; half a minute of that is too much for a test.
    io.engine.on('connection', (socket) => (socket.transport.closeTimeout = 100));
    io.on('connection', (socket) => socket.on('ping', (reply) => reply('pong')));
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => {
        gate.sessions.endAll();
        io.close();
        server.closeAllConnections();
    });
    return { gate, io, server, origin: `http://127.0.0.1:${server.address().port}` };
}

test('a session ends when its time is over, with its sockets and its cookie', async (t) => {
    const { origin } = await serve(t, { sessionMs: 1500 });
    const cookie = await login(origin, 'admin', PASSWORD);
    const clients = [['websocket'], ['polling']].map((transports) => dashboardSocket(origin, { cookie, transports, path: '/io' }));
    for (const client of clients) assert.equal(await client.connected, true);
    assert.equal((await request(`${origin}/x`, { headers: { Cookie: cookie } })).text, 'inside');
    await until(() => clients.every((c) => !c.socket.connected), 'sockets are cut', 4000);
    assert.equal((await request(`${origin}/x`, { headers: { Cookie: cookie } })).status, 401);
    const late = dashboardSocket(origin, { cookie, path: '/io' });
    assert.equal(await late.connected, false);
    for (const client of [...clients, late]) client.close();
});

test("socket.io's own lock holds where the gate is missing", async (t) => {
    const { origin, gate } = await serve(t, {}, false);
    const cookie = `fota_session=${gate.sessions.create('admin')}`;
    for (const transports of [['polling'], ['websocket']]) {
        for (const [sent, headers, in_] of [[undefined, {}, false], [`${cookie}x`, {}, false], [cookie, { Origin: 'http://evil.example' }, false], [cookie, {}, true]]) {
            const client = dashboardSocket(origin, { cookie: sent, transports, headers, path: '/io' });
            assert.equal(await client.connected, in_, `${transports} ${sent}`);
            client.close();
        }
    }
});

test('behind a proxy its origin counts, and the cookie is for https alone', async (t) => {
    const { origin } = await serve(t, { publicUrl: 'https://console.example' });
    const form = { method: 'POST', headers: { 'Content-Type': 'application/x-www-form-urlencoded', Origin: 'https://console.example' }, body: `user=admin&password=${encodeURIComponent(PASSWORD)}` };
    const res = await request(`${origin}/login`, form);
    assert.equal(res.status, 303);
    assert.match(res.headers['set-cookie'][0], /; Secure$/);
});

test('a login form that is too large is refused', async (t) => {
    const { origin } = await serve(t);
    await assert.rejects(async () => {
        const res = await request(`${origin}/login`, { method: 'POST', headers: { 'Content-Type': 'application/x-www-form-urlencoded' }, body: 'user=' + 'a'.repeat(100000) });
        if (res.status >= 400) throw new Error('refused');
    });
});

test('only a package of a whole digest is open, and only to be read', async (t) => {
    const { origin } = await serve(t);
    const open = `/fota/packages/${'0'.repeat(64)}.fota`;
    assert.equal((await request(origin + open)).text, 'inside');
    for (const path of [`${open}x`, `/x${open}`, '/fota/packages/', `/fota/packages/${'0'.repeat(63)}.fota`, `${open}/..`, `${open}?x`, open.toUpperCase()]) {
        const res = await new Promise((resolve, reject) => {
            http.get({ host: '127.0.0.1', port: new URL(origin).port, path, agent: false }, resolve).on('error', reject);
        });
        res.resume();
        assert.equal(res.statusCode, 401, path);
    }
    assert.equal((await request(origin + open, { method: 'PUT', body: 'x' })).status, 401);
});

test('passwords: the right one, no other, no half a hash', async () => {
    assert.equal(await checkPassword(PASSWORD, HASH), true);
    assert.equal(await checkPassword(PASSWORD + ' ', HASH), false);
    assert.equal(await checkPassword('', HASH), false);
    assert.notEqual(hashPassword(PASSWORD), HASH, 'each hash has its own salt');
    for (const bad of ['', 'scrypt', HASH.slice(0, -3), HASH.replace('32768', '32767'), HASH.replace(':32768:8:', ':1048576:99:'), PASSWORD]) {
        assert.equal(isPasswordHash(bad), false, bad);
        assert.equal(await checkPassword(PASSWORD, bad), false);
    }
});

test('the limiter lets a few failures pass, then doubles the wait, and forgets', () => {
    let now = 1e6;
    const limiter = new Limiter(() => now);
    for (let i = 0; i < FREE_FAILURES; i++) {
        assert.equal(limiter.wait('a'), 0);
        limiter.failed('a');
    }
    assert.equal(limiter.wait('a'), 1000);
    assert.equal(limiter.wait('b'), 0);
    now += 1000;
    assert.equal(limiter.wait('a'), 0);
    limiter.failed('a');
    assert.equal(limiter.wait('a'), 2000);
    for (let i = 0; i < 50; i++) limiter.failed('a');
    assert.equal(limiter.wait('a'), 60000);
    limiter.succeeded('a');
    assert.equal(limiter.wait('a'), 0);
    for (let i = 0; i < 10; i++) limiter.failed('a');
    now += 16 * 60 * 1000;
    assert.equal(limiter.wait('a'), 0);
    for (let i = 0; i < 20000; i++) limiter.failed(`address ${i}`);
    assert.ok(limiter.failures.size <= 10000);
});

test('sessions are bounded in number, and tokens are not what is kept', () => {
    const sessions = new Sessions(60000);
    const first = sessions.create('a');
    assert.equal(sessions.get(first).user, 'a');
    assert.equal([...sessions.byDigest.keys()].includes(first), false);
    for (let i = 0; i < 1000; i++) sessions.create('a');
    assert.equal(sessions.byDigest.size, 1000);
    assert.equal(sessions.get(first), null);
    sessions.endAll();
    assert.equal(sessions.byDigest.size, 0);
});
