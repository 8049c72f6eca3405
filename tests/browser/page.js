// SPDX-License-Identifier: MIT
'use strict';
/**
 * Drives the console's page in a headless Chromium, as a person would: for the browser test and the demo.
 *
 *   const { launch, login, upload, start, waitState } = require('./page');
 *   const browser = await launch();
 *   await login(browser.page, url, user, password);
 *   const release = await upload(browser.page, 'app-1.1.0.fota');
 *   await start(browser.page, { version: release.version, device: 'gw1/board1' });
 *   await waitState(browser.page, 'gw1/board1', ['confirmed'], 60000, (s) => console.log(s.time, s.state));
 *   await browser.close();
 */
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { createRequire } = require('node:module');

// The browser driver is one of the console's development dependencies.
const { chromium } = createRequire(path.resolve(__dirname, '../../console/package.json'))('playwright-core');

const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage'];
const VIEWPORT = { width: 1280, height: 800 };
const POLL_MS = 100;

const byTest = (page, id) => page.locator(`[data-testid="${id}"]`);
/** A device is `gateway/device`, or only the device's name where that is unique on the page. */
const rowOf = (page, device) => page.locator(device.includes('/')
    ? `[data-testid="device-row"][data-device="${device}"]` : `[data-testid="device-row"][data-device$="/${device}"]`);

/**
 * Starts a browser with an empty profile.
 * @param {string} [chromiumPath]  the browser's program; CHROMIUM in the environment, else Debian's
 * @returns {Promise<{page, context, errors: string[], requests: string[], close: function}>} errors: what went wrong in the
 *          page; requests: every address that the page asked for
 */
async function launch(chromiumPath) {
    const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'fota-browser-'));
    const remove = () => fs.rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    let context;
    try {
        context = await chromium.launchPersistentContext(profile, {
            executablePath: chromiumPath || process.env.CHROMIUM || '/usr/bin/chromium',
            headless: true, args: FLAGS, viewport: VIEWPORT, locale: 'en-GB',
        });
    } catch (err) {
        remove();
        throw err;
    }
    const page = context.pages()[0] || (await context.newPage());
    const errors = [];
    const requests = [];
    page.on('pageerror', (err) => errors.push(String(err)));
    page.on('console', (msg) => {
        if (msg.type() === 'error') errors.push(`${msg.text()} (${msg.location().url})`);
    });
    page.on('request', (req) => requests.push(req.url()));
    return {
        page, context, errors, requests,
        async close() {
            await context.close();
            remove();
        },
    };
}

/**
 * Logs in and waits until the page is drawn.
 * @param {string} url  the console's address, as it prints it
 */
async function login(page, url, user, password, timeout = 30000) {
    await page.goto(url, { timeout });
    await byTest(page, 'login-user').fill(user);
    await byTest(page, 'login-password').fill(password);
    await byTest(page, 'login-submit').click();
    const error = byTest(page, 'login-error');
    const devices = byTest(page, 'devices');
    await Promise.race([error, devices].map((l) => l.waitFor({ state: 'visible', timeout })));
    if (await error.isVisible()) throw new Error(`login refused: ${await error.innerText()}`);
    await byTest(page, 'releases').waitFor({ state: 'visible', timeout });
}

/**
 * Uploads a file.
 * @param {string|object} file  a path, or {name, mimeType, buffer}
 * @returns {Promise<{ok: boolean, text: string, version: string, sha256: string, code: string}>} what the page says
 */
async function upload(page, file, timeout = 60000) {
    await byTest(page, 'upload-file').setInputFiles(file);
    await byTest(page, 'upload-button').click();
    const result = byTest(page, 'upload-result');
    await result.waitFor({ state: 'visible', timeout });
    const attr = async (name) => (await result.getAttribute(name)) || '';
    const answer = { ok: (await attr('data-ok')) === 'true', text: await result.innerText(), version: await attr('data-version'),
        sha256: await attr('data-sha256'), code: await attr('data-code') };
    if (answer.ok) await page.locator(`[data-testid="release-row"][data-sha256="${answer.sha256}"]`).waitFor({ timeout: 15000 });
    return answer;
}

async function choose(page, device, timeout = 30000) {
    const row = rowOf(page, device);
    await row.waitFor({ state: 'visible', timeout });
    await row.click();
    return row;
}

/** Waits for the page's answer to a button. @returns {Promise<{ok: boolean, text: string}>} */
async function answer(page, timeout) {
    const message = byTest(page, 'device-message');
    await message.waitFor({ state: 'visible', timeout });
    return { ok: (await message.getAttribute('data-ok')) === 'true', text: await message.innerText() };
}

/**
 * Starts an update.
 * @param {{device: string, version?: string, sha256?: string, retry?: boolean}} what  the release by digest, or the newest of a version
 * @returns {Promise<{ok: boolean, text: string}>} what the page says
 */
async function start(page, { device, version, sha256, retry = false }, timeout = 30000) {
    await choose(page, device, timeout);
    const row = page.locator(sha256 ? `[data-testid="release-row"][data-sha256="${sha256}"]` : `[data-testid="release-row"][data-version="${version}"]`).first();
    await row.waitFor({ timeout });
    await byTest(page, 'release-select').selectOption(await row.getAttribute('data-sha256'));
    await byTest(page, 'retry').setChecked(retry);
    await byTest(page, 'start-button').click({ timeout });
    return answer(page, timeout);
}

/** Cancels the device's update. @returns {Promise<{ok: boolean, text: string}>} what the page says */
async function cancel(page, device, timeout = 30000) {
    await choose(page, device, timeout);
    await byTest(page, 'cancel-button').click({ timeout });
    return answer(page, timeout);
}

/** @returns {Promise<object|null>} what the page shows of a device */
async function deviceState(page, device) {
    return rowOf(page, device).first().evaluate((row) => {
        const { device: key, state, percent, version, slot, online, job, reason, target, trail } = row.dataset;
        const text = row.querySelector('[data-testid="outcome"], [data-testid="progress-text"]');
        return { key, state, percent: percent === undefined ? null : Number(percent), version, slot, online: online === 'true', job, reason,
            target, trail: JSON.parse(trail), text: text ? text.innerText : '' };
    }, null, { timeout: 2000 }).catch(() => null);
}

/**
 * Waits until the page shows one of some states.
 * @param {string} device    `gateway/device`
 * @param {string[]} states  which states end the waiting
 * @param {number} timeout   in ms
 * @param {function} [onState]  called with {time, state, job, percent, version, slot, reason, text} for every state that the page
 *        shows, in order, also those that passed between two looks
 * @param {{job?: string, notJob?: string, progress?: boolean}} [options]  only of this job; not of that one (the last update's);
 *        progress: also call onState when the percentage changes
 * @returns {Promise<object>} what the page shows in the end; throws after the timeout
 */
async function waitState(page, device, states, timeout, onState = () => {}, options = {}) {
    const end = Date.now() + timeout;
    const told = new Set();
    let percent = null;
    let seen = null;
    for (;;) {
        const now = await deviceState(page, device);
        const counts = now && (!options.job || now.job === options.job) && (!options.notJob || now.job !== options.notJob);
        if (counts) {
            seen = now;
            for (const { state, time } of now.trail) {
                const key = `${now.job} ${state} ${time}`;
                if (told.has(key)) continue;
                told.add(key);
                percent = null;
                onState({ ...now, state, time, percent: state === now.state ? now.percent : null, text: state === now.state ? now.text : '' });
            }
            if (options.progress && now.percent !== null && now.percent !== percent) {
                percent = now.percent;
                onState({ ...now, time: new Date().toISOString(), progress: true });
            }
            if (states.includes(now.state)) return now;
        }
        if (Date.now() > end) {
            throw new Error(`${device} did not become ${states.join(' or ')} within ${timeout / 1000} s; the page shows ${seen ? `${seen.state} ${seen.text}` : 'nothing of it'}`);
        }
        await page.waitForTimeout(POLL_MS);
    }
}

/** @returns {Promise<object[]>} the rows of the history of the chosen device: {state, job, text} */
async function history(page) {
    return byTest(page, 'history-row').evaluateAll((rows) => rows.map((r) => ({ state: r.dataset.state, job: r.dataset.job, text: r.innerText })));
}

/** Saves a picture of what is visible, or of the whole page. */
async function screenshot(page, file, { full = false } = {}) {
    if (!full) {
        await page.screenshot({ path: file });
        return;
    }
    // The dashboard scrolls inside the window, so a full picture needs a window as high as the page.
    const height = await page.evaluate(() => {
        const inside = [...document.querySelectorAll('main, .v-main, .nrdb-layout--grid')].map((e) => e.getBoundingClientRect().top + e.scrollHeight);
        return Math.ceil(Math.max(document.documentElement.scrollHeight, ...inside));
    });
    await page.setViewportSize({ width: VIEWPORT.width, height: Math.min(Math.max(height, VIEWPORT.height), 4000) });
    await page.waitForTimeout(300);
    await page.screenshot({ path: file });
    await page.setViewportSize(VIEWPORT);
}

/** From now on the page notes when it shows what: {device, state, percent, time in ms} for every change of a row. */
async function noteChanges(page) {
    await page.evaluate(() => {
        window.fotaChanges = [];
        const note = (row) => window.fotaChanges.push({ device: row.dataset.device, state: row.dataset.state, percent: Number(row.dataset.percent), time: Date.now() });
        new MutationObserver((changes) => {
            const rows = new Set(changes.map((c) => c.target.closest && c.target.closest('[data-testid="device-row"]')).filter(Boolean));
            rows.forEach(note);
        }).observe(document.body, { subtree: true, attributes: true, attributeFilter: ['data-percent', 'data-state'] });
    });
}

/** @returns {Promise<object[]>} what noteChanges() noted so far */
async function changes(page) {
    return page.evaluate(() => window.fotaChanges);
}

module.exports = { noteChanges, changes, launch, login, upload, choose, start, cancel, deviceState, waitState, history, screenshot };
