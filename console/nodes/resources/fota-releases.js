// SPDX-License-Identifier: MIT
/** The releases that there are, newest first. */
import { bytes, page, time, widget } from './fota-common.js';

export const FotaReleases = {
    name: 'FotaReleases',
    mixins: [widget],
    data: () => ({ page, error: '' }),
    methods: {
        bytes,
        time,
        onMessage({ payload }) {
            this.error = payload.error || '';
            if (payload.releases) {
                page.releases = payload.releases;
                page.releasesKnown = true;
            }
        },
    },
    template: `
<section class="fota card" data-testid="releases">
  <h2>Releases <span class="count" v-if="page.releases.length">{{ page.releases.length }}</span></h2>
  <p v-if="error && !(page.hub && page.hub.ok === false)" class="note bad" role="alert" data-testid="releases-error">{{ error }}</p>
  <div class="scroll" v-if="page.releases.length">
    <table>
      <thead><tr><th>Version</th><th>Product</th><th class="num">Size</th><th class="num">Counter</th><th>Uploaded</th><th>SHA-256</th></tr></thead>
      <tbody>
        <tr v-for="r in page.releases" :key="r.sha256" data-testid="release-row" :data-version="r.version" :data-sha256="r.sha256">
          <td class="strong">{{ r.version || '–' }}</td>
          <td class="mono" :title="r.product">{{ r.product ? r.product.slice(0, 8) + '…' : '–' }}</td>
          <td class="num">{{ bytes(r.size) }}</td>
          <td class="num">{{ r.counter ?? '–' }}</td>
          <td class="nowrap" :title="r.uploaded">{{ time(r.uploaded) }}</td>
          <td class="mono" :title="r.sha256">{{ r.sha256.slice(0, 12) }}…</td>
        </tr>
      </tbody>
    </table>
  </div>
  <p v-else class="empty" data-testid="releases-empty">{{ error ? 'The releases appear here when the hub answers.' : page.releasesKnown ? 'No releases yet. Upload a signed package to begin.' : 'Loading …' }}</p>
</section>`,
};

window['ui-fota-releases'] = { ...window['ui-fota-releases'], FotaReleases };
