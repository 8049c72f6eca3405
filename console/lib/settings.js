// SPDX-License-Identifier: MIT
'use strict';
/** Node-RED's settings, made from the console's configuration. */
const path = require('node:path');
const { MAX_UPLOAD } = require('./config');

const ROOT = path.resolve(__dirname, '..');
const EDITOR_ROOT = '/editor';
const HOME = '/dashboard/fota';
const FLOW_FILES = { hub: path.join(ROOT, 'flows.json'), standalone: path.join(ROOT, 'flows-standalone.json') };

/**
 * @param {object} config  from readConfig
 * @param {Gate} gate      the login, which every one of Node-RED's doors asks as well
 * @returns {object} settings for RED.init
 */
function nodeRedSettings(config, gate) {
    return {
        uiHost: config.host,
        uiPort: config.port,
        userDir: config.dir,
        // Without the editor nobody can change a flow, and the shipped file serves as it is.
        flowFile: config.editor ? path.join(config.dir, path.basename(FLOW_FILES[config.flows])) : FLOW_FILES[config.flows],
        readOnly: !config.editor,
        credentialSecret: config.credentialSecret,

        httpAdminRoot: EDITOR_ROOT,
        httpNodeRoot: '/',
        disableEditor: !config.editor,
        httpAdminMiddleware: gate.middleware(),
        httpNodeMiddleware: gate.middleware(),
        adminAuth: {
            type: 'credentials',
            users: async (name) => (name === config.user ? { username: name, permissions: '*' } : null),
            authenticate: async (name, password) =>
                (await gate.check(String(name), String(password))) ? { username: name, permissions: '*' } : null,
            sessionExpiryTime: config.sessionMinutes * 60,
        },
        dashboard: {
            middleware: gate.middleware(),
            ioMiddleware: gate.ioMiddleware(),
            // For flows that use ui-file-input: one file of the largest size and its envelope, no more.
            maxHttpBufferSize: MAX_UPLOAD + 64 * 1024,
        },
        apiMaxLength: '1mb',

        // Nothing leaves this machine: no telemetry, no look for updates, no palette.
        telemetry: { enabled: false, updateNotification: false },
        externalModules: {
            autoInstall: false,
            palette: { allowInstall: false, allowUpload: false },
            modules: { allowInstall: false },
        },
        functionExternalModules: false,
        diagnostics: { enabled: false, ui: false },
        runtimeState: { enabled: false, ui: false },
        nodesExcludes: ['90-exec.js'],
        editorTheme: { projects: { enabled: false }, tours: false, page: { title: 'fota flows' }, header: { title: 'fota flows' } },
        logging: { console: { level: config.logLevel, metrics: false, audit: false } },

        /** What the fota nodes take where their own fields are empty. */
        fota: {
            hubUrl: config.hubUrl,
            hubToken: config.hubToken,
            mqttUrl: config.mqttUrl,
            mqttUser: config.mqttUser,
            mqttPassword: config.mqttPassword,
            mqttCa: config.mqttCa,
            publicUrl: config.publicUrl,
            packageDir: path.join(config.dir, 'packages'),
            fotaCommand: config.fotaCommand,
            devKey: config.devKey,
            maxUpload: MAX_UPLOAD,
        },
    };
}

module.exports = { nodeRedSettings, EDITOR_ROOT, HOME, FLOW_FILES, ROOT };
