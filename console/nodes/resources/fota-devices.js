// SPDX-License-Identifier: MIT
/** The devices: what each runs, where its update is, and the two buttons that start and cancel one. */
import { bytes, ENDS, isActive, page, sentence, STEPS, time, widget, words } from './fota-common.js';

/** A page says again what it looks at, so that the server knows that it is still there. */
const KEEP_MS = 20000;

export const FotaDevices = {
    name: 'FotaDevices',
    mixins: [widget],
    data: () => ({
        page, rows: [], channels: [], matched: 0, offset: 0, counts: { all: 0, active: 0, failed: 0, offline: 0 }, known: false,
        filter: '', show: 'all', want: 0, release: '', retry: false, asked: '', message: null, lastJob: '',
        shows: [['all', 'All'], ['active', 'Updating'], ['failed', 'Failed'], ['offline', 'Offline']], limit: 100,
    }),
    computed: {
        chosen() {
            return this.rows.find((r) => r.key === page.device) || null;
        },
        canStart() {
            return this.chosen && this.release && !isActive(this.chosen.state) && !this.asked;
        },
        canCancel() {
            return this.chosen && ['download', 'write', 'verify'].includes(this.chosen.state) && this.chosen.job;
        },
        /** Changes whenever the chosen device's history does. */
        historyMark() {
            return this.chosen ? `${this.chosen.key} ${this.chosen.job} ${this.chosen.state}` : '';
        },
    },
    watch: {
        filter() {
            this.want = 0;
            this.look();
        },
        show() {
            this.want = 0;
            this.look();
        },
        historyMark(mark) {
            if (mark) this.askHistory();
            // What was started has ended; the row says how.
            if (this.message && this.message.ok && this.chosen && ENDS.includes(this.chosen.state) && this.chosen.job !== this.lastJob) this.message = null;
            if (this.chosen && ENDS.includes(this.chosen.state)) this.lastJob = this.chosen.job;
        },
        'page.releases'(list) {
            if (this.release && !list.some((r) => r.sha256 === this.release)) this.release = '';
        },
    },
    mounted() {
        this.keep = setInterval(() => this.look(), KEEP_MS);
    },
    unmounted() {
        clearInterval(this.keep);
        clearTimeout(this.later);
    },
    methods: {
        bytes, time, isActive,
        onConnect() {
            this.look();
        },
        look() {
            this.send('view', { filter: this.filter, show: this.show, offset: this.want });
        },
        onMessage(msg) {
            const p = msg.payload;
            if (Array.isArray(p.rows)) {
                Object.assign(this, { rows: p.rows, channels: p.channels || [], matched: p.matched, offset: p.offset, counts: p.counts, known: true });
                page.hub = p.hub;
                page.broker = p.broker;
                this.$nextTick(() => this.send('view', { drawn: true }));
                if (!page.device && this.rows.length === 1 && p.counts.all === 1) this.choose(this.rows[0]);
            } else if (typeof p.ok === 'boolean') {
                this.asked = '';
                this.message = { ...p, message: sentence(p.message) };
            }
        },
        choose(row) {
            if (page.device !== row.key) this.message = null;
            page.device = row.key;
        },
        askHistory() {
            // The hub writes its history when it hears the same message as we do: give it a moment, and look again.
            const [gateway, device] = page.device.split('/');
            this.send('select', { gateway, device });
            clearTimeout(this.later);
            this.later = setTimeout(() => this.send('select', { gateway, device }), 1500);
        },
        start() {
            const { gateway, device } = this.chosen;
            const release = page.releases.find((r) => r.sha256 === this.release);
            this.asked = 'start';
            this.message = null;
            this.send('start', { gateway, device, release: this.release, retry: this.retry, size: release && release.size, version: release && release.version });
            setTimeout(() => {
                if (this.asked !== 'start') return;
                this.asked = '';
                this.message = { ok: false, message: 'No answer within 15 s. Look at the device before you try again.' };
            }, 15000);
        },
        cancel() {
            const { gateway, device, job } = this.chosen;
            this.message = null;
            this.send('cancel', { gateway, device, job });
        },
        turn(by) {
            this.want = Math.max(0, this.offset + by * this.limit);
            this.look();
        },
        /** The row's way: each step with its name, whether it is done, current or to come, and when it was reached. */
        chain(row) {
            const end = ENDS.includes(row.state) ? row.state : 'confirmed';
            const names = [...STEPS, end];
            const at = names.indexOf(row.state);
            const reached = new Map(row.trail.map((t) => [t.state, t.time]));
            return names.map((name, i) => {
                let status = 'todo';
                if (i === at) status = 'current';
                else if (i < at) status = end === 'failed' && i > 0 && !reached.has(name) ? 'todo' : 'done';
                return { name, status, title: reached.has(name) ? `${name} at ${time(reached.get(name))}` : name };
            });
        },
        /** One line about a channel that a gateway watches. */
        channelText(c) {
            const parts = [c.version ? `version ${c.version}, sequence ${c.sequence}` : 'no index yet'];
            const expiry = new Date(c.expiry);
            if (c.expiry && !Number.isNaN(expiry.getTime())) parts.push(`${expiry < new Date() ? 'expired' : 'good until'} ${c.expiry.slice(0, 10)}`);
            if (c.polled) parts.push(`polled at ${time(c.polled)}`);
            return parts.join(' · ');
        },
        channelBad(c) {
            return Boolean(c.problem) || (c.expiry && new Date(c.expiry) < new Date());
        },
        percent(row) {
            if (row.state === 'confirmed') return 100;
            return typeof row.percent === 'number' ? Math.round(row.percent) : null;
        },
        progressText(row) {
            const parts = [];
            if (this.percent(row) !== null) parts.push(`${row.state} ${this.percent(row)} %`);
            else parts.push(`${row.state} …`);
            if (row.total) parts.push(`${bytes(row.bytes || 0)} of ${bytes(row.total)}`);
            if (row.rate) parts.push(`${bytes(row.rate)}/s`);
            return parts.join(' · ');
        },
        outcome(row) {
            const why = words(row.reason, row.detail);
            const tried = row.trail.some((t) => t.state === 'jump');
            if (row.state === 'confirmed' && !tried && row.trail.length > 1) return why || 'Nothing was written: it runs already.';
            if (row.state === 'confirmed') return `${row.version || 'The new firmware'} confirmed itself${row.updated ? ' at ' + time(row.updated) : ''}.`;
            if (row.state === 'rolled-back') return `Back on ${row.version || 'the old firmware'}${row.target ? `; ${row.target} was rejected` : ''}. ${why}`;
            if (row.state === 'failed' && tried && row.target) {
                const now = row.version === row.target && row.confirmed ? `The device runs ${row.target} now and has confirmed it.`
                    : `Nobody heard how the trial of ${row.target} ended; the device decides by itself.`;
                return `${now} ${why}`;
            }
            if (row.state === 'failed') return `${row.target ? `${row.target} was not installed. ` : ''}${why}`;
            return why;
        },
    },
    template: `
<section class="fota card devices" data-testid="devices">
  <div class="head">
    <h2>Devices <span class="count" v-if="counts.all">{{ counts.all }}</span></h2>
    <div class="tabs" role="group" aria-label="Which devices">
      <button v-for="[name, label] in shows" :key="name" type="button" :class="{ on: show === name }" :data-testid="'show-' + name" @click="show = name">{{ label }} <span>{{ counts[name] }}</span></button>
    </div>
    <input class="search" type="search" v-model.lazy="filter" @input="filter = $event.target.value" placeholder="Search name, version, state" maxlength="64" aria-label="Search devices" data-testid="device-filter">
  </div>
  <p v-if="page.hub && page.hub.ok === false" class="note bad" role="alert" data-testid="hub-error">Hub unreachable. {{ page.hub.message }}</p>
  <p v-if="page.broker && page.broker.ok === false" class="note warn" role="alert" data-testid="broker-error">No live progress. {{ page.broker.message }}</p>
  <ul v-if="channels.length" class="channels" data-testid="channels">
    <li v-for="c in channels" :key="c.gateway + '/' + c.channel" :class="{ bad: channelBad(c) }" data-testid="channel" :data-channel="c.gateway + '/' + c.channel">
      <span class="dot" :class="channelBad(c) ? 'warn' : 'ok'"></span><b>{{ c.gateway }}</b> watches channel <b>{{ c.channel }}</b>: {{ channelText(c) }}<span v-if="c.problem" class="why">{{ c.problem }}</span></li>
  </ul>

  <div class="actions">
    <div class="field grow"><span>Device</span><output data-testid="chosen-device" :class="{ none: !chosen }">{{ chosen ? chosen.device + ' on ' + chosen.gateway : 'Choose one in the table' }}</output></div>
    <label class="field grow"><span>Release</span>
      <select v-model="release" data-testid="release-select">
        <option value="" disabled>{{ page.releases.length ? 'Choose a release' : 'None uploaded yet' }}</option>
        <option v-for="r in page.releases" :key="r.sha256" :value="r.sha256">{{ r.version || r.name }} · {{ r.sha256.slice(0, 8) }}</option>
      </select></label>
    <label class="check" title="A device never tries an image again that it has rejected, unless it is told to"><input type="checkbox" v-model="retry" data-testid="retry">Even if rejected before</label>
    <button class="primary" type="button" data-testid="start-button" :disabled="!canStart" @click="start">Start update</button>
    <button class="danger" type="button" data-testid="cancel-button" :disabled="!canCancel" @click="cancel">Cancel</button>
  </div>
  <p v-if="message" class="note" :class="message.ok ? 'good' : 'bad'" role="status" data-testid="device-message" :data-ok="String(message.ok)">{{ message.message }}</p>

  <div class="scroll tall" v-if="rows.length">
    <table>
      <thead><tr><th class="c-device">Device</th><th class="c-running">Running</th><th>Update</th></tr></thead>
      <tbody>
        <tr v-for="row in rows" :key="row.key" class="device" :class="{ chosen: row.key === page.device }" tabindex="0" @click="choose(row)" @keydown.enter="choose(row)"
            data-testid="device-row" :data-device="row.key" :data-state="row.state" :data-percent="percent(row)" :data-version="row.version" :data-slot="row.slot"
            :data-online="String(row.online)" :data-job="row.job" :data-reason="row.reason" :data-fault="row.fault ? JSON.stringify(row.fault) : null" :data-target="row.target" :data-trail="JSON.stringify(row.trail)" :aria-selected="row.key === page.device">
          <td class="c-device"><span class="dot" :class="row.online ? 'ok' : 'off'"></span><b>{{ row.device }}</b>
            <small>{{ row.gateway }} · {{ row.online ? 'online' : 'offline' }}</small></td>
          <td class="c-running"><b>{{ row.version || 'unknown' }}</b> <span class="slot" v-if="row.slot">slot {{ row.slot }}</span>
            <small v-if="row.version">{{ row.confirmed === false ? 'on trial' : row.confirmed ? 'confirmed' : '' }}</small><small v-else>not heard from yet</small></td>
          <td class="c-update">
            <div class="way"><ol class="chain" :class="row.state">
              <li v-for="step in chain(row)" :key="step.name" :class="[step.status, step.name]" :title="step.title" :data-testid="'step-' + step.name" :data-status="step.status">{{ step.name }}</li>
            </ol><span class="target" v-if="row.target && row.state !== 'idle'">to {{ row.target }}</span></div>
            <div v-if="isActive(row.state)" class="progress"><div class="bar" :key="row.state + (percent(row) === null)" :class="{ unknown: percent(row) === null }" role="progressbar" aria-valuemin="0" aria-valuemax="100" :aria-valuenow="percent(row)" data-testid="progress"><span :style="{ width: (percent(row) ?? 100) + '%' }"></span></div><small data-testid="progress-text">{{ progressText(row) }}</small></div>
            <p v-else-if="outcome(row)" class="outcome" :class="row.state" data-testid="outcome">{{ outcome(row) }}</p>
          </td>
        </tr>
      </tbody>
    </table>
  </div>
  <p v-else class="empty" data-testid="devices-empty">{{ !known ? 'Loading …' : counts.all ? 'No device matches.' : 'No devices yet. A device appears here as soon as its gateway reports it.' }}</p>
  <div class="pager" v-if="matched > limit">
    <button type="button" class="quiet" :disabled="offset === 0" data-testid="page-back" @click="turn(-1)">Back</button>
    <span>{{ offset + 1 }}–{{ offset + rows.length }} of {{ matched }}</span>
    <button type="button" class="quiet" :disabled="offset + rows.length >= matched" data-testid="page-next" @click="turn(1)">Next</button>
  </div>
</section>`,
};

window['ui-fota-devices'] = { ...window['ui-fota-devices'], FotaDevices };
