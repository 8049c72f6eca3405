// SPDX-License-Identifier: MIT
'use strict';
/**
 * A thousand devices that each report progress once a second, over a real broker, to the real hub and console, with the page open in headless
 * Chromium. Prints a line `name value unit` for each figure: what the hub costs, and how soon the page shows what a device said.
 *
 *   node bench/fleet.js BUILD [DEVICES] [SECONDS] [PICTURE]
 */
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const ROOT = path.resolve(__dirname, '..');
const SUPPORT = path.join(ROOT, 'console/tests/support');
const { startBroker, startConsole, child, until, tempDir } = require(path.join(SUPPORT, 'processes'));
const { Gateway } = require(path.join(SUPPORT, 'gateway'));
const page = require(path.join(ROOT, 'tests/browser/page'));

const BUILD = path.resolve(process.argv[2] || 'build');
const DEVICES = Number(process.argv[3] || 1000);
const SECONDS = Number(process.argv[4] || 30);
const PICTURE = process.argv[5];
const A_GATEWAY = 50;
const ROWS = 100; // that the page shows at a time
const TICKS = 100; // a second, of /proc/PID/stat

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const nth = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];

/** @returns {number} seconds of CPU that a process has used */
function cpu(pid) {
    const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

async function main() {
    const dir = tempDir();
    const ends = [() => fs.rmSync(dir, { recursive: true, force: true })];
    try {
        execFileSync(path.join(BUILD, 'cli/fota'), ['keygen', '-o', path.join(dir, 'dev')], { stdio: 'pipe' });
        const hubProgram = path.join(BUILD, 'hub/fota-hub');
        const token = execFileSync(hubProgram, ['token', 'add', '--data', path.join(dir, 'hub'), '--role', 'operator', '--name', 'console'], { encoding: 'utf8' }).trim();
        const broker = await startBroker();
        ends.push(broker.stop);
        const portFile = path.join(dir, 'port');
        const hub = child(hubProgram, ['--data', path.join(dir, 'hub'), '--listen', '127.0.0.1:0', '--port-file', portFile, '--mqtt', `127.0.0.1:${broker.port}`,
            '--key', path.join(dir, 'dev.pub.pem')]);
        ends.push(hub.stop);
        await until(() => hub.alive() && fs.existsSync(portFile), 'the hub to listen');
        const console_ = await startConsole({ FOTA_HUB_URL: `http://127.0.0.1:${fs.readFileSync(portFile, 'utf8').trim()}`, FOTA_HUB_TOKEN: token, FOTA_MQTT_URL: broker.url });
        ends.push(console_.stop);

        const devices = [];
        for (let g = 0; g * A_GATEWAY < DEVICES; g++) {
            const names = Array.from({ length: Math.min(A_GATEWAY, DEVICES - g * A_GATEWAY) }, (_, i) => `board${String(i + 1).padStart(2, '0')}`);
            const gateway = await Gateway.start(broker.url, `gw${String(g + 1).padStart(2, '0')}`, names);
            ends.push(() => gateway.stop());
            for (const name of names) {
                devices.push({ gateway, name, key: `${gateway.name}/${name}`, percent: 0, sent: new Map() });
                await gateway.state(name, 'write', { job: `job-${name}`, target: { version: '1.1.0' } });
            }
        }
        const browser = await page.launch();
        ends.push(browser.close);
        const opened = Date.now();
        await page.login(browser.page, console_.url, console_.user, console_.password);
        await until(async () => (await browser.page.locator('[data-testid="device-row"]').count()) === Math.min(devices.length, ROWS)
            && (await browser.page.locator('[data-testid="show-all"] span').innerText()) === String(devices.length), 'the page to show the devices', 60000);
        console.log(`page_open_${DEVICES} ${((Date.now() - opened) / 1000).toFixed(2)} s`);

        // each device once a second, spread over it
        let going = true;
        const load = (async () => {
            const begun = Date.now();
            for (let n = 0; going; n++) {
                const d = devices[n % devices.length];
                const due = begun + (n * 1000) / devices.length;
                if (due > Date.now()) await sleep(due - Date.now());
                d.percent = 1 + (Math.floor(n / devices.length) % 99);
                d.sent.set(d.percent, Date.now());
                d.gateway.progress(d.name, `job-${d.name}`, 'write', d.percent).catch(() => {});
            }
        })();
        await sleep(3000);
        await page.noteChanges(browser.page);
        const before = { hub: cpu(hub.process.pid), time: Date.now() };
        await sleep(SECONDS * 1000);
        const seconds = (Date.now() - before.time) / 1000;
        const hubShare = (100 * (cpu(hub.process.pid) - before.hub)) / seconds;
        const shown = await page.changes(browser.page);
        if (PICTURE) await page.screenshot(browser.page, PICTURE);
        going = false;
        await load;

        const of = new Map(devices.map((d) => [d.key, d]));
        const delays = shown.map((c) => c.time - (of.get(c.device) || { sent: new Map() }).sent.get(c.percent)).filter((ms) => ms >= 0).sort((a, b) => a - b);
        const rows = new Set(shown.map((c) => c.device)).size;
        if (rows < Math.min(devices.length, ROWS)) throw new Error(`only ${rows} rows moved`);
        console.log(`hub_cpu_${DEVICES}_at_1hz ${hubShare.toFixed(1)} %`);
        console.log(`page_delay_${DEVICES}_median ${nth(delays, 0.5)} ms`);
        console.log(`page_delay_${DEVICES}_p99 ${nth(delays, 0.99)} ms`);
        console.log(`page_delay_${DEVICES}_worst ${delays[delays.length - 1]} ms`);
        console.log(`page_changes_shown ${(delays.length / seconds).toFixed(0)} /s`);
        if (browser.errors.length > 0) throw new Error(`errors in the page:\n${browser.errors.join('\n')}`);
    } finally {
        for (const end of ends.reverse()) await end();
    }
}

main().catch((err) => {
    console.error(err.stack || err);
    process.exitCode = 1;
});
