#!/usr/bin/env node
// SPDX-License-Identifier: MIT
'use strict';
/** Reads a password from standard input and prints its hash for FOTA_CONSOLE_PASSWORD_HASH. */
const { hashPassword } = require('../lib/password');

if (process.stdin.isTTY) process.stderr.write('Password (shown as you type), then Enter: ');
let text = '';
process.stdin.setEncoding('utf8');
process.stdin.on('data', (chunk) => {
    text += chunk;
    if (text.includes('\n') || text.length > 1024) finish();
});
process.stdin.on('end', finish);

function finish() {
    process.stdin.pause();
    process.stdin.removeAllListeners();
    const password = text.split(/\r?\n/)[0];
    if (password.length < 8 || password.length > 256) {
        process.stderr.write(`the password has ${password.length} characters; it must have 8 to 256\n`);
        process.exitCode = 1;
        return;
    }
    process.stdout.write(hashPassword(password) + '\n');
}
