/* SPDX-License-Identifier: MIT */
/* docs/board.md: text commands on the control socket, a line of JSON in answer to each. */
#include "port.h"

#include <cJSON.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_MS 250

/* One command. The board answers at once; a board that does not is not waited for. */
static int command(const struct port_board_pins *board, const char *text)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char answer[512];
    size_t have = 0;
    int fd = -1, result = -1;
    cJSON *json;

    if (strlen(board->socket) >= sizeof address.sun_path)
        return -1;
    memcpy(address.sun_path, board->socket, strlen(board->socket) + 1u);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *) &address, sizeof address) != 0 ||
        send(fd, text, strlen(text), MSG_NOSIGNAL) != (ssize_t) strlen(text)) {
        port_log(GW_LOG_DEBUG, "board %s: %s", board->socket, strerror(errno));
        if (fd >= 0)
            (void) close(fd);
        return -1;
    }
    while (have < sizeof answer - 1u && memchr(answer, '\n', have) == NULL) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t n = poll(&p, 1, ANSWER_MS) == 1 ? read(fd, answer + have, sizeof answer - 1u - have) : -1;

        if (n <= 0)
            break;
        have += (size_t) n;
    }
    (void) close(fd);
    json = cJSON_ParseWithLength(answer, have);
    if (json != NULL && cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(json, "ok")))
        result = 0;
    else
        port_log(GW_LOG_WARNING, "board %s did not do \"%.*s\": %.*s", board->socket, (int) strcspn(text, "\n"), text,
                 (int) have, answer);
    cJSON_Delete(json);
    return result;
}

static int nrst(void *ctx, bool low)
{
    return command(ctx, low ? "nrst low\n" : "nrst high\n");
}

static int boot0(void *ctx, bool high)
{
    return command(ctx, high ? "boot0 1\n" : "boot0 0\n");
}

void port_board_pins_init(struct port_board_pins *board, const char *path)
{
    *board = (struct port_board_pins){.socket = path, .pins = {board, nrst, boot0}};
}
