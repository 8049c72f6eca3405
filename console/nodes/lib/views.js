// SPDX-License-Identifier: MIT
'use strict';
/**
 * Who looks at which page of the devices, and when each of them is told: at most twice a second, however many
 * messages arrive, only when something changed, and not before the page has drawn what it was told last: a page on a
 * busy computer skips, and never falls behind.
 */
const INTERVAL_MS = 500;
const PAGE_ROWS = 100;
/** A page says again what it looks at every 20 s; one that has not for this long is gone. */
const FORGET_MS = 60 * 1000;
const MAX_VIEWS = 200;
/** A page that has not said within this time that it has drawn its rows is told again all the same. */
const DRAWN_MS = 5000;

class Views {
    /**
     * @param {(view: object) => object} render  makes what a view shows
     * @param {(socketId: string, content: object) => void} send
     */
    constructor(render, send) {
        this.render = render;
        this.send = send;
        this.views = new Map();
        this.timer = null;
        this.late = null; // for a page that does not say that it has drawn
        this.last = 0;
    }

    /** Takes what a page wants to see, and shows it at once; or, with `drawn`, that it has drawn what it was told. */
    set(socketId, request) {
        const known = this.views.get(socketId);
        if (known && request.drawn === true) {
            known.seen = Date.now();
            known.drawing = 0;
            if (known.skipped) this.touch();
            return;
        }
        if (!known && this.views.size >= MAX_VIEWS) this.views.delete(this.views.keys().next().value);
        const view = {
            filter: typeof request.filter === 'string' ? request.filter.slice(0, 64) : '',
            show: ['active', 'failed', 'offline'].includes(request.show) ? request.show : 'all',
            offset: Number.isSafeInteger(request.offset) && request.offset >= 0 ? request.offset : 0,
            limit: PAGE_ROWS,
            seen: Date.now(),
            sent: '',
            drawing: 0, // since when, 0: not
            skipped: false,
        };
        this.views.set(socketId, view);
        this.show(socketId, view);
    }

    /** Something changed: tell everyone, but not more often than the interval. */
    touch() {
        if (this.timer) return;
        const wait = Math.max(0, this.last + INTERVAL_MS - Date.now());
        this.timer = setTimeout(() => this.flush(), wait);
    }

    flush() {
        clearTimeout(this.timer);
        clearTimeout(this.late);
        this.timer = this.late = null;
        this.last = Date.now();
        for (const [socketId, view] of this.views) {
            if (this.last - view.seen > FORGET_MS) this.views.delete(socketId);
            else this.show(socketId, view);
        }
    }

    show(socketId, view) {
        view.skipped = view.drawing !== 0 && Date.now() - view.drawing < DRAWN_MS;
        if (view.skipped) {
            if (!this.late) this.late = setTimeout(() => this.flush(), DRAWN_MS);
            return;
        }
        const content = this.render(view);
        const json = JSON.stringify(content);
        if (json === view.sent) return;
        view.sent = json;
        view.drawing = Date.now();
        this.send(socketId, content);
    }

    close() {
        clearTimeout(this.timer);
        clearTimeout(this.late);
        this.views.clear();
    }
}

module.exports = { Views, INTERVAL_MS, PAGE_ROWS };
