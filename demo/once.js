// SPDX-License-Identifier: MIT
'use strict';
/**
 * What a person would do with the page, by a headless browser: one update after the other. Prints every state with its time.
 * usage: once.js '{"url", "user", "password", "folder", "picture", "steps": [{"device", "file", "wanted", "version", "says"}]}'
 * wanted: the state in the end; version: what the page shows then; says: a part of what it says.
 */
const path = require('node:path');
const { launch, login, upload, start, waitState, screenshot } = require('../tests/browser/page');

const LIMIT_MS = 120000;

async function update(page, job, { device, file, wanted, version, says = '' }) {
    await waitState(page, device, ['idle', 'confirmed', 'rolled-back'], 30000);
    const release = await upload(page, file);
    if (!release.ok) throw new Error(`the page did not take ${path.basename(file)}: ${release.text}`);
    const begun = Date.now();
    const before = await page.locator(`[data-testid="device-row"][data-device="${device}"]`).getAttribute('data-job');
    const said = await start(page, { device, sha256: release.sha256 });
    if (!said.ok) throw new Error(`the page did not start ${release.version}: ${said.text}`);
    const seen = [];
    let picture = job.picture;
    job.picture = '';
    const end = await waitState(page, device, ['confirmed', 'rolled-back', 'failed'], LIMIT_MS, async (s) => {
        if (picture && s.state === 'write' && s.percent >= 40) {
            const file = picture;
            picture = '';
            await screenshot(page, file);
        }
        if (seen[seen.length - 1] !== s.state) {
            seen.push(s.state);
            console.log(`  ${((Date.now() - begun) / 1000).toFixed(1).padStart(6)} s  ${release.version}  ${s.state}` +
                `${s.reason ? `  (${s.reason})` : ''}`);
        }
    }, { notJob: before || undefined, progress: Boolean(picture) });
    if (end.state !== wanted) throw new Error(`${release.version} ended as ${end.state} (${end.text}) instead of ${wanted}`);
    for (const state of ['download', 'write', 'verify', 'jump']) {
        if (!seen.includes(state)) console.log(`          (${state} passed between two looks)`);
    }
    if (end.version !== version) throw new Error(`the page shows version ${end.version} on ${device}, it should be ${version}`);
    if (!end.text.includes(says)) throw new Error(`the page says "${end.text}" of ${device}, without "${says}"`);
    await screenshot(page, path.join(job.folder, `${end.state}.png`));
}

async function main() {
    const job = JSON.parse(process.argv[2]);
    const browser = await launch();
    const { page } = browser;
    try {
        await login(page, job.url, job.user, job.password);
        for (const step of job.steps) {
            if (job.steps.some((other) => other.device !== step.device)) console.log(`  ${step.device}`);
            await update(page, job, step);
        }
        if (browser.errors.length > 0) throw new Error(`errors in the page:\n${browser.errors.join('\n')}`);
        console.log(`  screenshots: ${path.join(job.folder, 'confirmed.png')}, rolled-back.png`);
    } catch (err) {
        await screenshot(page, path.join(job.folder, 'failed.png')).catch(() => {});
        throw err;
    } finally {
        await browser.close();
    }
}

main().catch((err) => {
    console.error(`page: ${err.message}`);
    process.exit(1);
});
