// SPDX-License-Identifier: MIT
/** What happened to the chosen device, newest first. */
import { page, time, widget, words } from './fota-common.js';

export const FotaHistory = {
    name: 'FotaHistory',
    mixins: [widget],
    data: () => ({ page, rows: [], of: '', error: '' }),
    computed: {
        name() {
            return page.device.split('/').reverse().join(' on ');
        },
        current() {
            return this.of === page.device;
        },
    },
    methods: {
        time, words,
        onMessage({ payload }) {
            this.of = `${payload.gateway}/${payload.device}`;
            this.error = payload.error || '';
            this.rows = payload.history || [];
        },
        versions: (row) => (row.target_version && row.target_version !== row.version ? `${row.version || '?'} → ${row.target_version}` : row.version || row.target_version || '–'),
    },
    template: `
<section class="fota card" data-testid="history" :data-device="of">
  <h2>History <span class="of" v-if="page.device">{{ name }}</span></h2>
  <p v-if="current && error" class="note bad" role="alert" data-testid="history-error">{{ error }}</p>
  <div class="scroll mid" v-if="current && rows.length">
    <table>
      <thead><tr><th>Time</th><th>State</th><th>Version</th><th>What happened</th><th>Job</th></tr></thead>
      <tbody>
        <tr v-for="(row, i) in rows" :key="i" data-testid="history-row" :data-state="row.state" :data-job="row.job">
          <td class="nowrap" :title="row.time">{{ time(row.time) }}</td>
          <td><span class="tag" :class="row.state">{{ row.state }}</span></td>
          <td class="nowrap">{{ versions(row) }}</td>
          <td class="wide">{{ words(row.reason, row.detail) || '–' }}</td>
          <td class="mono job" :title="row.job">{{ row.job || '–' }}</td>
        </tr>
      </tbody>
    </table>
  </div>
  <p v-else-if="!page.device" class="empty" data-testid="history-empty">Choose a device to see what happened to it.</p>
  <p v-else-if="!error" class="empty" data-testid="history-empty">{{ current ? 'Nothing has happened to this device yet.' : 'Loading …' }}</p>
</section>`,
};

window['ui-fota-history'] = { ...window['ui-fota-history'], FotaHistory };
