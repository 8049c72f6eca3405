// SPDX-License-Identifier: MIT
'use strict';
/** What several nodes share. */

const REST_BYTES = 16 * 1024 * 1024; // of a refused upload: a sender that has more hears of a broken connection
const REST_MS = 10 * 1000;

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

/** Refuses an upload. What is still on its way is read first, within bounds: else the connection breaks, and the browser does not hear why. */
function refuseUpload(req, res, err) {
    let rest = 0;
    const answer = () => {
        clearTimeout(timer);
        req.off('data', count);
        req.off('close', answer);
        req.resume();
        answerUpload(res, failure(err), err.status || 500);
    };
    const count = (chunk) => {
        rest += chunk.length;
        if (rest > REST_BYTES) answer();
    };
    const timer = setTimeout(answer, REST_MS);
    req.unpipe();
    if (req.readableEnded || req.destroyed) {
        answer();
        return;
    }
    req.on('data', count);
    req.once('end', answer);
    req.once('close', answer);
}

module.exports = { failure, every, route, openRoute, cleanName, answerUpload, refuseUpload };
