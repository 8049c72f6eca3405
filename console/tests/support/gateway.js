// SPDX-License-Identifier: MIT
'use strict';
/** A gateway for tests: it says over a real broker what docs/mqtt.md says that a gateway says, as the test directs it. */
const mqtt = require('mqtt');

class Gateway {
    constructor(client, name, devices) {
        Object.assign(this, { client, name, devices, commands: [], seq: Date.now(), waiting: [] });
        client.on('message', (_topic, payload) => {
            const command = JSON.parse(payload.toString());
            this.commands.push(command);
            for (const wake of this.waiting.splice(0)) wake();
        });
    }

    /** @param {string} url  the broker's @param {string[]} devices */
    static async start(url, name, devices) {
        const client = await mqtt.connectAsync(url, { protocolVersion: 4, reconnectPeriod: 0,
            will: { topic: `fota/v1/${name}/presence`, payload: JSON.stringify({ v: 1, seq: Date.now(), online: false }), qos: 1, retain: true } });
        const gateway = new Gateway(client, name, devices);
        await client.subscribeAsync(`fota/v1/${name}/cmd`, { qos: 1 });
        await gateway.say('presence', { online: true, version: '0.1.0', devices }, true);
        return gateway;
    }

    say(topic, body, retain = false) {
        return this.client.publishAsync(`fota/v1/${this.name}/${topic}`, JSON.stringify({ v: 1, seq: ++this.seq, ...body }), { qos: retain ? 1 : 0, retain });
    }

    state(device, state, more = {}) {
        return this.say(`${device}/state`, { time: new Date().toISOString(), device, state, job: '', reason: '', detail: '', version: '1.0.0', slot: 'A',
            confirmed: true, identity: '0'.repeat(64), info: { product: '6f7a1c2e-0b3d-4e5f-8a9b-acbdcedfe0f1', hw: 1, uid: '0'.repeat(24), floor: 1, mode: 'application', bootloader: '0.1.0' }, ...more }, true);
    }

    progress(device, job, state, percent, total = 24000) {
        return this.say(`${device}/progress`, { job, state, percent, bytes: Math.round((total * percent) / 100), total, rate: 9000 });
    }

    reply(command, ok, more = {}) {
        return this.client.publishAsync(`fota/v1/${this.name}/reply`, JSON.stringify({ v: 1, seq: ++this.seq, cmd: command.cmd, job: command.job, device: command.device, ok, ...more }), { qos: 1 });
    }

    /** Waits for the next command that was not taken yet. */
    async command(timeout = 10000) {
        const end = Date.now() + timeout;
        while (this.commands.length === 0) {
            if (Date.now() > end) throw new Error('no command came');
            await new Promise((resolve) => {
                this.waiting.push(resolve);
                setTimeout(resolve, 200);
            });
        }
        return this.commands.shift();
    }

    /** Ends; without a word, so that the last will speaks. */
    vanish() {
        this.client.stream.destroy();
        return this.client.endAsync(true);
    }

    stop() {
        return this.client.endAsync(true);
    }
}

module.exports = { Gateway };
