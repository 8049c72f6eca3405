// SPDX-License-Identifier: MIT
'use strict';
/** Real processes for tests: a broker, the console. Each ends what it started. */
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');

const CONSOLE = path.resolve(__dirname, '../../bin/fota-console.js');
const PASSWORD = 'correct horse battery';
const MOSQUITTO = ['/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto', '/usr/bin/mosquitto'].find((p) => fs.existsSync(p));

function tempDir() {
    return fs.mkdtempSync(path.join(os.tmpdir(), 'fota-console-test-'));
}

function freePort() {
    return new Promise((resolve, reject) => {
        const server = net.createServer();
        server.once('error', reject);
        server.listen(0, '127.0.0.1', () => {
            const { port } = server.address();
            server.close(() => resolve(port));
        });
    });
}

/** Waits until `fn` gives something true, and returns it. */
async function until(fn, what, timeout = 15000) {
    const end = Date.now() + timeout;
    for (;;) {
        const value = await fn();
        if (value) return value;
        if (Date.now() > end) throw new Error(`not within ${timeout} ms: ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
}

/** A child process that is killed with stop() and tells its output when it ends too soon. */
function child(command, args, options = {}) {
    const process_ = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    const self = { process: process_, output: '', exit: null };
    for (const stream of [process_.stdout, process_.stderr]) {
        stream.setEncoding('utf8');
        stream.on('data', (text) => {
            self.output = (self.output + text).slice(-20000);
        });
    }
    const ended = new Promise((resolve) => {
        process_.on('error', (err) => {
            self.exit = err.message;
            resolve();
        });
        process_.on('exit', (code, signal) => {
            self.exit = signal || code;
            resolve();
        });
    });
    self.stop = async (signal = 'SIGTERM') => {
        if (self.exit === null) process_.kill(signal);
        const timer = setTimeout(() => process_.kill('SIGKILL'), 8000);
        await ended;
        clearTimeout(timer);
        return self.exit;
    };
    self.alive = () => {
        if (self.exit !== null) throw new Error(`${path.basename(command)} ended (${self.exit}):\n${self.output}`);
        return true;
    };
    return self;
}

const connects = (port) => new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => {
        socket.destroy();
        resolve(true);
    });
    socket.on('error', () => resolve(false));
});

/** Starts a Mosquitto for everyone on this machine. @returns {Promise<{url, port, stop}>} */
async function startBroker(port) {
    if (!MOSQUITTO) throw new Error('mosquitto is not installed');
    const dir = tempDir();
    const wanted = port || (await freePort());
    const file = path.join(dir, 'mosquitto.conf');
    fs.writeFileSync(file, `listener ${wanted} 127.0.0.1\nallow_anonymous true\npersistence false\nset_tcp_nodelay true\nuser ${os.userInfo().username}\n`);
    const broker = child(MOSQUITTO, ['-c', file]);
    await until(async () => broker.alive() && (await connects(wanted)), 'broker listens');
    return { url: `mqtt://127.0.0.1:${wanted}`, port: wanted, stop: async () => {
        await broker.stop();
        fs.rmSync(dir, { recursive: true, force: true });
    } };
}

/** Starts the console. @param {object} env  more variables @returns {Promise<{url, origin, dir, user, password, process, stop}>} */
async function startConsole(env = {}) {
    const dir = tempDir();
    const portFile = path.join(dir, 'port');
    const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('FOTA_')));
    const proc = child(process.execPath, [CONSOLE, '--port', '0', '--port-file', portFile, '--die-with-parent'], {
        env: { ...inherited, FOTA_CONSOLE_DIR: path.join(dir, 'data'), FOTA_CONSOLE_PASSWORD: PASSWORD, ...env },
    });
    const ready = await until(() => proc.alive() && /console ready on (\S+)/.exec(proc.output), 'console is ready', 40000).catch(async (err) => {
        await proc.stop('SIGKILL');
        throw err;
    });
    const url = ready[1];
    return { url, origin: new URL(url).origin, port: Number(fs.readFileSync(portFile, 'utf8')), dir, user: 'admin', password: PASSWORD, process: proc,
        stop: async () => {
            const code = await proc.stop();
            fs.rmSync(dir, { recursive: true, force: true });
            return code;
        } };
}

module.exports = { startBroker, startConsole, child, until, tempDir, freePort, PASSWORD };
