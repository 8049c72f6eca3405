// SPDX-License-Identifier: MIT
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const http = require('node:http');
const { Readable } = require('node:stream');
const { HubClient } = require('../nodes/lib/hub-client');
const { freePort } = require('./support/processes');

async function serve(t, handler) {
    const server = http.createServer(handler);
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const client = new HubClient(`http://127.0.0.1:${server.address().port}`, 'secret');
    t.after(() => {
        client.close();
        server.closeAllConnections();
        server.close();
    });
    return client;
}
const info = { name: 'a b&c.fota', limit: 1000 };

test('a file is streamed, with its name and the token', async (t) => {
    let seen;
    const client = await serve(t, async (req, res) => {
        const chunks = [];
        for await (const c of req) chunks.push(c);
        seen = { url: req.url, auth: req.headers.authorization, body: Buffer.concat(chunks).toString() };
        res.end('{"version":"1.0.0"}');
    });
    assert.deepEqual(await client.upload(Readable.from(['abc', 'def']), info), { version: '1.0.0' });
    assert.deepEqual(seen, { url: '/api/v1/releases?name=a+b%26c.fota', auth: 'Bearer secret', body: 'abcdef' });
});

test("the hub's own words are the error, also when it refuses before it has read everything", async (t) => {
    const client = await serve(t, (_req, res) => {
        res.writeHead(400, { 'Content-Type': 'application/json', Connection: 'close' });
        res.end('{"error":{"code":"magic","message":"not a package"}}');
    });
    await assert.rejects(client.upload(Readable.from([Buffer.alloc(900)]), info), { code: 'magic', status: 400, message: 'not a package' });
});

test('a file over the limit is cut off', async (t) => {
    let closed;
    const aborted = new Promise((resolve) => (closed = resolve));
    const client = await serve(t, (req) => {
        req.resume();
        req.on('close', () => closed(req.complete));
    });
    const slowly = async function* () {
        yield Buffer.alloc(600);
        await new Promise((resolve) => setTimeout(resolve, 200));
        yield Buffer.alloc(600);
    };
    await assert.rejects(client.upload(Readable.from(slowly()), info), { code: 'too-large', status: 413 });
    assert.equal(await aborted, false, 'the hub does not take it for whole');
    await assert.rejects(client.upload(Readable.from([]), { ...info, length: 1001 }), { code: 'too-large' });
});

test('a hub that is not there, is something else, or forbids is said in words', async (t) => {
    const gone = new HubClient(`http://127.0.0.1:${await freePort()}`, '');
    await assert.rejects(gone.get('/devices'), { code: 'hub-unreachable', message: /does not answer \(ECONNREFUSED\)/ });
    await assert.rejects(gone.upload(Readable.from(['abc']), info), { code: 'hub-unreachable' });
    const page = await serve(t, (_req, res) => res.end('<html>'));
    await assert.rejects(page.get('/devices'), { message: /is not a fota hub \(status 200, not JSON\)/ });
    const wrong = await serve(t, (_req, res) => {
        res.statusCode = 401;
        res.end('{"error":{"code":"unauthorized","message":"unknown token"}}');
    });
    await assert.rejects(wrong.get('/devices'), { status: 401, message: 'unknown token. Check FOTA_HUB_TOKEN.' });
});
