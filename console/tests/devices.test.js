// SPDX-License-Identifier: MIT
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const { DeviceTable } = require('../nodes/lib/device-table');
const { Views, INTERVAL_MS, PAGE_ROWS } = require('../nodes/lib/views');

const state = (seq, more = {}) => Buffer.from(JSON.stringify({ v: 1, seq, time: `2026-11-21T04:00:00.${String(seq).padStart(3, '0')}Z`, state: 'idle', version: '1.0.0', slot: 'A', confirmed: true, job: '', ...more }));
const json = (o) => Buffer.from(JSON.stringify(o));
const row = (table, key = 'gw1/b1') => table.page({ limit: 100 }).rows.find((r) => r.key === key);

function live() {
    const table = new DeviceTable();
    table.live = true;
    return table;
}

test('only a newer word about a device counts', () => {
    const table = live();
    assert.equal(table.message('fota/v1/gw1/b1/state', state(5, { state: 'write', job: 'j' })), true);
    assert.equal(table.message('fota/v1/gw1/b1/state', state(5, { state: 'verify', job: 'j' })), false);
    assert.equal(table.message('fota/v1/gw1/b1/state', state(4, { state: 'idle' })), false);
    assert.equal(row(table).state, 'write');
});

test('progress belongs to its job and its state', () => {
    const table = live();
    table.message('fota/v1/gw1/b1/state', state(1, { state: 'write', job: 'j' }));
    const progress = (seq, more) => table.message('fota/v1/gw1/b1/progress', json({ v: 1, seq, job: 'j', state: 'write', percent: 42, bytes: 1, total: 2, rate: 3, ...more }));
    assert.equal(progress(2), true);
    assert.equal(row(table).percent, 42);
    assert.equal(progress(3, { job: 'old' }), false);
    assert.equal(progress(4, { state: 'download' }), false);
    assert.equal(progress(5, { percent: 1e9 }), true);
    assert.equal(row(table).percent, 100);
    assert.equal(progress(6, { percent: 'x', bytes: -1 }), true);
    assert.deepEqual([row(table).percent, row(table).bytes], [null, null]);
    progress(7);
    table.message('fota/v1/gw1/b1/state', state(8, { state: 'verify', job: 'j' }));
    assert.equal(row(table).percent, null, 'a new state begins at nothing');
});

test('the trail keeps every state of a job, and starts anew with the next', () => {
    const table = live();
    ['download', 'write', 'verify', 'jump', 'confirmed'].forEach((s, i) => table.message('fota/v1/gw1/b1/state', state(i + 1, { state: s, job: 'j1' })));
    assert.deepEqual(row(table).trail.map((t) => t.state), ['download', 'write', 'verify', 'jump', 'confirmed']);
    table.message('fota/v1/gw1/b1/state', state(10, { state: 'download', job: 'j2' }));
    assert.deepEqual(row(table).trail.map((t) => t.state), ['download']);
    for (let i = 0; i < 100; i++) table.message('fota/v1/gw1/b1/state', state(20 + i, { state: i % 2 ? 'write' : 'download', job: 'j2' }));
    assert.ok(row(table).trail.length <= 16);
});

test('where a fault was is taken over as addresses only', () => {
    const table = live();
    const told = (seq, fault) => { table.message('fota/v1/gw1/b1/state', state(seq, { info: { fault } })); return row(table).fault; };
    assert.deepEqual(told(1, { pc: '0x08060932', lr: '0x08060567', more: 1 }), { pc: '0x08060932', lr: '0x08060567' });
    assert.equal(told(2, undefined), null);
    [null, 7, {}, { pc: '0x08060932' }, { pc: '<b>', lr: '0x08060567' }, { pc: '0x080609321', lr: '0x08060567' }].forEach((bad, i) => assert.equal(told(3 + i, bad), null));
});

test('what is not in the contract is ignored', () => {
    const table = live();
    for (const [topic, payload] of [
        ['fota/v1/gw1/b1/state', Buffer.from('{')], ['fota/v1/gw1/b1/state', Buffer.from('null')], ['fota/v1/gw1/b1/state', state(1, { v: 2 })],
        ['fota/v1/gw1/b1/state', state(1, { state: 'exploded' })], ['fota/v1/gw1/b1/state', state('x')], ['fota/v1/gw1/b1/state', state(1, { detail: 'x'.repeat(5000) })],
        ['fota/v1/gw1/b 1/state', state(1)], ['fota/v1/gw1/cmd/state', state(1)], [`fota/v1/gw1/${'b'.repeat(33)}/state`, state(1)], ['fota/v2/gw1/b1/state', state(1)],
        ['fota/v1/gw1/b1/state/x', state(1)], ['fota/v1/gw1/__proto__x/other', state(1)], ['', state(1)],
    ]) assert.equal(table.message(topic, payload), false, topic);
    assert.equal(table.devices.size, 0);
});

test('presence: devices appear, the last will counts though its number is old, an old online does not', () => {
    const table = live();
    const presence = (seq, online, devices) => table.message('fota/v1/gw1/presence', json({ v: 1, seq, online, ...(devices ? { devices } : {}) }));
    presence(100, true, ['b1', 'bad name', 7]);
    assert.equal(row(table).online, true);
    assert.equal(table.devices.size, 1);
    presence(90, false);
    assert.equal(row(table).online, false);
    presence(200, true);
    assert.equal(row(table).online, true);
    assert.equal(presence(150, true), false);
});

test('channels that gateways watch: bounded, the newest word, those with a problem first', () => {
    const table = live();
    const say = (gateway, seq, channels) => table.message(`fota/v1/${gateway}/channels`, json({ v: 1, seq, channels }));
    assert.equal(say('gw1', 5, [{ channel: 'stable', sequence: 7, version: '1.2.3', expiry: '2026-12-21T04:00:00.000Z', polled: '2026-11-21T04:00:00.000Z', problem: '' }, null, 7]), true);
    assert.equal(say('gw1', 4, []), false);
    assert.equal(say('gw1', 6, 'x'), false);
    assert.equal(say('gw2', 1, [{ channel: 'beta', problem: 'status 403', sequence: 'x' }]), true);
    const { channels } = table.page({ limit: 100 });
    assert.deepEqual(channels.map((c) => [c.gateway, c.channel, c.sequence, c.problem]), [['gw2', 'beta', null, 'status 403'], ['gw1', 'stable', 7, '']]);
    say('gw3', 1, Array.from({ length: 100 }, () => ({ channel: 'c' })));
    assert.ok(table.page({ limit: 100 }).channels.length <= 18);
});

test("the hub's list fills in, and gives way to the gateways' own words while they are heard", () => {
    const table = live();
    table.message('fota/v1/gw1/presence', json({ v: 1, seq: 1, online: true }));
    table.message('fota/v1/gw1/b1/state', state(5, { state: 'write', job: 'j' }));
    const list = [{ gateway: 'gw1', device: 'b1', online: false, state: 'idle', version: '0.9.0' }, { gateway: 'gw2', device: 'b2', online: true, state: 'failed', reason: 'stalled', version: '1.0.0' },
        { gateway: '../x', device: 'b3', state: 'idle' }, null, { gateway: 'gw2', device: 'b4', state: 'nonsense' }];
    table.snapshot(list);
    assert.equal(row(table).state, 'write');
    assert.equal(row(table).online, true);
    assert.deepEqual([row(table, 'gw2/b2').state, row(table, 'gw2/b2').online], ['failed', true]);
    assert.equal(table.devices.size, 2);
    table.live = false;
    table.snapshot(list);
    assert.deepEqual([row(table).state, row(table).version, row(table).online], ['idle', '0.9.0', false]);
    table.snapshot([]);
    assert.equal(row(table, 'gw2/b2'), undefined, 'a device that nobody knows any more goes');
});

test('a page has at most its rows, and filters by name, version, state and kind', () => {
    const table = live();
    for (let i = 0; i < 1000; i++) table.message(`fota/v1/gw1/d${String(i).padStart(4, '0')}/state`, state(1, { state: i % 10 === 0 ? 'write' : 'idle', job: i % 10 === 0 ? 'j' : '', version: i === 77 ? '9.9.9' : '1.0.0' }));
    const first = table.page({ limit: PAGE_ROWS });
    assert.deepEqual([first.rows.length, first.matched, first.rows[0].device], [100, 1000, 'd0000']);
    assert.deepEqual(first.counts, { all: 1000, active: 100, failed: 0, offline: 1000 });
    assert.equal(table.page({ limit: PAGE_ROWS, offset: 900 }).rows[99].device, 'd0999');
    assert.equal(table.page({ limit: PAGE_ROWS, offset: 5000 }).offset, 0);
    assert.equal(table.page({ limit: PAGE_ROWS, show: 'active' }).matched, 100);
    assert.deepEqual(table.page({ limit: PAGE_ROWS, filter: '9.9.9' }).rows.map((r) => r.device), ['d0077']);
    assert.deepEqual(table.page({ limit: PAGE_ROWS, filter: 'D0042' }).rows.map((r) => r.device), ['d0042']);
});

test('a page is told at most twice a second, at once after a pause, and only what changed', async () => {
    let value = 0;
    const sent = [];
    const views = new Views(() => ({ value }), (id, content) => {
        sent.push([id, content.value, Date.now()]);
        setTimeout(() => views.set(id, { drawn: true }), 5);
    });
    views.set('one', {});
    assert.equal(sent.length, 1);
    const begin = Date.now();
    while (Date.now() - begin < 1600) {
        value++;
        views.touch();
        await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS + 50));
    const times = sent.slice(1).map((s) => s[2]);
    assert.ok(times.length >= 3 && times.length <= 6, `${times.length} messages`);
    for (let i = 1; i < times.length; i++) assert.ok(times[i] - times[i - 1] >= INTERVAL_MS - 20);
    assert.equal(sent[sent.length - 1][1], value, 'the last value is told');
    const before = sent.length;
    views.touch();
    await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS + 50));
    assert.equal(sent.length, before, 'the same again is not told');
    views.set('two', { filter: 7, show: 'x', offset: -1 });
    assert.equal(sent[sent.length - 1][0], 'two');
    views.close();
});

test('a page that draws slowly skips, and never falls behind', async () => {
    let value = 0;
    const sent = [];
    const views = new Views(() => ({ value }), (id, content) => sent.push(content.value));
    const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    views.set('slow', {});
    for (value = 1; value < 50; value++) {
        views.touch();
        await pause(30);
    }
    assert.deepEqual(sent, [0], 'it has not drawn the first rows yet');
    views.set('slow', { drawn: true });
    await pause(INTERVAL_MS + 50);
    assert.deepEqual(sent, [0, 50], 'then it gets what is true now');
    value = 51;
    views.touch();
    await pause(INTERVAL_MS + 50);
    assert.deepEqual(sent, [0, 50]);
    views.set('slow', { filter: 'x' });
    assert.deepEqual(sent, [0, 50, 51], 'what a page asks for it gets at once');
    views.close();
});
