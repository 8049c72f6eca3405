// SPDX-License-Identifier: MIT
'use strict';
/**
 * All devices, merged from the hub's list (HTTP) and the gateways' own words (MQTT, docs/mqtt.md).
 *
 * The gateways' words are newer, so they win while the broker is connected; the hub's list fills in what they have
 * not said, and everything else while there is no broker.
 */
const NAME = /^[A-Za-z0-9_-]{1,32}$/;
const STATES = ['idle', 'download', 'write', 'verify', 'jump', 'confirmed', 'rolled-back', 'failed'];
const ACTIVE = new Set(['download', 'write', 'verify', 'jump']);
const ENDED = new Set(['confirmed', 'rolled-back', 'failed']);
const NOT_DEVICES = new Set(['presence', 'cmd', 'reply', 'chunk']);
const MAX_PAYLOAD = 4096;
const MAX_DEVICES = 20000;
/** A job passes five states; one that begins again and again must not grow a list. */
const MAX_TRAIL = 16;
const MAX_CHANNELS = 16;
/** Of all gateways, on one page. */
const MAX_CHANNELS_SHOWN = 50;

const text = (value, max) => (typeof value === 'string' ? value.slice(0, max) : '');
const ADDRESS = /^0x[0-9a-f]{8}$/i;
/** Where the device's last fault was: {pc, lr}, or null. */
const fault = (value) => (value && ADDRESS.test(value.pc) && ADDRESS.test(value.lr) ? { pc: value.pc, lr: value.lr } : null);
const number = (value) => (typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null);

class DeviceTable {
    constructor() {
        this.devices = new Map();
        this.gateways = new Map();
        /** What gateways that watch channels say of them: {seq, list}. */
        this.channels = new Map();
        /** True while the gateways' own words arrive. */
        this.live = false;
    }

    /**
     * Takes one MQTT message.
     * @returns {boolean} whether anything changed that a page shows
     */
    message(topic, payload) {
        const parts = topic.split('/');
        if (parts[0] !== 'fota' || parts[1] !== 'v1' || !NAME.test(parts[2] || '') || payload.length > MAX_PAYLOAD) return false;
        let body;
        try {
            body = JSON.parse(payload.toString('utf8'));
        } catch {
            return false;
        }
        if (!body || typeof body !== 'object' || body.v !== 1 || !Number.isSafeInteger(body.seq)) return false;
        if (parts.length === 4 && parts[3] === 'presence') return this.presence(parts[2], body);
        if (parts.length === 4 && parts[3] === 'channels') return this.watched(parts[2], body);
        if (parts.length !== 5 || !NAME.test(parts[3]) || NOT_DEVICES.has(parts[3])) return false;
        if (parts[4] === 'state') return this.state(parts[2], parts[3], body);
        if (parts[4] === 'progress') return this.progress(parts[2], parts[3], body);
        return false;
    }

    entry(gateway, device) {
        const key = `${gateway}/${device}`;
        let entry = this.devices.get(key);
        if (!entry && this.devices.size < MAX_DEVICES) {
            entry = { key, gateway, device, state: 'idle', job: '', reason: '', detail: '', version: '', slot: '', confirmed: null, fault: null,
                target: '', product: '', mode: '', percent: null, bytes: null, total: null, rate: null, updated: '', trail: [],
                hubOnline: false, stateSeq: 0, progressSeq: 0, fromHub: false };
            this.devices.set(key, entry);
        }
        return entry;
    }

    presence(gateway, body) {
        if (typeof body.online !== 'boolean') return false;
        const known = this.gateways.get(gateway);
        // The last will carries the number of the connection's start, which is older than the presence it ends:
        // it counts when it comes. An old "online" does not.
        if (known && body.online && body.seq < known.seq) return false;
        const seq = body.online ? body.seq : known ? known.seq : 0;
        this.gateways.set(gateway, { online: body.online, seq });
        if (Array.isArray(body.devices)) {
            for (const device of body.devices.slice(0, 256)) {
                if (typeof device === 'string' && NAME.test(device)) this.entry(gateway, device);
            }
        }
        return !known || known.online !== body.online || Array.isArray(body.devices);
    }

    watched(gateway, body) {
        const known = this.channels.get(gateway);
        if (!Array.isArray(body.channels) || (known && body.seq <= known.seq) || (!known && this.channels.size >= MAX_DEVICES)) return false;
        const list = body.channels.slice(0, MAX_CHANNELS).filter((c) => c && typeof c === 'object').map((c) => ({
            gateway, channel: text(c.channel, 31), sequence: number(c.sequence), version: text(c.version, 64), expiry: text(c.expiry, 40),
            polled: text(c.polled, 40), problem: text(c.problem, 500) }));
        this.channels.set(gateway, { seq: body.seq, list });
        return true;
    }

    state(gateway, device, body) {
        if (!STATES.includes(body.state)) return false;
        const entry = this.entry(gateway, device);
        if (!entry || body.seq <= entry.stateSeq) return false;
        entry.stateSeq = body.seq;
        this.take(entry, body, text(body.time, 40));
        return true;
    }

    progress(gateway, device, body) {
        const entry = this.devices.get(`${gateway}/${device}`);
        if (!entry || body.seq <= entry.progressSeq) return false;
        entry.progressSeq = body.seq;
        // A late word about a state, or a job, that is over says nothing about this one.
        if (body.state !== entry.state || text(body.job, 64) !== entry.job) return false;
        entry.percent = number(body.percent) === null ? null : Math.min(100, body.percent);
        entry.bytes = number(body.bytes);
        entry.total = number(body.total);
        entry.rate = number(body.rate);
        return true;
    }

    /** Takes over a device's state as the gateway, or the hub, tells it. */
    take(entry, body, time) {
        const job = text(body.job, 64);
        const again = ENDED.has(entry.state) && ACTIVE.has(body.state);
        if (job !== entry.job || again) entry.trail = [];
        if (job !== entry.job || body.state !== entry.state) {
            entry.percent = entry.bytes = entry.total = entry.rate = null;
            if (body.state !== 'idle') entry.trail.push({ state: body.state, time: time || new Date().toISOString() });
            if (entry.trail.length > MAX_TRAIL) entry.trail.shift();
        }
        entry.state = body.state;
        entry.job = job;
        entry.reason = text(body.reason, 64);
        entry.detail = text(body.detail, 500);
        entry.version = text(body.version, 64);
        entry.slot = text(body.slot, 2);
        entry.confirmed = typeof body.confirmed === 'boolean' ? body.confirmed : null;
        entry.target = text(body.target && body.target.version, 64);
        entry.product = text(body.info && body.info.product, 40);
        entry.mode = text(body.info && body.info.mode, 32);
        entry.fault = fault(body.info && body.info.fault);
        entry.updated = time;
    }

    /**
     * Takes the hub's list of devices; those that neither the hub nor a gateway knows any more go.
     * @param {object[]} list  `devices` of GET /devices
     */
    snapshot(list) {
        for (const entry of this.devices.values()) entry.fromHub = false;
        for (const item of list) {
            if (!item || !NAME.test(item.gateway) || !NAME.test(item.device) || !STATES.includes(item.state || 'idle')) continue;
            const entry = this.entry(item.gateway, item.device);
            if (!entry) break;
            entry.fromHub = true;
            entry.hubOnline = item.online === true;
            if (this.live && entry.stateSeq > 0) continue;
            this.take(entry, { ...item, state: item.state || 'idle' }, text(item.updated, 40));
            entry.percent = number(item.percent);
            entry.bytes = number(item.bytes);
            entry.total = number(item.total);
            entry.rate = number(item.rate);
        }
        for (const [key, entry] of this.devices) {
            if (!entry.fromHub && entry.stateSeq === 0 && !this.gateways.has(entry.gateway)) this.devices.delete(key);
        }
    }

    online(entry) {
        const gateway = this.gateways.get(entry.gateway);
        return this.live && gateway ? gateway.online : entry.hubOnline;
    }

    /** @returns {object|undefined} what is known of one device */
    get(gateway, device) {
        return this.devices.get(`${gateway}/${device}`);
    }

    /**
     * One page of the table.
     * @param {{filter?: string, show?: string, offset?: number, limit: number}} view  filter: part of a name, version or state;
     *        show: all, active, failed or offline; offset and limit in rows
     * @returns {{rows: object[], matched: number, offset: number, counts: object, channels: object[]}}
     */
    page({ filter = '', show = 'all', offset = 0, limit }) {
        const wanted = filter.toLowerCase();
        const counts = { all: 0, active: 0, failed: 0, offline: 0 };
        const found = [];
        for (const entry of this.devices.values()) {
            const is = { all: true, active: ACTIVE.has(entry.state), failed: entry.state === 'failed' || entry.state === 'rolled-back', offline: !this.online(entry) };
            for (const name of Object.keys(counts)) if (is[name]) counts[name]++;
            if (!is[show]) continue;
            if (wanted && !`${entry.key} ${entry.version} ${entry.state} ${entry.target}`.toLowerCase().includes(wanted)) continue;
            found.push(entry);
        }
        found.sort((a, b) => (a.key < b.key ? -1 : 1));
        const first = offset < found.length ? offset : 0;
        return { rows: found.slice(first, first + limit).map((e) => this.row(e)), matched: found.length, offset: first, counts, channels: this.allChannels() };
    }

    /** Those with a problem first. */
    allChannels() {
        const all = [...this.channels.values()].flatMap((c) => c.list);
        all.sort((a, b) => Number(Boolean(b.problem)) - Number(Boolean(a.problem)) || (`${a.gateway}/${a.channel}` < `${b.gateway}/${b.channel}` ? -1 : 1));
        return all.slice(0, MAX_CHANNELS_SHOWN);
    }

    row(entry) {
        const { hubOnline, stateSeq, progressSeq, fromHub, ...row } = entry;
        row.online = this.online(entry);
        row.trail = entry.trail.slice();
        return row;
    }
}

module.exports = { DeviceTable, STATES, ACTIVE, ENDED, NAME };
