// SPDX-License-Identifier: MIT
/** In the page's head: is the hub there, is the broker there, who is logged in, and the way out. */
import { page, session, widget } from './fota-common.js';

export const FotaStatus = {
    name: 'FotaStatus',
    mixins: [widget],
    data: () => ({ page, user: '', ready: false }),
    async mounted() {
        this.onDown = () => {
            page.connected = false;
            session();
        };
        this.onUp = () => {
            page.connected = true;
        };
        this.$socket.on('disconnect', this.onDown);
        this.$socket.on('connect_error', this.onDown);
        this.$socket.on('connect', this.onUp);
        // The head may be drawn after this widget.
        for (let i = 0; i < 50 && !document.querySelector('#app-bar-actions'); i++) await new Promise((r) => setTimeout(r, 50));
        this.ready = Boolean(document.querySelector('#app-bar-actions'));
        const found = await session();
        if (found) this.user = found.user;
    },
    unmounted() {
        this.$socket.off('disconnect', this.onDown);
        this.$socket.off('connect_error', this.onDown);
        this.$socket.off('connect', this.onUp);
    },
    methods: {
        level: (health) => (health.ok === null ? 'wait' : health.ok ? 'ok' : 'bad'),
    },
    template: `
<Teleport v-if="ready" to="#app-bar-actions"><div class="fota fota-status" data-testid="status">
  <span v-if="!page.connected" class="pill bad" data-testid="status-console"><i></i>Console lost</span>
  <span v-if="page.hub" class="pill" :class="level(page.hub)" :title="page.hub.message" data-testid="status-hub" :data-ok="String(page.hub.ok)"><i></i>Hub</span>
  <span v-if="page.broker" class="pill" :class="level(page.broker)" :title="page.broker.message" data-testid="status-broker" :data-ok="String(page.broker.ok)"><i></i>Broker</span>
  <span class="user" v-if="user">{{ user }}</span>
  <form method="post" action="/logout"><button class="quiet" type="submit" data-testid="logout">Log out</button></form>
</div></Teleport>`,
};

window['ui-fota-status'] = { ...window['ui-fota-status'], FotaStatus };
