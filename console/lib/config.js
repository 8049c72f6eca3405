// SPDX-License-Identifier: MIT
'use strict';
/**
 * The console's configuration: everything comes from the environment, and every value is checked here,
 * once, so that a mistake is reported in words before anything listens.
 */
const crypto = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { hashPassword, isPasswordHash } = require('./password');

/** The largest file that may be uploaded: a package with everything in it (docs/http.md). */
const MAX_UPLOAD = 1024 * 1024;

class ConfigError extends Error {}

function integer(env, name, fallback, min, max) {
    const text = env[name];
    if (text === undefined || text === '') return fallback;
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max) {
        throw new ConfigError(`${name} is "${text}"; set it to a whole number from ${min} to ${max}`);
    }
    return value;
}

function url(env, name, protocols, fallback) {
    const text = env[name] || fallback;
    if (!text) return '';
    let parsed;
    try {
        parsed = new URL(text);
    } catch {
        throw new ConfigError(`${name} is "${text}", which is not a URL; an example: ${protocols[0]}//127.0.0.1:8080`);
    }
    if (!protocols.includes(parsed.protocol)) {
        throw new ConfigError(`${name} is "${text}"; it must begin with ${protocols.map((p) => p + '//').join(' or ')}`);
    }
    if (parsed.username || parsed.password) {
        throw new ConfigError(`${name} holds a user or a password; give those in their own variables`);
    }
    return text.replace(/\/+$/, '');
}

function flag(env, name) {
    const text = env[name] || '0';
    if (!/^[01]$/.test(text)) throw new ConfigError(`${name} is "${text}"; set it to 0 or 1`);
    return text === '1';
}

/** A secret straight from `name`, or from the file that `name`_FILE points at. */
function secret(env, name) {
    if (env[name]) return env[name];
    const file = env[name + '_FILE'];
    if (!file) return '';
    try {
        return fs.readFileSync(file, 'utf8').replace(/\r?\n$/, '');
    } catch (err) {
        throw new ConfigError(`${name}_FILE is "${file}", which cannot be read: ${err.code}`);
    }
}

function passwordHash(env) {
    const hash = secret(env, 'FOTA_CONSOLE_PASSWORD_HASH');
    if (hash) {
        if (!isPasswordHash(hash)) {
            throw new ConfigError('FOTA_CONSOLE_PASSWORD_HASH is not a hash; make one with: npm run hash-password');
        }
        return hash;
    }
    const password = secret(env, 'FOTA_CONSOLE_PASSWORD');
    if (!password) {
        throw new ConfigError('no password is set: put one in FOTA_CONSOLE_PASSWORD, or its hash (npm run hash-password) ' +
            'in FOTA_CONSOLE_PASSWORD_HASH');
    }
    if (password.length < 8 || password.length > 256) {
        throw new ConfigError(`FOTA_CONSOLE_PASSWORD has ${password.length} characters; it must have 8 to 256`);
    }
    return hashPassword(password);
}

/** The secret for Node-RED's credential file: given, or made once and kept beside that file. */
function credentialSecret(env, dir) {
    const given = secret(env, 'FOTA_CONSOLE_CREDENTIAL_SECRET');
    if (given) return given;
    const file = path.join(dir, 'credential-secret');
    try {
        fs.writeFileSync(file, crypto.randomBytes(32).toString('hex') + '\n', { mode: 0o600, flag: 'wx' });
    } catch (err) {
        if (err.code !== 'EEXIST') throw err;
    }
    return fs.readFileSync(file, 'utf8').trim();
}

/**
 * Reads the configuration from an environment.
 * @param {object} env  usually process.env; see console/README.md for the variables
 * @returns {object} the checked configuration; creates the console's directory (mode 0700)
 * @throws {ConfigError} with the variable, its value and what to do
 */
function readConfig(env) {
    const flows = env.FOTA_FLOWS || 'hub';
    if (flows !== 'hub' && flows !== 'standalone') {
        throw new ConfigError(`FOTA_FLOWS is "${flows}"; set it to hub or standalone`);
    }
    const state = env.XDG_STATE_HOME || path.join(os.homedir(), '.local', 'state');
    const dir = path.resolve(env.FOTA_CONSOLE_DIR || path.join(state, 'fota-console'));
    const config = {
        flows,
        dir,
        host: env.FOTA_CONSOLE_HOST || '127.0.0.1',
        port: integer(env, 'FOTA_CONSOLE_PORT', 1880, 0, 65535),
        publicUrl: url(env, 'FOTA_CONSOLE_PUBLIC_URL', ['http:', 'https:'], ''),
        user: env.FOTA_CONSOLE_USER || 'admin',
        passwordHash: passwordHash(env),
        sessionMinutes: integer(env, 'FOTA_CONSOLE_SESSION_MINUTES', 480, 1, 7 * 24 * 60),
        editor: flag(env, 'FOTA_CONSOLE_EDITOR'),
        logLevel: env.FOTA_CONSOLE_LOG || 'warn',
        hubUrl: flows === 'hub' ? url(env, 'FOTA_HUB_URL', ['http:', 'https:'], 'http://127.0.0.1:8080') : '',
        hubToken: flows === 'hub' ? secret(env, 'FOTA_HUB_TOKEN') : '',
        mqttUrl: url(env, 'FOTA_MQTT_URL', ['mqtt:', 'mqtts:'], flows === 'standalone' ? 'mqtt://127.0.0.1:1883' : ''),
        mqttUser: env.FOTA_MQTT_USER || '',
        mqttPassword: secret(env, 'FOTA_MQTT_PASSWORD'),
        mqttCa: env.FOTA_MQTT_CA || '',
        fotaCommand: env.FOTA_COMMAND || 'fota',
        devKey: env.FOTA_DEV_KEY || '',
    };
    if (!/^(trace|debug|info|warn|error|fatal)$/.test(config.logLevel)) {
        throw new ConfigError(`FOTA_CONSOLE_LOG is "${config.logLevel}"; set it to trace, debug, info, warn, error or fatal`);
    }
    fs.mkdirSync(dir, { recursive: true, mode: 0o700 });
    // Node-RED and the dashboard look for one in their folder, and complain without.
    const manifest = path.join(dir, 'package.json');
    if (!fs.existsSync(manifest)) fs.writeFileSync(manifest, '{ "name": "fota-console-data", "private": true }\n');
    config.credentialSecret = credentialSecret(env, dir);
    return config;
}

/** The variables that hold secrets: taken out of process.env once read, so that no flow and no child sees them. */
const SECRETS = ['FOTA_CONSOLE_PASSWORD', 'FOTA_CONSOLE_PASSWORD_HASH', 'FOTA_CONSOLE_CREDENTIAL_SECRET', 'FOTA_HUB_TOKEN',
    'FOTA_MQTT_PASSWORD'];

module.exports = { readConfig, ConfigError, MAX_UPLOAD, SECRETS };
