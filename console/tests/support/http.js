// SPDX-License-Identifier: MIT
'use strict';
/** Requests for tests: nothing is followed, nothing is kept. */
const http = require('node:http');
const { io } = require('socket.io-client');

/** @returns {Promise<{status, headers, body: Buffer, text: string, json: function}>} */
function request(url, { method = 'GET', headers = {}, body } = {}) {
    return new Promise((resolve, reject) => {
        const req = http.request(url, { method, headers, agent: false }, (res) => {
            const chunks = [];
            res.on('data', (c) => chunks.push(c));
            res.on('end', () => {
                const data = Buffer.concat(chunks);
                resolve({ status: res.statusCode, headers: res.headers, body: data, text: data.toString(), json: () => JSON.parse(data.toString()) });
            });
            res.on('error', reject);
        });
        req.on('error', reject);
        req.end(body);
    });
}

const form = (user, password) => ({ method: 'POST', headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ user, password }).toString() });

/** Logs in. @returns {Promise<string>} the cookie */
async function login(origin, user, password) {
    const res = await request(`${origin}/login`, form(user, password));
    if (res.status !== 303) throw new Error(`login answered ${res.status}: ${res.text}`);
    return res.headers['set-cookie'][0].split(';')[0];
}

/**
 * A client for the dashboard's socket; it keeps every event that it gets.
 * @returns {{socket, events: any[][], connected: Promise<boolean>, close: function}} connected: false when it is refused
 */
function dashboardSocket(origin, { cookie, transports = ['polling'], headers = {}, path = '/dashboard/socket.io' } = {}) {
    const socket = io(origin, { path, transports, reconnection: false, forceNew: true, timeout: 5000,
        extraHeaders: { ...(cookie ? { Cookie: cookie } : {}), ...headers } });
    const events = [];
    socket.onAny((...event) => events.push(event));
    const connected = new Promise((resolve) => {
        socket.once('connect', () => resolve(true));
        socket.once('connect_error', () => resolve(false));
    });
    return { socket, events, connected, close: () => socket.disconnect() };
}

module.exports = { request, form, login, dashboardSocket };
