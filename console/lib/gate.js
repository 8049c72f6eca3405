// SPDX-License-Identifier: MIT
'use strict';
/**
 * The gate: every request and every upgrade of the console's server passes here before Express, socket.io
 * or Node-RED's editor sees it. Without a session there is nothing to talk to but the login page.
 *
 * It sits on the server's `emit`, because socket.io puts its own listener before everyone else's: a gate in
 * Express would not see the dashboard's socket.
 */
const crypto = require('node:crypto');
const { checkPassword } = require('./password');
const { Sessions, COOKIE } = require('./sessions');
const { Limiter } = require('./limiter');
const { loginPage, CSP } = require('./login-page');

const MAX_FORM = 4096;
const FORM_TIMEOUT_MS = 10 * 1000;
/** Each scrypt takes 32 MiB for its time: more than these at once are turned away. */
const MAX_LOGINS_AT_ONCE = 4;
/** A package in the standalone flow, for gateways: whoever knows the digest may fetch it, nobody can list them. */
const PACKAGE_PATH = /^\/fota\/packages\/[0-9a-f]{64}\.fota$/;
/** What the dashboard needs to run: its own files, its templates compiled in the page, its socket. Nothing from elsewhere. */
const DASHBOARD_CSP = "default-src 'self'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; " +
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'self'; " +
    "form-action 'self'; frame-ancestors 'none'";

class Gate {
    /**
     * @param {object} options
     * @param {string} options.user, options.passwordHash  who may come in
     * @param {number} options.sessionMs      how long a session lasts
     * @param {string} options.home           where a login leads to
     * @param {string} [options.publicUrl]    the address that browsers use, where a proxy stands in front
     * @param {string} [options.editorRoot]   the editor's path when it is enabled: it needs a wider content policy
     */
    constructor(options) {
        this.options = options;
        this.publicOrigin = options.publicUrl ? new URL(options.publicUrl).origin : '';
        this.secure = this.publicOrigin.startsWith('https:');
        this.sessions = new Sessions(options.sessionMs);
        this.limiter = new Limiter();
        this.logins = 0;
    }

    /** Puts the gate before everything that listens on `server`, now or later. */
    guard(server) {
        const emit = server.emit;
        const gate = this;
        server.emit = function (event, ...args) {
            if (event === 'request' || event === 'checkContinue' || event === 'checkExpectation') {
                return gate.request(args[0], args[1]) || emit.call(this, event, ...args);
            }
            if (event === 'upgrade' || event === 'connect') {
                return gate.upgrade(args[0], args[1]) || emit.call(this, event, ...args);
            }
            return emit.call(this, event, ...args);
        };
    }

    /** @returns {boolean} true when the request has been answered here */
    request(req, res) {
        const path = req.url.split('?')[0];
        res.setHeader('X-Content-Type-Options', 'nosniff');
        res.setHeader('X-Frame-Options', 'DENY');
        res.setHeader('Referrer-Policy', 'same-origin');
        if ((req.method === 'GET' || req.method === 'HEAD') && PACKAGE_PATH.test(req.url)) return false;
        if (!this.sameOrigin(req)) return this.refuse(req, res, 403, 'this request comes from another site');

        if (path === '/login') {
            if (req.method === 'POST') this.login(req, res);
            else if (this.sessions.fromRequest(req)) this.redirect(res, this.options.home);
            else this.page(res, 200, '');
            return true;
        }
        const session = this.sessions.fromRequest(req);
        if (!session) return this.refuse(req, res, 401, 'log in first', true);
        req.fotaSession = session;

        if (path === '/logout' && req.method === 'POST') {
            this.setCookie(res, '', 0);
            this.redirect(res, '/login');
            // After the answer has left: this connection may itself belong to the session.
            res.once('close', () => this.sessions.end(session));
            return true;
        }
        if (path === '/session') {
            this.json(res, 200, { user: session.user, expires: new Date(session.expires).toISOString() });
            return true;
        }
        // An offline copy of the page would outlive the session, so the dashboard's service worker is not served.
        if (path.endsWith('/sw.js')) return this.refuse(req, res, 404, 'no service worker');
        if (path === '/') {
            this.redirect(res, this.options.home);
            return true;
        }
        const inEditor = this.options.editorRoot && (path + '/').startsWith(this.options.editorRoot + '/');
        if (!inEditor) res.setHeader('Content-Security-Policy', DASHBOARD_CSP);
        if (!/\/assets\/|\/resources\//.test(path)) res.setHeader('Cache-Control', 'no-store');
        return false;
    }

    /** @returns {boolean} true when the upgrade has been refused here */
    upgrade(req, socket) {
        const session = this.sameOrigin(req) && this.sessions.fromRequest(req);
        if (!session) {
            socket.end('HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
            return true;
        }
        req.fotaSession = session;
        this.sessions.attach(session, socket);
        return false;
    }

    /**
     * Browsers say where a request with side effects, or a WebSocket, comes from. The cookie is SameSite=Strict, but
     * to a browser every port of one host is the same site.
     */
    sameOrigin(req) {
        const origin = req.headers.origin;
        if (origin === undefined) return true;
        if (this.publicOrigin && origin === this.publicOrigin) return true;
        return origin === 'http://' + req.headers.host;
    }

    async login(req, res) {
        const address = req.socket.remoteAddress || '';
        const wait = this.limiter.wait(address);
        if (wait > 0) {
            req.resume();
            const seconds = Math.ceil(wait / 1000);
            res.setHeader('Retry-After', String(seconds));
            this.page(res, 429, `Too many failed logins. Wait ${seconds} s, then try again.`);
            return;
        }
        if (this.logins >= MAX_LOGINS_AT_ONCE) {
            req.resume();
            res.setHeader('Retry-After', '2');
            this.page(res, 503, 'Too many logins at once. Try again in a moment.');
            return;
        }
        this.logins++;
        try {
            const form = await readForm(req);
            if (!form) {
                this.page(res, 400, 'That was not a login form.');
                return;
            }
            // Charged before it is checked, so that many tries at once count as many.
            this.limiter.failed(address);
            if (!(await this.check(form.get('user') || '', form.get('password') || ''))) {
                this.page(res, 401, 'User or password is wrong.');
                return;
            }
            this.limiter.succeeded(address);
            const old = this.sessions.fromRequest(req);
            if (old) this.sessions.end(old);
            this.setCookie(res, this.sessions.create(this.options.user), Math.floor(this.sessions.lifetimeMs / 1000));
            this.redirect(res, this.options.home);
        } catch {
            if (!res.headersSent) this.page(res, 400, 'The login form did not arrive. Try again.');
        } finally {
            this.logins--;
        }
    }

    /** Checks user and password; takes as long for a wrong user as for a wrong password. */
    async check(user, password) {
        const hash = (s) => crypto.createHash('sha256').update(s).digest();
        const userOk = crypto.timingSafeEqual(hash(user), hash(this.options.user));
        const passwordOk = password.length <= 256 && (await checkPassword(password, this.options.passwordHash));
        return userOk && passwordOk;
    }

    /** For Node-RED's own hooks (http in nodes, dashboard): a second lock behind the gate. */
    middleware() {
        return (req, res, next) => {
            if (this.sessions.fromRequest(req)) next();
            else this.refuse(req, res, 401, 'log in first');
        };
    }

    /** For socket.io: the same for the dashboard's socket. */
    ioMiddleware() {
        return (socket, next) => {
            const session = this.sameOrigin(socket.request) && this.sessions.fromRequest(socket.request);
            if (!session) {
                next(new Error('log in first'));
                return;
            }
            // Over long polling there is no socket of its own to destroy when the session ends.
            this.sessions.attach(session, { destroy: () => socket.disconnect(true), once: (event, fn) => socket.once('disconnect', fn) });
            next();
        };
    }

    refuse(req, res, status, message, toLogin = false) {
        req.resume();
        const wantsPage = req.method === 'GET' && /text\/html/.test(req.headers.accept || '');
        if (toLogin && wantsPage) this.redirect(res, '/login');
        else this.json(res, status, { error: { code: status === 401 ? 'unauthorized' : 'forbidden', message } });
        return true;
    }

    setCookie(res, value, seconds) {
        res.setHeader('Set-Cookie', `${COOKIE}=${value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${seconds}${this.secure ? '; Secure' : ''}`);
    }

    redirect(res, to) {
        res.writeHead(303, { Location: to, 'Cache-Control': 'no-store' });
        res.end();
    }

    json(res, status, body) {
        res.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
        res.end(JSON.stringify(body));
    }

    page(res, status, error) {
        res.writeHead(status, { 'Content-Type': 'text/html; charset=utf-8', 'Cache-Control': 'no-store', 'Content-Security-Policy': CSP });
        res.end(loginPage(error));
    }
}

function readForm(req) {
    return new Promise((resolve, reject) => {
        if (!/^application\/x-www-form-urlencoded/.test(req.headers['content-type'] || '')) {
            req.resume();
            resolve(null);
            return;
        }
        let body = '';
        const timer = setTimeout(() => req.destroy(new Error('too slow')), FORM_TIMEOUT_MS);
        req.setEncoding('utf8');
        req.on('data', (chunk) => {
            body += chunk;
            if (body.length > MAX_FORM) req.destroy(new Error('too large'));
        });
        req.on('end', () => resolve(new URLSearchParams(body)));
        req.on('close', () => {
            clearTimeout(timer);
            reject(new Error('closed'));
        });
        req.on('error', reject);
    });
}

module.exports = { Gate, PACKAGE_PATH };
