// SPDX-License-Identifier: MIT
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { spawnSync } = require('node:child_process');
const { readConfig, ConfigError } = require('../lib/config');
const { tempDir } = require('./support/processes');

const ROOT = path.resolve(__dirname, '..');

test('the environment is checked, and a mistake is said in words', (t) => {
    const dir = tempDir();
    t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
    const good = { FOTA_CONSOLE_DIR: path.join(dir, 'data'), FOTA_CONSOLE_PASSWORD: 'long enough' };
    const config = readConfig(good);
    assert.equal(config.host, '127.0.0.1');
    assert.equal(config.hubUrl, 'http://127.0.0.1:8080');
    assert.equal(config.editor, false);
    assert.equal(readConfig(good).credentialSecret, config.credentialSecret, 'the secret is made once');
    assert.equal(fs.statSync(path.join(dir, 'data', 'credential-secret')).mode & 0o777, 0o600);
    assert.equal(readConfig({ ...good, FOTA_CONSOLE_PASSWORD: '', FOTA_CONSOLE_PASSWORD_HASH: config.passwordHash }).passwordHash, config.passwordHash);
    const file = path.join(dir, 'token');
    fs.writeFileSync(file, 'from a file\n');
    assert.equal(readConfig({ ...good, FOTA_HUB_TOKEN_FILE: file }).hubToken, 'from a file');
    for (const [env, words] of [
        [{ FOTA_CONSOLE_PASSWORD: '' }, /no password is set/], [{ FOTA_CONSOLE_PASSWORD: 'short' }, /has 5 characters/],
        [{ FOTA_CONSOLE_PASSWORD_HASH: 'md5' }, /is not a hash/], [{ FOTA_CONSOLE_PORT: '70000' }, /FOTA_CONSOLE_PORT is "70000"/],
        [{ FOTA_HUB_URL: 'hub:8080' }, /must begin with http:/], [{ FOTA_HUB_URL: 'http://u:p@h' }, /user or a password/],
        [{ FOTA_MQTT_URL: 'http://x' }, /must begin with mqtt:/], [{ FOTA_FLOWS: 'mine' }, /hub or standalone/],
        [{ FOTA_CONSOLE_EDITOR: 'yes' }, /0 or 1/], [{ FOTA_HUB_TOKEN_FILE: dir + '/none' }, /cannot be read: ENOENT/], [{ FOTA_CONSOLE_LOG: 'loud' }, /set it to trace/],
    ]) assert.throws(() => readConfig({ ...good, ...env }), (err) => err instanceof ConfigError && words.test(err.message), JSON.stringify(env));
});

test('a wrong start ends with a sentence, not with a stack', () => {
    const run = spawnSync(process.execPath, [path.join(ROOT, 'bin/fota-console.js')], { env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('FOTA_'))), encoding: 'utf8' });
    assert.equal(run.status, 1);
    assert.match(run.stderr, /^fota-console: no password is set: .*\n$/);
});

test('the flows only wire: every wire ends at a node, and no node holds code', () => {
    const own = JSON.parse(fs.readFileSync(path.join(ROOT, 'nodes/package.json')));
    assert.ok(own['node-red-dashboard-2'].widgets['ui-fota-devices']);
    for (const file of ['flows.json', 'flows-standalone.json']) {
        const flows = JSON.parse(fs.readFileSync(path.join(ROOT, file)));
        const ids = new Map(flows.map((n) => [n.id, n]));
        assert.equal(ids.size, flows.length);
        for (const node of flows) {
            assert.match(node.type, /^(tab|ui-(base|theme|page|group)|fota-[a-z]+|ui-fota-[a-z]+)$/, `${file} ${node.id}`);
            for (const target of (node.wires || []).flat()) assert.ok(ids.has(target), `${file}: ${node.id} → ${target}`);
            for (const name of ['hub', 'broker', 'group', 'ui', 'page', 'theme']) if (node[name]) assert.ok(ids.has(node[name]), `${file}: ${node.id}.${name}`);
        }
        assert.doesNotMatch(JSON.stringify(flows), /token|password|http:\/\//);
    }
});

test('packages are pinned exactly, run on Node 18 and 20, and come from no particular server', () => {
    const lock = JSON.parse(fs.readFileSync(path.join(ROOT, 'package-lock.json')));
    const semver = require('semver');
    for (const manifest of ['package.json', 'nodes/package.json']) {
        const { dependencies, devDependencies } = JSON.parse(fs.readFileSync(path.join(ROOT, manifest)));
        for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) assert.match(version, /^(\d+\.\d+\.\d+|file:nodes)$/, name);
    }
    for (const [name, entry] of Object.entries(lock.packages)) {
        if (entry.resolved) assert.equal(entry.resolved, 'nodes', name);
        for (const node of ['18.19.0', '20.9.0']) if (entry.engines && entry.engines.node) assert.ok(semver.satisfies(node, entry.engines.node), `${name} on Node ${node}`);
    }
});
