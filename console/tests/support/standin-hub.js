// SPDX-License-Identifier: MIT
'use strict';
/** Answers like a hub for tests of the console alone; it counts what it was asked. The browser test uses the real hub. */
const crypto = require('node:crypto');
const http = require('node:http');

const TOKEN = 'token-for-tests';

/** @returns {Promise<{url, requests: object[], releases: object[], devices: object[], stop}>} */
function startStandinHub() {
    const hub = { requests: [], releases: [], devices: [], updates: new Map() };
    const server = http.createServer((req, res) => {
        const chunks = [];
        req.on('data', (c) => chunks.push(c));
        req.on('end', () => {
            const body = Buffer.concat(chunks);
            const url = new URL(req.url, 'http://hub');
            const route = `${req.method} ${url.pathname.replace('/api/v1', '')}`;
            hub.requests.push({ route, body, query: Object.fromEntries(url.searchParams), headers: req.headers });
            const answer = (status, json) => {
                res.writeHead(status, { 'Content-Type': 'application/json' });
                res.end(JSON.stringify(json));
            };
            if (req.headers.authorization !== `Bearer ${TOKEN}`) return answer(401, { error: { code: 'unauthorized', message: 'the token is wrong' } });
            if (route === 'GET /releases') return answer(200, { releases: hub.releases });
            if (route === 'GET /devices') return answer(200, { devices: hub.devices });
            if (route === 'POST /releases') {
                if (body.toString('latin1', 0, 4) !== 'FOTA') return answer(400, { error: { code: 'magic', field: 'magic', message: 'this is not a fota package' } });
                const release = { sha256: crypto.createHash('sha256').update(body).digest('hex'), size: body.length, version: '1.1.0', counter: 2, name: url.searchParams.get('name'), uploaded: new Date().toISOString() };
                hub.releases.unshift(release);
                return answer(201, release);
            }
            if (route === 'POST /updates') {
                const update = { ...JSON.parse(body), job: `job-${hub.updates.size + 1}`, state: 'queued', version: '1.1.0' };
                hub.updates.set(update.job, update);
                return answer(201, update);
            }
            if (/^GET \/devices\/.*\/history$/.test(route)) return answer(200, { history: [{ time: new Date().toISOString(), state: 'confirmed', job: 'old', version: '1.0.0' }] });
            const m = /^(GET|POST) \/updates\/([\w-]+)(\/cancel)?$/.exec(route);
            if (m && hub.updates.has(m[2])) return answer(m[3] ? 202 : 200, hub.updates.get(m[2]));
            answer(404, { error: { code: 'not-found', message: `no ${route}` } });
        });
    });
    return new Promise((resolve) => {
        server.listen(0, '127.0.0.1', () => {
            hub.url = `http://127.0.0.1:${server.address().port}`;
            hub.count = (route) => hub.requests.filter((r) => r.route === route).length;
            hub.stop = () => new Promise((done) => {
                server.close(done);
                server.closeAllConnections();
            });
            resolve(hub);
        });
    });
}

module.exports = { startStandinHub, TOKEN };
