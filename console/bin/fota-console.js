#!/usr/bin/env node
// SPDX-License-Identifier: MIT
'use strict';
/**
 * Starts the console: a server that only lets logged-in people in, and Node-RED with the dashboard behind it.
 *
 *   fota-console.js [--port N] [--port-file FILE] [--die-with-parent] [--version]
 *
 * This file has to stay one folder below the package's: the dashboard looks for widgets beside the main script's folder.
 */
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { readConfig, ConfigError, SECRETS } = require('../lib/config');
const { Gate } = require('../lib/gate');
const { nodeRedSettings, EDITOR_ROOT, HOME, FLOW_FILES, ROOT } = require('../lib/settings');

const STOP_MS = 3000;

function fail(message) {
    process.stderr.write(`fota-console: ${message}\n`);
    process.exit(1);
}

/** What `make install` wrote; in a checkout the package's own version. */
function version() {
    try {
        return fs.readFileSync(path.join(ROOT, 'VERSION'), 'utf8').trim();
    } catch {
        return require('../package.json').version;
    }
}

function configure() {
    const { values } = parseArgs({ options: { port: { type: 'string' }, 'port-file': { type: 'string' }, 'die-with-parent': { type: 'boolean' }, version: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } });
    if (values.help) {
        process.stdout.write('Usage: fota-console [OPTION...]\n\n' +
            'The web page of fota: releases, devices, updates.\n\n' +
            '  --port N           the port (FOTA_CONSOLE_PORT, 1880); 0 takes a free one\n' +
            '  --port-file FILE   write the port there once the page can be used\n' +
            '  --die-with-parent  end with the process that started this one (for demos)\n' +
            '  --help, --version\n\n' +
            'Everything else comes from the environment: FOTA_CONSOLE_PASSWORD_HASH_FILE, FOTA_HUB_URL, FOTA_HUB_TOKEN_FILE,\n' +
            'FOTA_MQTT_URL and others, which /etc/fota/console.env and console/README.md explain.\n');
        process.exit(0);
    }
    if (values.version) {
        process.stdout.write(`fota-console ${version()}\n`);
        process.exit(0);
    }
    const env = { ...process.env };
    if (values.port !== undefined) env.FOTA_CONSOLE_PORT = values.port;
    for (const name of SECRETS) delete process.env[name];
    return { config: readConfig(env), portFile: values['port-file'], dieWithParent: values['die-with-parent'] };
}

function listen(server, port, host) {
    return new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, host, () => {
            server.off('error', reject);
            resolve(server.address().port);
        });
    });
}

/** Written beside and renamed, so that a reader never sees half a number. */
function writePortFile(file, port) {
    fs.writeFileSync(file + '.tmp', port + '\n');
    fs.renameSync(file + '.tmp', file);
}

async function main() {
    const { config, portFile, dieWithParent } = configure();
    const parent = process.ppid;
    const gate = new Gate({
        user: config.user,
        passwordHash: config.passwordHash,
        sessionMs: config.sessionMinutes * 60000,
        home: HOME,
        publicUrl: config.publicUrl,
        editorRoot: config.editor ? EDITOR_ROOT : '',
    });

    const express = require('express');
    const app = express();
    app.disable('x-powered-by');
    const server = http.createServer({ requestTimeout: 60000, headersTimeout: 20000 }, app);
    const sockets = new Set();
    server.on('connection', (socket) => {
        sockets.add(socket);
        socket.once('close', () => sockets.delete(socket));
    });
    gate.guard(server);

    const port = await listen(server, config.port, config.host);
    const origin = `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`;
    config.port = port;
    config.publicUrl = config.publicUrl || origin;

    const settings = nodeRedSettings(config, gate);
    if (config.editor && !fs.existsSync(settings.flowFile)) fs.copyFileSync(FLOW_FILES[config.flows], settings.flowFile);

    const RED = require('node-red');
    RED.init(server, settings);
    // The widgets' own files; without the editor Node-RED's admin API is not mounted at all.
    app.use(`${EDITOR_ROOT}/resources/node-red-dashboard-2-fota`, express.static(path.join(ROOT, 'nodes', 'resources')));
    if (config.editor) app.use(EDITOR_ROOT, RED.httpAdmin);
    app.use('/', RED.httpNode);

    let stopping = false;
    const stop = () => {
        if (stopping) return;
        stopping = true;
        setTimeout(() => process.exit(0), STOP_MS).unref();
        server.close();
        gate.sessions.endAll();
        RED.stop().catch(() => {}).finally(() => {
            for (const socket of sockets) socket.destroy();
            process.exit(0);
        });
    };
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
    if (dieWithParent) setInterval(() => process.ppid !== parent && stop(), 1000).unref();

    const flows = new Promise((resolve) => RED.events.once('flows:started', resolve));
    await RED.start();
    // RED.start resolves before the flows run, and says nothing when they cannot.
    await flows;
    if (!config.editor && !RED.nodes.getNode('fota-ui-base')) fail('the flows did not start; the messages above say why');
    if (portFile) writePortFile(portFile, port);
    process.stdout.write(`console ready on ${origin}${HOME}\n`);
}

main().catch((err) => {
    if (err instanceof ConfigError || err.code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION' || err.code === 'ERR_PARSE_ARGS_INVALID_OPTION_VALUE') fail(err.message);
    if (err.code === 'EADDRINUSE') fail(`port ${err.port} is in use; set FOTA_CONSOLE_PORT to another one, or to 0 for any free one`);
    fail(err.stack);
});
