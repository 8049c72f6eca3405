// SPDX-License-Identifier: MIT
'use strict';
/** The nodes that work over the hub's API: upload, releases, start, cancel, history. */
const { Readable } = require('node:stream');
const { failure, every, route, cleanName, answerUpload, refuseUpload } = require('./lib/node-util');

const DEFAULT_LIMIT = 1024 * 1024;
const RELEASES_MS = 5000;
const FOLLOW_MS = 2000;
/** The hub gives up on a silent gateway after 60 s. */
const FOLLOW_FOR_MS = 90 * 1000;
const NAME = /^[A-Za-z0-9_-]{1,32}$/;
const SHA256 = /^[0-9a-f]{64}$/;
const JOB = /^[A-Za-z0-9._-]{1,64}$/;

module.exports = function (RED) {
    const limit = (RED.settings.fota && RED.settings.fota.maxUpload) || DEFAULT_LIMIT;

    /**
     * Takes files, at POST /fota/upload?name=… from the page (streamed, never held) or as a Buffer in msg.payload with
     * msg.filename, and hands them to the hub. Sends {ok, release} or {ok: false, code, message}.
     */
    function FotaUpload(config) {
        RED.nodes.createNode(this, config);
        const node = this;
        const hub = RED.nodes.getNode(config.hub);

        async function toHub(stream, info) {
            const release = await hub.ask((client) => client.upload(stream, { ...info, limit }));
            node.status({ fill: 'green', shape: 'dot', text: `${release.version}` });
            return { ok: true, release };
        }

        route(RED, node, 'post', '/fota/upload', async (req, res) => {
            try {
                const length = req.headers['content-length'] === undefined ? undefined : Number(req.headers['content-length']);
                if (length === 0) throw Object.assign(new Error('the file is empty: choose a .fota package'), { status: 400, code: 'empty' });
                const result = await toHub(req, { name: cleanName(req.query.name), length });
                answerUpload(res, result, 201);
                node.send({ payload: result });
            } catch (err) {
                node.status({ fill: 'red', shape: 'ring', text: err.code });
                refuseUpload(req, res, err);
            }
        });
        node.on('input', async (msg, send, done) => {
            try {
                if (!Buffer.isBuffer(msg.payload)) throw new Error(`msg.payload is ${typeof msg.payload}; it must be a Buffer`);
                if (msg.payload.length === 0) throw new Error('the file is empty: choose a .fota package');
                const result = await toHub(Readable.from([msg.payload]), { name: cleanName(msg.filename || (msg.file && msg.file.name)), length: msg.payload.length });
                send({ ...msg, payload: result });
            } catch (err) {
                send({ ...msg, payload: failure(err) });
            }
            done();
        });
    }
    RED.nodes.registerType('fota-upload', FotaUpload);

    /** Sends the list of releases when it changes, and at any input: {releases} or {error}. */
    function FotaReleases(config) {
        RED.nodes.createNode(this, config);
        const node = this;
        const hub = RED.nodes.getNode(config.hub);
        let last = '';

        async function load(force) {
            let payload;
            try {
                const { releases } = await hub.ask((client) => client.get('/releases'));
                payload = { releases: Array.isArray(releases) ? releases.slice(0, 200) : [], error: '' };
            } catch (err) {
                payload = { error: err.message };
            }
            const json = JSON.stringify(payload);
            if (json === last && !force) return;
            last = json;
            node.send({ payload });
        }
        const stop = every(RELEASES_MS, () => load(false));
        node.on('input', (_msg, _send, done) => load(true).then(() => done(), done));
        node.on('close', stop);
    }
    RED.nodes.registerType('fota-releases', FotaReleases);

    /**
     * Starts an update: msg.payload {gateway, device, release, retry}. Sends {ok, message, update}, and again if the
     * gateway never answers.
     */
    function FotaStart(config) {
        RED.nodes.createNode(this, config);
        const node = this;
        const hub = RED.nodes.getNode(config.hub);
        const timers = new Set();

        function follow(msg, job, name, until) {
            const timer = setTimeout(async () => {
                timers.delete(timer);
                let update = null;
                try {
                    update = await hub.ask((client) => client.get(`/updates/${encodeURIComponent(job)}`));
                } catch {
                    // Asked again below.
                }
                if (update && update.state === 'failed') {
                    node.send({ ...msg, payload: { ok: false, code: update.reason, message: `The update of ${name} failed: ${update.detail || update.reason}` } });
                } else if ((!update || update.state === 'queued') && Date.now() < until) {
                    follow(msg, job, name, until);
                }
            }, FOLLOW_MS);
            timers.add(timer);
        }

        node.on('input', async (msg, send, done) => {
            try {
                const { gateway, device, release, retry } = msg.payload || {};
                if (!NAME.test(gateway) || !NAME.test(device)) throw new Error('choose a device first');
                if (!SHA256.test(release)) throw new Error('choose a release first');
                const update = await hub.ask((client) => client.post('/updates', { gateway, device, release, retry: retry === true }));
                const name = `${device} to ${update.version || 'this release'}`;
                send({ ...msg, payload: { ok: true, message: `Update of ${name} started.`, update } });
                if (JOB.test(update.job)) follow(msg, update.job, name, Date.now() + FOLLOW_FOR_MS);
            } catch (err) {
                send({ ...msg, payload: failure(err) });
            }
            done();
        });
        node.on('close', () => timers.forEach(clearTimeout));
    }
    RED.nodes.registerType('fota-start', FotaStart);

    /** Cancels an update: msg.payload {job, device}. Sends {ok, message}. */
    function FotaCancel(config) {
        RED.nodes.createNode(this, config);
        const hub = RED.nodes.getNode(config.hub);
        this.on('input', async (msg, send, done) => {
            try {
                const { job, device } = msg.payload || {};
                if (!JOB.test(job)) throw new Error('this device has no update that could be cancelled');
                await hub.ask((client) => client.post(`/updates/${encodeURIComponent(job)}/cancel`));
                send({ ...msg, payload: { ok: true, message: `Asked the gateway to cancel the update of ${device}.` } });
            } catch (err) {
                send({ ...msg, payload: failure(err) });
            }
            done();
        });
    }
    RED.nodes.registerType('fota-cancel', FotaCancel);

    /** Fetches a device's history: msg.payload {gateway, device}. Sends {gateway, device, history, error}. */
    function FotaHistory(config) {
        RED.nodes.createNode(this, config);
        const hub = RED.nodes.getNode(config.hub);
        this.on('input', async (msg, send, done) => {
            const { gateway, device } = msg.payload || {};
            const payload = { gateway, device, history: [], error: '' };
            try {
                if (!NAME.test(gateway) || !NAME.test(device)) throw new Error('choose a device first');
                const { history } = await hub.ask((client) => client.get(`/devices/${gateway}/${device}/history?limit=50`));
                payload.history = Array.isArray(history) ? history.slice(0, 50) : [];
            } catch (err) {
                payload.error = err.message;
            }
            send({ ...msg, payload });
            done();
        });
    }
    RED.nodes.registerType('fota-history', FotaHistory);
};
