// SPDX-License-Identifier: MIT
'use strict';
/** Watches the page, touching nothing but its login, until the device runs the version that was put into the bucket. */
const path = require('node:path');
const { launch, login, waitState, screenshot } = require('../tests/browser/page');

const LIMIT_MS = 120000;

async function main() {
    const job = JSON.parse(process.argv[2]);
    const browser = await launch();
    const { page } = browser;
    try {
        await login(page, job.url, job.user, job.password);
        await waitState(page, job.device, ['idle'], 30000);
        console.log('watching'); // now the release may be published
        const begun = Date.now();
        const seen = [];
        const end = await waitState(page, job.device, ['confirmed', 'rolled-back', 'failed'], LIMIT_MS, async (s) => {
            if (seen[seen.length - 1] !== s.state) {
                seen.push(s.state);
                console.log(`  ${((Date.now() - begun) / 1000).toFixed(1).padStart(6)} s  the page shows ${s.state}`);
            }
        }, {});
        await screenshot(page, path.join(job.folder, 'channel.png'));
        if (end.state !== 'confirmed' || end.version !== job.version) {
            throw new Error(`the page shows ${end.state}, version ${end.version} (${end.text}); it should be confirmed, ${job.version}`);
        }
        if (browser.errors.length > 0) throw new Error(`errors in the page:\n${browser.errors.join('\n')}`);
    } finally {
        await browser.close();
    }
}

main().catch((err) => {
    console.error(err.message);
    process.exit(1);
});
