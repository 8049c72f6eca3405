// SPDX-License-Identifier: MIT
'use strict';
/**
 * Node-RED's settings for the console, from the environment. `bin/fota-console.js` uses the same ones and adds the
 * login page; started with these alone (`node-red --settings settings.js`) everything stays shut, for want of one.
 */
const { readConfig } = require('./lib/config');
const { Gate } = require('./lib/gate');
const { nodeRedSettings, HOME } = require('./lib/settings');

const config = readConfig(process.env);
const gate = new Gate({ user: config.user, passwordHash: config.passwordHash, sessionMs: config.sessionMinutes * 60000, home: HOME });

module.exports = nodeRedSettings(config, gate);
