// SPDX-License-Identifier: MIT
'use strict';
/** The two config nodes: the hub (HTTP) and the broker (MQTT). Fields left empty come from the console's settings. */
const { EventEmitter } = require('node:events');
const fs = require('node:fs');
const mqtt = require('mqtt');
const { HubClient, HubError } = require('./lib/hub-client');

const RECONNECT_MS = 2000;
const TOPICS = ['fota/v1/+/presence', 'fota/v1/+/channels', 'fota/v1/+/reply', 'fota/v1/+/+/state', 'fota/v1/+/+/progress'];
const PUBLISH_TIMEOUT_MS = 10 * 1000;

module.exports = function (RED) {
    const settings = RED.settings.fota || {};

    function FotaHub(config) {
        RED.nodes.createNode(this, config);
        const node = this;
        node.url = String(config.url || settings.hubUrl || '').replace(/\/+$/, '');
        node.changes = new EventEmitter().setMaxListeners(0);
        node.health = { ok: null, message: 'Asking the hub …' };
        const client = new HubClient(node.url, (node.credentials && node.credentials.token) || settings.hubToken || '');

        function note(ok, message) {
            if (node.health.ok === ok && node.health.message === message) return;
            if (!ok && node.health.ok !== false) node.warn(message);
            node.health = { ok, message };
            node.changes.emit('health', node.health);
        }

        /** Runs `fn(client)` and keeps whether the hub answers. */
        node.ask = async function (fn) {
            if (!node.url) throw new HubError(500, 'bad-request', 'no hub is configured: set FOTA_HUB_URL');
            try {
                const answer = await fn(client);
                note(true, `Hub ${node.url}`);
                return answer;
            } catch (err) {
                if (!(err instanceof HubError)) throw err;
                // A refusal of one request is not a refusal of us, except by the wrong token.
                if (err.code === 'hub-unreachable' || err.status === 401 || err.status >= 500) note(false, err.message);
                else if (err.code !== 'too-large') note(true, `Hub ${node.url}`);
                throw err;
            }
        };
        node.on('close', () => client.close());
    }
    RED.nodes.registerType('fota-hub', FotaHub, { credentials: { token: { type: 'password' } } });

    function FotaBroker(config) {
        RED.nodes.createNode(this, config);
        const node = this;
        node.url = String(config.url || settings.mqttUrl || '');
        node.changes = new EventEmitter().setMaxListeners(0);
        node.configured = node.url !== '';
        node.health = { ok: node.configured ? null : true, message: node.configured ? 'Connecting to the broker …' : '' };
        let client = null;
        let closing = false;

        function note(ok, message) {
            if (closing || (node.health.ok === ok && node.health.message === message)) return;
            if (!ok && node.health.ok !== false) node.warn(message);
            node.health = { ok, message };
            node.changes.emit('health', node.health);
        }

        function connect() {
            let ca;
            if (settings.mqttCa) ca = fs.readFileSync(settings.mqttCa);
            client = mqtt.connect(node.url, {
                protocolVersion: 4,
                clean: true,
                reconnectPeriod: RECONNECT_MS,
                connectTimeout: 10 * 1000,
                username: config.user || settings.mqttUser || undefined,
                password: (node.credentials && node.credentials.password) || settings.mqttPassword || undefined,
                ca,
            });
            let why = '';
            client.on('connect', () => {
                client.subscribe(TOPICS, { qos: 1 }, (err) => {
                    if (err) note(false, `The broker at ${node.url} refuses the subscription (${err.message}).`);
                    else note(true, `Broker ${node.url}`);
                });
            });
            client.on('message', (topic, payload) => node.changes.emit('message', topic, payload));
            client.on('error', (err) => {
                why = err.code || err.message;
                note(false, `The broker at ${node.url} does not answer (${why}). It is tried again by itself.`);
            });
            client.on('close', () => note(false, `The broker at ${node.url} does not answer${why ? ` (${why})` : ''}. It is tried again by itself.`));
        }

        /** Publishes a command once, or says why not: a command kept for later would come as a surprise. */
        node.publish = function (topic, body) {
            return new Promise((resolve, reject) => {
                if (!client || !client.connected) {
                    reject(new Error(node.configured ? node.health.message : 'no broker is configured: set FOTA_MQTT_URL'));
                    return;
                }
                const timer = setTimeout(() => reject(new Error(`the broker did not take the command within ${PUBLISH_TIMEOUT_MS / 1000} s`)), PUBLISH_TIMEOUT_MS);
                client.publish(topic, JSON.stringify(body), { qos: 1 }, (err) => {
                    clearTimeout(timer);
                    if (err) reject(err);
                    else resolve();
                });
            });
        };

        if (node.configured) {
            try {
                connect();
            } catch (err) {
                note(false, `The broker at ${node.url} cannot be used: ${err.message}`);
            }
        }
        node.on('close', (done) => {
            closing = true;
            if (client) client.end(true, {}, () => done());
            else done();
        });
    }
    RED.nodes.registerType('fota-broker', FotaBroker, { credentials: { password: { type: 'password' } } });
};
