// SPDX-License-Identifier: MIT
'use strict';
/**
 * All devices: the hub's list (when there is a hub) and the gateways' own words over MQTT (when there is a broker).
 *
 * In: msg.payload {filter, show, offset} with msg._client.socketId says what one page looks at, {drawn: true} that it
 * has drawn. Out: that page's rows, at most twice a second and at most 100 rows, to that page alone.
 */
const { every } = require('./lib/node-util');
const { DeviceTable } = require('./lib/device-table');
const { Views, INTERVAL_MS } = require('./lib/views');

/** The hub's list is only a safety net while gateways are heard themselves. */
const POLL_LIVE_MS = 10 * 1000;

module.exports = function (RED) {
    function FotaDevices(config) {
        RED.nodes.createNode(this, config);
        const node = this;
        const hub = config.hub ? RED.nodes.getNode(config.hub) : null;
        const broker = config.broker ? RED.nodes.getNode(config.broker) : null;
        const table = new DeviceTable();
        let nextPoll = 0;

        const views = new Views(
            (view) => ({
                ...table.page(view),
                hub: hub ? hub.health : null,
                broker: broker && broker.configured ? broker.health : null,
            }),
            (socketId, payload) => node.send({ payload, _client: { socketId } }),
        );

        const onMessage = (topic, payload) => {
            if (table.message(topic, payload)) views.touch();
        };
        const onHealth = () => {
            const live = Boolean(broker && broker.configured && broker.health.ok);
            if (live !== table.live) nextPoll = 0;
            table.live = live;
            views.touch();
        };
        if (broker) {
            broker.changes.on('message', onMessage);
            broker.changes.on('health', onHealth);
            onHealth();
        }
        let stop = () => {};
        if (hub) {
            hub.changes.on('health', onHealth);
            stop = every(INTERVAL_MS, async () => {
                if (Date.now() < nextPoll) return;
                nextPoll = Date.now() + (table.live ? POLL_LIVE_MS : 2 * INTERVAL_MS);
                try {
                    const { devices } = await hub.ask((client) => client.get('/devices'));
                    table.snapshot(Array.isArray(devices) ? devices : []);
                    views.touch();
                } catch {
                    // The hub's health, which the page shows, says why; the rows stay as they were.
                    nextPoll = Date.now() + 4 * INTERVAL_MS;
                }
            });
        }

        /** For nodes that need to know what a device is doing. */
        node.device = (gateway, device) => table.get(gateway, device);

        node.on('input', (msg, _send, done) => {
            if (msg._client && msg._client.socketId) views.set(msg._client.socketId, msg.payload || {});
            done();
        });
        node.on('close', () => {
            stop();
            views.close();
            if (broker) {
                broker.changes.off('message', onMessage);
                broker.changes.off('health', onHealth);
            }
            if (hub) hub.changes.off('health', onHealth);
        });
    }
    RED.nodes.registerType('fota-devices', FotaDevices);
};
