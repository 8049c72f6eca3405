// SPDX-License-Identifier: MIT
'use strict';
/**
 * The dashboard's widgets. What they look like is in resources/; here they only say what a page may send, and pass it
 * on to the flow. A page's message has one of these actions; each has its own output, in this order.
 */
const WIDGETS = {
    'ui-fota-status': [],
    'ui-fota-upload': [],
    'ui-fota-releases': ['refresh'],
    'ui-fota-devices': ['view', 'start', 'cancel', 'select'],
    'ui-fota-history': [],
};

module.exports = function (RED) {
    for (const [type, actions] of Object.entries(WIDGETS)) {
        RED.nodes.registerType(type, function (config) {
            RED.nodes.createNode(this, config);
            const events = {
                onAction: actions.length > 0,
                // The dashboard's other ways in are not used, and their defaults would pass anything on to the flow.
                onChange: async () => {},
                onSend: async () => {},
                beforeSend: (msg) => {
                    // An input from the flow passes here too, and goes to the pages as it is.
                    if (typeof msg.action !== 'string') return msg;
                    const output = actions.indexOf(msg.action);
                    const payload = msg.payload && typeof msg.payload === 'object' ? msg.payload : {};
                    const out = actions.map(() => null);
                    if (output >= 0) out[output] = { payload, topic: msg.action, _client: msg._client };
                    return out;
                },
            };
            const group = config.group ? RED.nodes.getNode(config.group) : null;
            const ui = config.ui ? RED.nodes.getNode(config.ui) : null;
            config.passthru = false;
            if (group) group.register(this, config, events);
            else if (ui) ui.register(null, null, this, config, events);
            else this.error('no group is set');
        });
    }
};
