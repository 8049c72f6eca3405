// SPDX-License-Identifier: MIT
/** What the widgets share: the page's state, the socket, words and numbers, and the style sheet. */

const { reactive } = window.Vue;

/** One page's state; the widgets talk to each other through it. */
export const page = reactive({
    releases: [],
    releasesKnown: false,
    /** The chosen device, `gateway/device`. */
    device: '',
    hub: null,
    broker: null,
    connected: true,
});

/** The way of an update, as docs/mqtt.md names it. The last step has three ends. */
export const STEPS = ['idle', 'download', 'write', 'verify', 'jump'];
export const ENDS = ['confirmed', 'rolled-back', 'failed'];
export const isActive = (state) => ['download', 'write', 'verify', 'jump'].includes(state);

const REASONS = {
    'bad-job': 'The gateway did not understand the job.',
    'unknown-device': 'The gateway does not know this device.',
    'unknown-job': 'The gateway does not know this job.',
    'busy': 'Another update of this device is under way.',
    'too-late': 'Too late to cancel: the device decides by itself now.',
    'http-error': 'The gateway could not fetch the package.',
    'too-long': 'The server sent more bytes than the package has.',
    'too-short': 'The server sent fewer bytes than the package has.',
    'stalled': 'No progress for too long.',
    'digest-mismatch': 'The fetched file is not the one that was asked for.',
    'cancelled': 'Cancelled.',
    'device-lost': 'The device does not answer, or its port is gone.',
    'cache-error': 'The gateway could not store the package.',
    'no-answer': 'The gateway did not answer.',
    'magic': 'This is not a fota package.',
    'product': 'The package is for another product.',
    'hw-revision': 'The package is for another hardware revision.',
    'floor': 'The security counter is below what the device accepts.',
    'key': 'The device does not know the key that signed this package.',
    'signature': 'The signature is wrong.',
    'hash': 'The code does not match its SHA-256.',
    'crc': 'The code does not match its checksum.',
    'rejected': 'The device has rejected this very image before.',
    'flash': 'The flash memory could not be written.',
    'deadline': 'The new firmware did not confirm itself in time.',
    'watchdog': 'The new firmware hung, and the watchdog reset the device.',
    'fault': 'The new firmware crashed.',
    'resets': 'The new firmware kept resetting without confirming itself.',
};

/** @returns {string} a reason and its detail as a sentence for people */
export function words(reason, detail) {
    const known = REASONS[reason] || (reason ? `Reason: ${reason}.` : '');
    return [known, sentence(detail)].filter(Boolean).join(' ');
}

/** @returns {string} the text with a capital first and a full stop last */
export function sentence(text) {
    if (!text) return '';
    const name = /^\S+\.\w+: /.test(text); // begins with a file's name, which stays as it is
    return (name ? text[0] : text[0].toUpperCase()) + text.slice(1) + (/[.!?]$/.test(text) ? '' : '.');
}

export function bytes(n) {
    if (typeof n !== 'number') return '';
    if (n < 1000) return `${n} B`;
    if (n < 1e6) return `${(n / 1000).toFixed(n < 1e4 ? 1 : 0)} kB`;
    return `${(n / 1e6).toFixed(2)} MB`;
}

export function time(iso) {
    const t = new Date(iso);
    if (!iso || Number.isNaN(t.getTime())) return '–';
    const two = (n) => String(n).padStart(2, '0');
    const clock = `${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}`;
    if (t.toDateString() === new Date().toDateString()) return clock;
    return `${t.getFullYear()}-${two(t.getMonth() + 1)}-${two(t.getDate())} ${clock}`;
}

/** What every widget is: `onMessage(msg)` for what the flow sends it, `send(action, payload)` for what it tells the flow. */
export const widget = {
    inject: ['$socket'],
    props: { id: { type: String, required: true }, props: { type: Object, default: () => ({}) }, state: { type: Object, default: () => ({}) } },
    mounted() {
        style();
        this.take = (msg) => msg && msg.payload && this.onMessage && this.onMessage(msg);
        this.reload = () => {
            this.$socket.emit('widget-load', this.id);
            if (this.onConnect) this.onConnect();
        };
        this.$socket.on('msg-input:' + this.id, this.take);
        this.$socket.on('widget-load:' + this.id, this.take);
        this.$socket.on('connect', this.reload);
        this.reload();
    },
    unmounted() {
        this.$socket.off('msg-input:' + this.id, this.take);
        this.$socket.off('widget-load:' + this.id, this.take);
        this.$socket.off('connect', this.reload);
    },
    methods: {
        send(action, payload) {
            this.$socket.emit('widget-action', this.id, { action, payload });
        },
    },
};

/** Leads to the login page when the session has ended. @returns {Promise<object|null>} the session */
export async function session() {
    try {
        const res = await fetch('/session', { headers: { Accept: 'application/json' } });
        if (res.status === 401) {
            window.location.assign('/login');
            return null;
        }
        return await res.json();
    } catch {
        return null;
    }
}

let styled = false;
function style() {
    if (styled) return;
    styled = true;
    const link = document.createElement('link');
    link.rel = 'stylesheet';
    link.href = new URL('./fota.css', import.meta.url).href;
    document.head.appendChild(link);
}
style();
