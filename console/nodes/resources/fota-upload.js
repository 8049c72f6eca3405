// SPDX-License-Identifier: MIT
/** Choose a file, upload it: streamed to the console's server and on, with the answer in words. */
import { bytes, sentence, session, widget } from './fota-common.js';

/** The server has the same limit; this one only says so sooner. */
const LIMIT = 1024 * 1024;

export const FotaUpload = {
    name: 'FotaUpload',
    mixins: [widget],
    data: () => ({ file: null, busy: false, percent: 0, result: null, over: false }),
    computed: {
        raw() {
            return this.props.accept === 'raw';
        },
    },
    methods: {
        bytes,
        choose(list) {
            this.over = false;
            this.file = list && list[0] ? list[0] : null;
            this.result = null;
        },
        upload() {
            if (!this.file || this.busy) return;
            if (this.file.size === 0) return this.fail('The file is empty.');
            if (this.file.size > LIMIT) return this.fail(`The file has ${this.file.size} bytes; a package has at most ${LIMIT}. Is it the right file?`);
            this.busy = true;
            this.percent = 0;
            this.result = null;
            const xhr = new XMLHttpRequest();
            xhr.open('POST', '/fota/upload?name=' + encodeURIComponent(this.file.name));
            xhr.setRequestHeader('Content-Type', 'application/octet-stream');
            xhr.timeout = 90000;
            xhr.upload.onprogress = (e) => {
                if (e.lengthComputable) this.percent = Math.round((100 * e.loaded) / e.total);
            };
            xhr.onload = () => this.answer(xhr);
            xhr.onerror = () => this.fail('The console does not answer. Try again in a moment.');
            xhr.ontimeout = () => this.fail('No answer within 90 s. Try again.');
            xhr.send(this.file);
        },
        answer(xhr) {
            this.busy = false;
            if (xhr.status === 401) {
                session();
                return;
            }
            let body = null;
            try {
                body = JSON.parse(xhr.responseText);
            } catch {
                // Told below.
            }
            if (!body) return this.fail(`The console answered with status ${xhr.status}.`);
            if (!body.ok) return this.fail(body.message || (body.error && body.error.message) || `Refused with status ${xhr.status}.`, body.code);
            const r = body.release;
            this.result = { ok: true, text: `Release ${r.version} is stored (${bytes(r.size)}, counter ${r.counter ?? 'unknown'}).`, sha256: r.sha256, version: r.version };
            this.file = null;
            this.$refs.input.value = '';
        },
        fail(text, code) {
            this.busy = false;
            this.result = { ok: false, text: sentence(text), code };
        },
    },
    template: `
<section class="fota card upload" data-testid="upload">
  <h2>Upload a release</h2>
  <label class="drop" :class="{ over, has: file }" @dragover.prevent="over = true" @dragleave="over = false" @drop.prevent="choose($event.dataTransfer.files)">
    <input ref="input" type="file" accept=".fota,.bin,.elf" data-testid="upload-file" @change="choose($event.target.files)">
    <b v-if="file">{{ file.name }}</b><b v-else>Choose a file</b>
    <small v-if="file">{{ bytes(file.size) }}</small>
    <small v-else-if="raw">or drop it here: firmware.bin or .fota, at most 1 MiB</small>
    <small v-else>or drop it here: a signed .fota package, at most 1 MiB</small>
  </label>
  <div class="bar" v-if="busy"><span :style="{ width: percent + '%' }"></span></div>
  <button class="primary" type="button" data-testid="upload-button" :disabled="!file || busy" @click="upload">{{ busy ? 'Uploading …' : 'Upload' }}</button>
  <p v-if="result" class="note" :class="result.ok ? 'good' : 'bad'" role="status" data-testid="upload-result"
     :data-ok="String(result.ok)" :data-version="result.version" :data-sha256="result.sha256" :data-code="result.code">{{ result.text }}</p>
</section>`,
};

window['ui-fota-upload'] = { ...window['ui-fota-upload'], FotaUpload };
