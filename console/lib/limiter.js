// SPDX-License-Identifier: MIT
'use strict';
/**
 * Slows password guessing: after a few failures an address has to wait, twice as long after each further one.
 */
const FREE_FAILURES = 5;
const MAX_WAIT_MS = 60 * 1000;
const FORGET_MS = 15 * 60 * 1000;
const MAX_ADDRESSES = 10000;

class Limiter {
    constructor(now = Date.now) {
        this.now = now;
        this.failures = new Map();
    }

    /** @returns {number} milliseconds that `address` has to wait before its next try; 0: none */
    wait(address) {
        const entry = this.failures.get(address);
        if (!entry) return 0;
        if (this.now() - entry.last > FORGET_MS) {
            this.failures.delete(address);
            return 0;
        }
        if (entry.count < FREE_FAILURES) return 0;
        const pause = Math.min(MAX_WAIT_MS, 1000 * 2 ** Math.min(entry.count - FREE_FAILURES, 10));
        return Math.max(0, entry.last + pause - this.now());
    }

    failed(address) {
        const count = (this.failures.get(address)?.count || 0) + 1;
        // Deleted and set again: the map keeps the order of use, and the oldest goes first.
        this.failures.delete(address);
        if (this.failures.size >= MAX_ADDRESSES) this.failures.delete(this.failures.keys().next().value);
        this.failures.set(address, { count, last: this.now() });
    }

    succeeded(address) {
        this.failures.delete(address);
    }
}

module.exports = { Limiter, FREE_FAILURES };
