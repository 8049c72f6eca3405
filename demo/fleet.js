// SPDX-License-Identifier: MIT
'use strict';
/** Looks at the page while a fleet is updated: saves a picture in the middle of it, and says how long after the hub heard a state the page showed it. */
const { launch, login, noteChanges, changes, screenshot } = require('../tests/browser/page');

const ROWS = 100; // that the page shows at a time

async function main() {
    const job = JSON.parse(process.argv[2]);
    const browser = await launch();
    const { page } = browser;
    const rows = page.locator('[data-testid="device-row"]');
    const count = (state) => page.locator(`[data-testid="device-row"][data-state="${state}"]`).count();
    const shown = Math.min(job.devices, ROWS);
    try {
        await login(page, job.url, job.user, job.password);
        await page.waitForFunction((n) => document.querySelectorAll('[data-testid="device-row"]').length === n, shown);
        await noteChanges(page);
        for (let pictured = false, end = Date.now() + 600000; (await count('confirmed')) < shown; await page.waitForTimeout(500)) {
            if (Date.now() > end) throw new Error(`only ${await count('confirmed')} of ${shown} rows are confirmed`);
            if (!pictured && (await count('confirmed')) >= shown / 3 && (await count('write')) > 0) {
                pictured = true;
                await screenshot(page, job.picture);
            }
        }
        const updated = new Map(await rows.evaluateAll((all) => all.map((r) => [r.dataset.device, JSON.parse(r.dataset.trail)])));
        const delays = [];
        const told = new Set();
        for (const c of await changes(page)) {
            const step = (updated.get(c.device) || []).find((t) => t.state === c.state);
            if (!step || told.has(`${c.device} ${c.state}`)) continue;
            told.add(`${c.device} ${c.state}`);
            delays.push(c.time - Date.parse(step.time));
        }
        delays.sort((a, b) => a - b);
        console.log(`  the page showed ${delays.length} changes of state, half of them within ${delays[Math.floor(delays.length / 2)]} ms, ` +
            `99 % within ${delays[Math.floor(delays.length * 0.99)]} ms of the gateway's own clock`);
        if (browser.errors.length > 0) throw new Error(`errors in the page:\n${browser.errors.join('\n')}`);
    } finally {
        await browser.close();
    }
}

main().catch((err) => {
    console.error(err.message);
    process.exitCode = 1;
});
