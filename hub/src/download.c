/* SPDX-License-Identifier: MIT */
#include "http.h"
#include "range.h"

#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char suffix[] = ".fota";

static enum MHD_Result queue(struct hub_request *request, unsigned status, struct MHD_Response *response,
                             const char *etag)
{
    if (response == NULL)
        return MHD_NO;
    MHD_add_response_header(response, "ETag", etag);
    MHD_add_response_header(response, "Accept-Ranges", "bytes");
    MHD_add_response_header(response, "Cache-Control", "private, max-age=31536000, immutable");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    enum MHD_Result rc = MHD_queue_response(request->connection, status, response);
    MHD_destroy_response(response);
    return rc;
}

static enum MHD_Result unsatisfiable(struct hub_request *request, uint64_t size, const char *etag)
{
    char text[256], range[48];
    int n = snprintf(
        text, sizeof text,
        "{\"error\":{\"code\":\"bad-request\",\"field\":\"Range\",\"message\":\"the range begins at or behind the end "
        "of the file, which has %" PRIu64 " bytes\"}}",
        size);
    struct MHD_Response *response = MHD_create_response_from_buffer((size_t) n, text, MHD_RESPMEM_MUST_COPY);
    if (response == NULL)
        return MHD_NO;
    snprintf(range, sizeof range, "bytes */%" PRIu64, size);
    MHD_add_response_header(response, "Content-Range", range);
    MHD_add_response_header(response, "Content-Type", "application/json; charset=utf-8");
    return queue(request, MHD_HTTP_RANGE_NOT_SATISFIABLE, response, etag);
}

/* The file, from the disk to the socket. Takes over fd. */
static enum MHD_Result send_file(struct hub_request *request, int fd, uint64_t size, const char *etag)
{
    uint64_t first = 0, last = 0, length = size;
    unsigned status = MHD_HTTP_OK;
    enum hub_range_result range = HUB_RANGE_NONE;
    if (hub_etag_in_list(hub_header(request, "If-None-Match"), etag))
        status = MHD_HTTP_NOT_MODIFIED; /* no body goes out, but the Content-Length must be that of the file */
    else if (strcmp(request->method, "GET") == 0 && hub_if_range(hub_header(request, "If-Range"), etag))
        range = hub_range_parse(hub_header(request, "Range"), size, &first, &last);
    if (range == HUB_RANGE_UNSATISFIABLE) {
        close(fd);
        return unsatisfiable(request, size, etag);
    }
    if (range == HUB_RANGE_PART) {
        length = last - first + 1;
        status = MHD_HTTP_PARTIAL_CONTENT;
    }
    struct MHD_Response *response = MHD_create_response_from_fd_at_offset64(length, fd, first);
    if (response == NULL) {
        close(fd);
        return MHD_NO;
    }
    if (range == HUB_RANGE_PART) {
        char text[80];
        snprintf(text, sizeof text, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, first, last, size);
        MHD_add_response_header(response, "Content-Range", text);
    }
    MHD_add_response_header(response, "Content-Type", "application/octet-stream");
    return queue(request, status, response, etag);
}

enum MHD_Result hub_serve_package(struct hub_request *request)
{
    struct hub_error error;
    struct hub_release release;
    char sha256[HUB_ARG_MAX];
    char etag[HUB_SHA256_HEX + 3];
    hub_copy(sha256, sizeof sha256, request->arg[0]);
    size_t length = strlen(sha256);
    if (length == HUB_SHA256_HEX + sizeof suffix - 1 && strcmp(sha256 + HUB_SHA256_HEX, suffix) == 0)
        sha256[HUB_SHA256_HEX] = '\0';
    int rc =
        hub_valid_sha256(sha256) && length > HUB_SHA256_HEX ? hub_release_get(request->hub->db, sha256, &release) : 1;
    if (rc != 0) {
        char quoted[HUB_ARG_MAX];
        if (rc < 0)
            hub_fail(&error, 500, "internal", "", "the database failed; see the hub's log");
        else
            hub_fail(&error, 404, "not-found", "sha256",
                     "there is no package %s; a name is <64 lower-case hex digits>.fota",
                     hub_quote(request->arg[0], strlen(request->arg[0]), quoted, sizeof quoted));
        return hub_send_error(request, &error);
    }
    snprintf(etag, sizeof etag, "\"%s\"", sha256);
    struct stat st;
    int fd = hub_store_open_package(request->hub->store, sha256);
    if (fd < 0 && errno == ENOENT && request->hub->s3 != NULL && !request->woken) {
        if (hub_s3_get(request->hub->s3, sha256, hub_request_wake, request, &error) == 0)
            return hub_request_wait(request);
        return hub_send_error(request, &error);
    }
    if (fd < 0 || fstat(fd, &st) != 0 || st.st_size != release.size) {
        hub_log(HUB_LOG_ERROR, "the package %s is not what it was: %s", sha256,
                fd < 0 ? strerror(errno) : "another size");
        if (fd >= 0)
            close(fd);
        hub_fail(&error, 500, "internal", "sha256", "the file of release %s is lost or damaged; upload it again",
                 sha256);
        return hub_send_error(request, &error);
    }
    return send_file(request, fd, (uint64_t) st.st_size, etag);
}
