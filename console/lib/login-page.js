// SPDX-License-Identifier: MIT
'use strict';
/** The login page: one form, no script, nothing loaded. */
const crypto = require('node:crypto');

const STYLE = `
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:flex;align-items:center;justify-content:center;background:#eef2f6;
 font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;color:#1b2733}
main{width:360px;max-width:calc(100vw - 32px);background:#fff;border:1px solid #d9e1e8;border-radius:10px;
 box-shadow:0 8px 28px rgba(20,40,60,.08);overflow:hidden}
header{background:#12344d;color:#fff;padding:18px 28px}
header b{font-size:20px;letter-spacing:.02em}header span{display:block;font-size:13px;color:#b9cddb}
form{padding:22px 28px 28px}
label{display:block;font-size:13px;font-weight:600;margin:0 0 4px}
input{width:100%;height:40px;padding:0 12px;margin:0 0 16px;border:1px solid #b8c5d0;border-radius:6px;font:inherit;background:#fff}
input:focus{outline:2px solid #1d7fb8;outline-offset:0;border-color:#1d7fb8}
button{width:100%;height:42px;border:0;border-radius:6px;background:#1769a0;color:#fff;font:inherit;font-weight:600;cursor:pointer}
button:hover{background:#125684}
p{margin:0 0 16px;padding:10px 12px;border-radius:6px;background:#fdecea;color:#8c1d18;font-size:14px}
`;

const STYLE_HASH = crypto.createHash('sha256').update(STYLE).digest('base64');

const CSP = `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`;

const escape = (s) => s.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

/** @returns {string} the page, with `error` above the form when there is one */
function loginPage(error = '') {
    return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>fota console: log in</title><style>${STYLE}</style></head>
<body><main><header><b>fota</b><span>Firmware update console</span></header>
<form method="post" action="/login" data-testid="login-form">
${error ? `<p role="alert" data-testid="login-error">${escape(error)}</p>` : ''}
<label for="user">User</label>
<input id="user" name="user" data-testid="login-user" autocomplete="username" autofocus required maxlength="64">
<label for="password">Password</label>
<input id="password" name="password" data-testid="login-password" type="password" autocomplete="current-password" required maxlength="256">
<button type="submit" data-testid="login-submit">Log in</button>
</form></main></body></html>
`;
}

module.exports = { loginPage, CSP };
