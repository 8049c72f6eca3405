// SPDX-License-Identifier: MIT
'use strict';
/** Sessions: random tokens, kept on the server, each with the sockets that were opened in its name. */
const crypto = require('node:crypto');

const COOKIE = 'fota_session';
const MAX_SESSIONS = 1000;
/** Node's timers take at most 2^31 - 1 ms. */
const MAX_TIMER = 2 ** 31 - 1;

const digest = (token) => crypto.createHash('sha256').update(token).digest('base64');

class Sessions {
    /** @param {number} lifetimeMs  how long a session lasts; it is not prolonged by use */
    constructor(lifetimeMs) {
        this.lifetimeMs = Math.min(lifetimeMs, MAX_TIMER);
        /** Keyed by the token's hash: looking one up tells nothing about the tokens there are. */
        this.byDigest = new Map();
    }

    /** Starts a session. @returns {string} its token, 256 random bits */
    create(user) {
        while (this.byDigest.size >= MAX_SESSIONS) this.end(this.byDigest.values().next().value);
        const token = crypto.randomBytes(32).toString('base64url');
        const session = { id: digest(token), user, expires: Date.now() + this.lifetimeMs, sockets: new Set() };
        session.timer = setTimeout(() => this.end(session), this.lifetimeMs);
        session.timer.unref();
        this.byDigest.set(session.id, session);
        return token;
    }

    /** @returns {object|null} the live session of a token */
    get(token) {
        if (typeof token !== 'string' || token.length !== 43) return null;
        const session = this.byDigest.get(digest(token));
        if (!session) return null;
        if (session.expires <= Date.now()) {
            this.end(session);
            return null;
        }
        return session;
    }

    /** @returns {object|null} the live session of a request, by its cookie */
    fromRequest(req) {
        const header = req.headers.cookie;
        if (!header || header.length > 8192) return null;
        for (const part of header.split(';')) {
            const eq = part.indexOf('=');
            if (eq > 0 && part.slice(0, eq).trim() === COOKIE) {
                const session = this.get(part.slice(eq + 1).trim());
                if (session) return session;
            }
        }
        return null;
    }

    /** Closes `socket` when the session ends. */
    attach(session, socket) {
        session.sockets.add(socket);
        socket.once('close', () => session.sockets.delete(socket));
    }

    /** Ends a session at once, with every socket that was opened in its name. */
    end(session) {
        clearTimeout(session.timer);
        this.byDigest.delete(session.id);
        for (const socket of session.sockets) socket.destroy();
    }

    endAll() {
        for (const session of [...this.byDigest.values()]) this.end(session);
    }
}

module.exports = { Sessions, COOKIE };
