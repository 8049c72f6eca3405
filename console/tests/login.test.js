// SPDX-License-Identifier: MIT
'use strict';
/** The console's doors: what someone without a session gets from the running console. Nothing. */
const test = require('node:test');
const assert = require('node:assert/strict');
const net = require('node:net');
const { startConsole, until } = require('./support/processes');
const { startStandinHub, TOKEN } = require('./support/standin-hub');
const { request, form, login, dashboardSocket } = require('./support/http');
const { unsignedPackage } = require('./support/firmware');

const DEVICES = 'fota-w-devices';
const SHA = 'a'.repeat(64);
const settle = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Everything that the page itself sends. */
function actAsPage(socket) {
    for (const id of [DEVICES, 'fota-w-releases', 'fota-w-history', 'fota-start', 'fota-devices']) {
        socket.emit('widget-load', id);
        socket.emit('widget-action', id, { action: 'view', payload: { filter: '', show: 'all', offset: 0 } });
        socket.emit('widget-action', id, { action: 'start', payload: { gateway: 'gw1', device: 'board1', release: SHA } });
        socket.emit('widget-action', id, { action: 'cancel', payload: { gateway: 'gw1', device: 'board1', job: 'job-1' } });
        socket.emit('widget-send', id, { payload: { gateway: 'gw1', device: 'board1', release: SHA } });
        socket.emit('widget-change', id, { payload: { gateway: 'gw1', device: 'board1', release: SHA } });
    }
}

test('the console lets nobody in without a login', { timeout: 120000 }, async (t) => {
    const hub = await startStandinHub();
    hub.devices.push({ gateway: 'gw1', device: 'board1', online: true, state: 'idle', version: '1.0.0', slot: 'A' });
    const console_ = await startConsole({ FOTA_HUB_URL: hub.url, FOTA_HUB_TOKEN: TOKEN });
    t.after(async () => {
        await console_.stop();
        await hub.stop();
    });
    const { origin, user, password } = console_;
    const cookie = await login(origin, user, password);
    const forged = [undefined, 'fota_session=', `fota_session=${'A'.repeat(43)}`, cookie.slice(0, -1) + (cookie.endsWith('A') ? 'B' : 'A'),
        `fota_session=${user}`, 'fota_session=__proto__', `other=1; ${cookie.replace('fota_session', 'fota_sessions')}`];

    await t.test('every address answers 401, or leads a browser to the login page', async () => {
        for (const bad of forged) {
            const headers = bad ? { Cookie: bad } : {};
            for (const path of ['/', '/dashboard', '/dashboard/fota', '/dashboard/_setup', '/dashboard/_debug/datastore/fota-w-devices', '/dashboard/manifest.webmanifest',
                '/dashboard/sw.js', '/dashboard/socket.io/?EIO=4&transport=polling', '/editor', '/editor/', '/editor/flows', '/editor/settings', '/editor/comms',
                '/editor/resources/node-red-dashboard-2-fota/fota-common.js', '/flows', '/nodes', '/session', '/fota/packages/', '//dashboard/fota', '/login/../dashboard/fota']) {
                const res = await request(origin + path, { headers });
                assert.equal(res.status, 401, `${path} with ${bad}`);
                assert.doesNotMatch(res.text, /board1|fota-w-|nodes/);
            }
        }
        const browser = await request(`${origin}/dashboard/fota`, { headers: { Accept: 'text/html' } });
        assert.equal(browser.status, 303);
        assert.equal(browser.headers.location, '/login');
        assert.equal((await request(`${origin}/dashboard/fota`, { headers: { Cookie: cookie } })).status, 200);
    });

    await t.test('a socket gets nothing and can do nothing', async () => {
        const asked = () => hub.count('POST /updates') + hub.count('POST /releases');
        for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']]) {
            for (const bad of forged) {
                const client = dashboardSocket(origin, { cookie: bad, transports });
                assert.equal(await client.connected, false, `connected over ${transports} with ${bad}`);
                actAsPage(client.socket);
                await settle(30);
                assert.deepEqual(client.events, []);
                client.close();
            }
        }
        // Without any library: a WebSocket handshake by hand.
        const raw = await new Promise((resolve, reject) => {
            const socket = net.connect(console_.port, '127.0.0.1', () => socket.write('GET /dashboard/socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\n' +
                'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n'));
            let text = '';
            socket.on('data', (d) => (text += d));
            socket.on('end', () => resolve(text));
            socket.on('error', reject);
        });
        assert.match(raw, /^HTTP\/1\.1 401 /);
        await settle(300);
        assert.equal(asked(), 0);

        // The very same messages with a session do work: the test would see it.
        const client = dashboardSocket(origin, { cookie });
        assert.equal(await client.connected, true);
        actAsPage(client.socket);
        await until(() => hub.count('POST /updates') === 1, 'the update is started once');
        await until(() => client.events.some(([name, msg]) => name === `msg-input:${DEVICES}` && msg.payload.rows && msg.payload.rows[0].device === 'board1'), 'devices are sent');
        client.close();
        await settle(200);
        assert.equal(hub.count('POST /updates'), 1, 'only the action of the right widget starts an update');
    });

    await t.test('an upload without a session never reaches the hub', async () => {
        const body = unsignedPackage({ version: [1, 1, 0], counter: 2 });
        for (const bad of forged) {
            const res = await request(`${origin}/fota/upload?name=a.fota`, { method: 'POST', body, headers: { 'Content-Type': 'application/octet-stream', ...(bad ? { Cookie: bad } : {}) } });
            assert.equal(res.status, 401);
        }
        assert.equal(hub.count('POST /releases'), 0);
        const good = await request(`${origin}/fota/upload?name=a.fota`, { method: 'POST', body, headers: { Cookie: cookie } });
        assert.equal(good.status, 201);
        assert.equal(good.json().release.name, 'a.fota');
        assert.deepEqual(hub.requests.find((r) => r.route === 'POST /releases').body, body);
    });

    await t.test('an upload is bounded, with and without a declared length, and says so', async () => {
        const before = hub.count('POST /releases');
        const declared = await request(`${origin}/fota/upload?name=big`, { method: 'POST', body: Buffer.alloc(1024 * 1024 + 1), headers: { Cookie: cookie } });
        assert.equal(declared.status, 413);
        assert.match(declared.json().message, /more than 1048576 bytes/);
        const chunked = await request(`${origin}/fota/upload?name=big`, { method: 'POST', body: Buffer.alloc(3 * 1024 * 1024), headers: { Cookie: cookie, 'Transfer-Encoding': 'chunked' } });
        assert.equal(chunked.status, 413);
        assert.equal(hub.count('POST /releases'), before);
        const refused = await request(`${origin}/fota/upload?name=x`, { method: 'POST', body: 'not a package', headers: { Cookie: cookie } });
        assert.deepEqual([refused.status, refused.json().message], [400, 'this is not a fota package']);
    });

    await t.test('a message over the bound ends the socket, one of 1 MiB does not', async () => {
        for (const [size, stays] of [[1024 * 1024, true], [1024 * 1024 + 128 * 1024, false]]) {
            const client = dashboardSocket(origin, { cookie, transports: ['websocket'] });
            // The dashboard wants a polling start, our own lock does not: a page may do either.
            assert.equal(await client.connected, true);
            client.socket.emit('widget-load', DEVICES, Buffer.alloc(size));
            await settle(600);
            assert.equal(client.socket.connected, stays, `${size} bytes`);
            client.close();
        }
    });

    await t.test('another site cannot use the session, neither by form nor by socket', async () => {
        for (const from of ['http://evil.example', 'null', `http://127.0.0.1:${console_.port + 1}`]) {
            const post = await request(`${origin}/fota/upload?name=a`, { method: 'POST', body: 'FOTA', headers: { Cookie: cookie, Origin: from } });
            assert.equal(post.status, 403, from);
            assert.equal((await request(`${origin}/logout`, { method: 'POST', headers: { Cookie: cookie, Origin: from } })).status, 403);
            for (const transports of [['polling'], ['websocket']]) {
                const client = dashboardSocket(origin, { cookie, transports, headers: { Origin: from } });
                assert.equal(await client.connected, false, `${from} over ${transports}`);
                client.close();
            }
        }
        assert.equal((await request(`${origin}/session`, { headers: { Cookie: cookie, Origin: origin } })).json().user, user);
    });

    await t.test('the cookie is out of reach of scripts and other sites, and the pages are not kept', async () => {
        const res = await request(`${origin}/login`, form(user, password));
        assert.match(res.headers['set-cookie'][0], /; HttpOnly; SameSite=Strict; Max-Age=28800$/);
        assert.equal(res.headers['cache-control'], 'no-store');
        const page = await request(`${origin}/dashboard/fota`, { headers: { Cookie: cookie } });
        assert.match(page.headers['content-security-policy'], /default-src 'self'.*frame-ancestors 'none'/);
        assert.equal(page.headers['cache-control'], 'no-store');
        assert.equal((await request(`${origin}/dashboard/sw.js`, { headers: { Cookie: cookie } })).status, 404);
    });

    await t.test('without the editor there is no editor and no admin API, even with a session', async () => {
        for (const path of ['/editor/', '/editor/flows', '/editor/settings', '/editor/nodes', '/editor/auth/token']) {
            const res = await request(origin + path, { headers: { Cookie: cookie } });
            assert.equal(res.status, 404, path);
        }
    });

    await t.test('logging out ends the session and cuts its sockets', async () => {
        const own = await login(origin, user, password);
        const clients = [['websocket'], ['polling']].map((transports) => dashboardSocket(origin, { cookie: own, transports }));
        for (const client of clients) assert.equal(await client.connected, true);
        const res = await request(`${origin}/logout`, { method: 'POST', headers: { Cookie: own } });
        assert.equal(res.status, 303);
        await until(() => clients.every((client) => !client.socket.connected), 'sockets are cut');
        assert.equal((await request(`${origin}/session`, { headers: { Cookie: own } })).status, 401);
        assert.equal((await request(`${origin}/session`, { headers: { Cookie: cookie } })).status, 200, 'other sessions stay');
    });

    await t.test('guessing is slowed down; a forged login form is refused', async () => {
        assert.equal((await request(`${origin}/login`, { method: 'POST', body: '{}', headers: { 'Content-Type': 'application/json' } })).status, 400);
        const tries = await Promise.all(Array.from({ length: 12 }, (_, i) => request(`${origin}/login`, form(user, `guess ${i}`))));
        assert.ok(tries.every((res) => [401, 429, 503].includes(res.status)));
        let status = 0;
        for (let i = 0; i < 8 && status !== 429; i++) ({ status } = await request(`${origin}/login`, form('root', 'guess')));
        assert.equal(status, 429);
        // While an address has to wait, not even the right password is looked at.
        const right = await request(`${origin}/login`, form(user, password));
        assert.equal(right.status, 429);
        assert.match(right.text, /Wait \d+ s/);
    });

    await t.test('the editor, where it is enabled, wants the session and its own login', async () => {
        const other = await startConsole({ FOTA_CONSOLE_EDITOR: '1', FOTA_HUB_URL: hub.url, FOTA_HUB_TOKEN: TOKEN });
        try {
            const own = await login(other.origin, user, password);
            for (const path of ['/editor/flows', '/editor/settings/user', '/editor/nodes']) {
                assert.equal((await request(other.origin + path)).status, 401);
                assert.equal((await request(other.origin + path, { headers: { Cookie: own } })).status, 401);
            }
            const grant = (secret) => request(`${other.origin}/editor/auth/token`, { method: 'POST', headers: { Cookie: own, 'Content-Type': 'application/json' },
                body: JSON.stringify({ client_id: 'node-red-editor', grant_type: 'password', scope: '*', username: user, password: secret }) });
            assert.equal((await grant('wrong password')).status, 403);
            const { access_token: token } = (await grant(password)).json();
            const flows = await request(`${other.origin}/editor/flows`, { headers: { Cookie: own, Authorization: `Bearer ${token}` } });
            assert.equal(flows.status, 200);
            assert.doesNotMatch(flows.text, new RegExp(TOKEN), 'the hub token is not in the flows');
            assert.equal((await request(`${other.origin}/editor/flows`, { headers: { Authorization: `Bearer ${token}` } })).status, 401);
        } finally {
            await other.stop();
        }
    });

    await t.test('it ends quickly when told to', async () => {
        const client = dashboardSocket(origin, { cookie, transports: ['websocket'] });
        assert.equal(await client.connected, true);
        const start = Date.now();
        assert.equal(await console_.process.stop(), 0);
        assert.ok(Date.now() - start < 3000, `${Date.now() - start} ms`);
        client.close();
    });
});
