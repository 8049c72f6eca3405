// SPDX-License-Identifier: MIT
'use strict';
/** What several nodes share. */

/** `{ok: false, code, message}`: how every node tells a page what went wrong. */
function failure(err) {
    return { ok: false, code: err.code || 'internal', message: err.message || String(err) };
}

/** Runs `fn` now and every `ms`, never twice at once. @returns {() => void} stops it */
function every(ms, fn) {
    let timer = null;
    let stopped = false;
    const run = async () => {
        try {
            await fn();
        } finally {
            if (!stopped) timer = setTimeout(run, ms);
        }
    };
    run();
    return () => {
        stopped = true;
        clearTimeout(timer);
    };
}

/**
 * Adds a route to the dashboard's web server, behind the login, for as long as the node lives.
 */
function route(RED, node, method, path, ...handlers) {
    const app = RED.httpNode;
    const middleware = RED.settings.httpNodeMiddleware;
    app[method](path, ...(middleware ? [].concat(middleware) : []), ...handlers);
    removeOnClose(app, node, path);
}

/** The same without the login: for addresses that nobody can guess. */
function openRoute(RED, node, method, path, ...handlers) {
    RED.httpNode[method](path, ...handlers);
    removeOnClose(RED.httpNode, node, path);
}

function removeOnClose(app, node, path) {
    node.on('close', () => {
        app._router.stack = app._router.stack.filter((layer) => !(layer.route && layer.route.path === path));
    });
}

/** A file name as it may be shown and kept: no path, no control characters, at most 128 characters. */
function cleanName(name) {
    const last = String(name || '').split(/[/\\]/).pop();
    return last.replace(/[\u0000-\u001f\u007f]/g, '').slice(0, 128) || 'upload.bin';
}

/** Answers an upload: 201 and `{ok: true, release}`, or the error's status and `{ok: false, code, message}`. */
function answerUpload(res, result, status) {
    if (res.headersSent || res.destroyed) return;
    res.status(status).json(result);
}

module.exports = { failure, every, route, openRoute, cleanName, answerUpload };
