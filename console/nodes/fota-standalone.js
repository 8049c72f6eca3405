// SPDX-License-Identifier: MIT
'use strict';
/** The nodes of the small flow without a hub: a store that gateways fetch from, and jobs over MQTT. */
const crypto = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { Readable } = require('node:stream');
const { failure, route, openRoute, cleanName, answerUpload, refuseUpload } = require('./lib/node-util');
const { PackageStore } = require('./lib/package-store');

const DEFAULT_LIMIT = 1024 * 1024;
const REPLY_MS = 10 * 1000;
const NAME = /^[A-Za-z0-9_-]{1,32}$/;
const SHA256 = /^[0-9a-f]{64}$/;
const JOB = /^[A-Za-z0-9._-]{1,64}$/;

module.exports = function (RED) {
    const settings = RED.settings.fota || {};

    /**
     * Takes files at POST /fota/upload (or a Buffer in msg.payload with msg.filename), packs and signs what is not yet a
     * package, and serves packages at /fota/packages/<sha256>.fota, with Range. Sends {releases} for the list.
     */
    function FotaStore(config) {
        RED.nodes.createNode(this, config);
        const node = this;
        const limit = settings.maxUpload || DEFAULT_LIMIT;
        const store = new PackageStore({
            dir: settings.packageDir || path.join(RED.settings.userDir || os.tmpdir(), 'packages'),
            command: settings.fotaCommand || 'fota',
            key: settings.devKey || '',
            limit,
        });

        async function tell() {
            try {
                node.send({ payload: { releases: await store.list(), error: '' } });
            } catch (err) {
                node.send({ payload: { error: `the packages cannot be listed: ${err.message}` } });
            }
        }

        route(RED, node, 'post', '/fota/upload', async (req, res) => {
            try {
                if (Number(req.headers['content-length']) > limit) {
                    throw Object.assign(new Error(`the file has more than ${limit} bytes, the most that a package can have; is it the right file?`), { status: 413, code: 'too-large' });
                }
                const release = await store.add(req, cleanName(req.query.name));
                answerUpload(res, { ok: true, release }, 201);
                await tell();
            } catch (err) {
                refuseUpload(req, res, err);
            }
        });

        openRoute(RED, node, 'get', '/fota/packages/:file', (req, res) => {
            const m = /^([0-9a-f]{64})\.fota$/.exec(req.params.file);
            if (!m || !fs.existsSync(store.file(m[1]))) {
                res.status(404).json({ error: { code: 'not-found', message: 'no such package' } });
                return;
            }
            // What a digest names never changes, so the digest is the entity tag.
            res.set({ ETag: `"${m[1]}"`, 'Cache-Control': 'private, immutable, max-age=31536000', 'Content-Type': 'application/octet-stream' });
            res.sendFile(store.file(m[1]), { dotfiles: 'allow', lastModified: false, cacheControl: false }, (err) => {
                if (err && !res.headersSent) res.status(err.status || 500).end();
            });
        });

        node.on('input', async (msg, send, done) => {
            if (!Buffer.isBuffer(msg.payload)) {
                await tell();
                done();
                return;
            }
            try {
                await store.add(Readable.from([msg.payload]), cleanName(msg.filename || (msg.file && msg.file.name)));
                await tell();
                done();
            } catch (err) {
                done(err);
            }
        });
        node.store = store;
        const first = setTimeout(tell, 0);
        node.on('close', () => clearTimeout(first));
    }
    RED.nodes.registerType('fota-store', FotaStore);

    /**
     * Starts (topic `start`) or cancels (topic `cancel`) an update over MQTT alone: msg.payload {gateway, device, release,
     * size, retry} or {gateway, device, job}. Sends {ok, message} when the gateway has answered.
     */
    function FotaJob(config) {
        RED.nodes.createNode(this, config);
        const node = this;
        const broker = RED.nodes.getNode(config.broker);
        const waiting = new Map();

        const onMessage = (topic, payload) => {
            const m = /^fota\/v1\/([A-Za-z0-9_-]{1,32})\/reply$/.exec(topic);
            if (!m || waiting.size === 0 || payload.length > 4096) return;
            let reply;
            try {
                reply = JSON.parse(payload.toString('utf8'));
            } catch {
                return;
            }
            const resolve = reply && waiting.get(`${m[1]} ${reply.cmd} ${reply.job}`);
            if (resolve) resolve(reply);
        };
        broker.changes.on('message', onMessage);

        /** Publishes a command and waits for the gateway's word on it. */
        async function command(gateway, body) {
            const key = `${gateway} ${body.cmd} ${body.job}`;
            let timer;
            const answered = new Promise((resolve, reject) => {
                waiting.set(key, resolve);
                timer = setTimeout(() => reject(Object.assign(new Error(`Gateway ${gateway} did not answer within ${REPLY_MS / 1000} s. Is it running, and on the same broker?`), { code: 'no-answer' })), REPLY_MS);
            });
            try {
                await Promise.all([broker.publish(`fota/v1/${gateway}/cmd`, { v: 1, ...body }), answered]);
                const reply = await answered;
                if (reply.ok !== true) {
                    throw Object.assign(new Error(`Gateway ${gateway} refused: ${String(reply.detail || reply.reason || 'no reason given').slice(0, 500)}`), { code: reply.reason });
                }
            } finally {
                clearTimeout(timer);
                waiting.delete(key);
            }
        }

        node.on('input', async (msg, send, done) => {
            try {
                const { gateway, device, release, size, retry, job } = msg.payload || {};
                if (!NAME.test(gateway) || !NAME.test(device)) throw new Error('choose a device first');
                if (msg.topic === 'cancel') {
                    if (!JOB.test(job)) throw new Error('this device has no update that could be cancelled');
                    await command(gateway, { cmd: 'cancel', job, device });
                    send({ ...msg, payload: { ok: true, message: `The update of ${device} is being cancelled.` } });
                } else {
                    if (!SHA256.test(release)) throw new Error('choose a release first');
                    const update = { cmd: 'update', job: `console-${Date.now()}-${crypto.randomBytes(4).toString('hex')}`, device,
                        url: `${settings.publicUrl}/fota/packages/${release}.fota`, sha256: release, retry: retry === true };
                    if (Number.isSafeInteger(size) && size > 0) update.size = size;
                    await command(gateway, update);
                    send({ ...msg, payload: { ok: true, message: `Update of ${device} started.`, update: { job: update.job } } });
                }
            } catch (err) {
                send({ ...msg, payload: failure(err) });
            }
            done();
        });
        node.on('close', () => broker.changes.off('message', onMessage));
    }
    RED.nodes.registerType('fota-job', FotaJob);
};
