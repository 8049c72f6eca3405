// SPDX-License-Identifier: MIT
'use strict';
/** A client for the hub's HTTP API (docs/http.md). Every error has words that a page can show. */
const http = require('node:http');
const https = require('node:https');
const { Transform } = require('node:stream');

const TIMEOUT_MS = 10 * 1000;
const UPLOAD_TIMEOUT_MS = 60 * 1000;
/** A list of 10 000 devices is about 8 MB. */
const MAX_ANSWER = 32 * 1024 * 1024;

/** An error with the hub's code and words, or ours where the hub does not answer. */
class HubError extends Error {
    constructor(status, code, message) {
        super(message);
        this.status = status;
        this.code = code;
    }
}

/** Lets at most `limit` bytes through. */
function bounded(limit) {
    let seen = 0;
    return new Transform({
        transform(chunk, _encoding, done) {
            seen += chunk.length;
            if (seen > limit) done(tooLarge(limit));
            else done(null, chunk);
        },
    });
}

function tooLarge(limit) {
    return new HubError(413, 'too-large', `the file has more than ${limit} bytes, the most that a package can have; is it the right file?`);
}

class HubClient {
    /**
     * @param {string} baseUrl  e.g. http://127.0.0.1:8080
     * @param {string} token    bearer token of a user with the role `operator`
     */
    constructor(baseUrl, token) {
        this.baseUrl = baseUrl;
        this.token = token;
        this.agent = new (baseUrl.startsWith('https:') ? https : http).Agent({ keepAlive: true, maxSockets: 8 });
    }

    close() {
        this.agent.destroy();
    }

    get(path) {
        return this.send('GET', path);
    }

    post(path, body) {
        const data = Buffer.from(JSON.stringify(body || {}));
        return this.send('POST', path, { type: 'application/json', length: data.length, write: (req) => req.end(data) });
    }

    /**
     * Streams a file to the hub; what the hub says is the answer.
     * @param {stream.Readable} stream  the file
     * @param {{name: string, notes?: string, length?: number, limit: number}} info  length in bytes when known, limit in bytes
     * @returns {Promise<object>} the release
     */
    async upload(stream, { name, notes, length, limit }) {
        if (length !== undefined && length > limit) throw tooLarge(limit);
        const query = new URLSearchParams({ name });
        if (notes) query.set('notes', notes);
        const gauge = bounded(limit);
        return this.send('POST', `/releases?${query}`, {
            type: 'application/octet-stream',
            length,
            timeout: UPLOAD_TIMEOUT_MS,
            write: (req, fail) => {
                stream.once('error', fail);
                stream.once('aborted', () => fail(new HubError(400, 'bad-request', 'the upload was broken off')));
                gauge.once('error', fail);
                stream.pipe(gauge).pipe(req);
            },
        });
    }

    send(method, path, body) {
        return new Promise((resolve, reject) => {
            const url = new URL(this.baseUrl + '/api/v1' + path);
            const headers = { Accept: 'application/json' };
            if (this.token) headers.Authorization = `Bearer ${this.token}`;
            if (body) headers['Content-Type'] = body.type;
            if (body && body.length !== undefined) headers['Content-Length'] = body.length;
            const req = (url.protocol === 'https:' ? https : http).request(url, { method, headers, agent: this.agent });
            let settled = false;
            const settle = (fn, value) => {
                if (settled) return;
                settled = true;
                clearTimeout(timer);
                fn(value);
                if (fn === reject) req.destroy();
            };
            const timeout = (body && body.timeout) || TIMEOUT_MS;
            const timer = setTimeout(() => settle(reject, this.unreachable(`no answer within ${timeout / 1000} s`)), timeout);
            let response = null;
            req.on('response', (res) => {
                response = res;
                readAnswer(res).then((answer) => settle(resolve, answer), (err) => settle(reject, err instanceof HubError ? err : this.unreachable(err.message)));
            });
            req.on('error', (err) => {
                // A hub that refuses a file may answer and close before it has read all of it: the answer counts.
                if (!response) settle(reject, this.unreachable(err.code || err.message));
            });
            if (body) body.write(req, (err) => settle(reject, err));
            else req.end();
        });
    }

    unreachable(why) {
        return new HubError(502, 'hub-unreachable', `The hub at ${this.baseUrl} does not answer (${why}). Is it running? It is asked again by itself.`);
    }
}

async function readAnswer(res) {
    const chunks = [];
    let size = 0;
    for await (const chunk of res) {
        size += chunk.length;
        if (size > MAX_ANSWER) throw new HubError(502, 'internal', `the hub's answer has more than ${MAX_ANSWER} bytes`);
        chunks.push(chunk);
    }
    const text = Buffer.concat(chunks).toString('utf8');
    let body = null;
    try {
        body = text ? JSON.parse(text) : {};
    } catch {
        // Judged below: not the hub's API, whatever the status.
    }
    if (body === null || typeof body !== 'object') {
        throw new HubError(502, 'internal', `what answers at the hub's address is not a fota hub (status ${res.statusCode}, not JSON)`);
    }
    if (res.statusCode >= 400) {
        const error = body.error || {};
        let message = String(error.message || `the hub answered with status ${res.statusCode}`).slice(0, 1000);
        if (res.statusCode === 401) message += '. Check FOTA_HUB_TOKEN.';
        throw new HubError(res.statusCode, String(error.code || 'internal'), message);
    }
    return body;
}

module.exports = { HubClient, HubError, bounded, tooLarge };
