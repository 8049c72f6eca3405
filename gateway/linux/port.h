/* SPDX-License-Identifier: MIT */
/** @file port.h The Linux port: what stands behind the vtables of gw/port.h, all served by one poll loop. */
#ifndef GW_LINUX_PORT_H
#define GW_LINUX_PORT_H

#include "gw/gw.h"
#include "gw/spi.h"

#include <curl/curl.h>
#include <mosquitto.h>

/* --- clock.c ---------------------------------------------------------------------------------- */
extern const struct gw_clock port_clock;

/* --- log.c ------------------------------------------------------------------------------------ */
/** Logger to stderr. @param level the most talkative that is shown. */
void port_log_level(enum gw_log_level level);
extern const struct gw_logger port_logger;
void port_log(enum gw_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* --- serial.c --------------------------------------------------------------------------------- */
/** A tty, a pty, or a Unix stream socket ("unix:PATH"). */
struct port_serial {
    const char *path;
    int fd; /* -1: closed */
    bool complained;
    struct gw_link link;
};
void port_serial_init(struct port_serial *serial, const char *path);
/** @return whether termios knows this baud rate. */
bool port_serial_baud_known(uint32_t baud);

/* --- spi.c ------------------------------------------------------------------------------------ */
#define PORT_SPI_PATH 256u
/** An SPI master: spidev ("/dev/spidev0.0[@HZ]"), or the socket of a virtual board ("unix:PATH"). */
struct port_spi {
    const char *path;
    char device[PORT_SPI_PATH]; /* of spidev, without the rate */
    uint32_t hz, pace_hz;       /* asked for by the user; in force */
    uint16_t gap_us;            /* behind each byte */
    int fd;                     /* -1: closed */
    bool complained;
    struct gw_spi spi;
    struct gw_spi_link link;
};
void port_spi_init(struct port_spi *spi, const char *path);

/* --- line.c ----------------------------------------------------------------------------------- */
/** A device's port: what port_serial_init() takes, or "spi:" and what port_spi_init() takes. */
struct port_line {
    bool spi_used;
    struct port_serial serial;
    struct port_spi spi;
    const struct gw_link *link;
};
/** @return NULL, or what is wrong with the text of a port. */
const char *port_line_check(const char *text);
/** @param text one that port_line_check() likes; kept by reference. */
void port_line_init(struct port_line *line, const char *text);
/** @return the descriptor that becomes readable with input, -1: there is none (gw_link.poll_ms) or it is closed. */
int port_line_fd(const struct port_line *line);

/* --- rom.c ------------------------------------------------------------------------------------ */
/** Devices that are written through ST's ROM: a thread for each while it is. */
struct port_rom {
    struct gw_rom_port port;
    struct gw_rom_task task;
};
/** @return NULL: out of memory. @param pins both of them. */
struct port_rom *port_rom_make(struct port_line *line, const struct gw_pins *pins, uint32_t baud);
extern const struct gw_worker port_worker;
/** Wait for the threads; they were asked to end (gw_stop()). */
void port_rom_join(void);

/* --- board_pins.c ----------------------------------------------------------------------------- */
/** NRST and BOOT0 of a virtual board through its control socket. */
struct port_board_pins {
    const char *socket;
    struct gw_pins pins;
};
void port_board_pins_init(struct port_board_pins *board, const char *socket);

/* --- pins.c ----------------------------------------------------------------------------------- */
/** NRST (open-drain) and BOOT0 at lines of a GPIO chip; taken when they are first moved. */
struct port_gpio_pins {
    char chip_name[64];
    unsigned offset[2], count; /* NRST, BOOT0 */
    struct gpio_chip *chip;    /* NULL: not taken yet */
    struct gw_pins pins;
};
struct port_pins {
    struct port_board_pins board;
    struct port_gpio_pins gpio;
};
/** @return NULL, or what is wrong with the text of a device's pins. */
const char *port_pins_check(const char *text);
/** @return whether the text of a device's pins names both NRST and BOOT0. */
bool port_pins_both(const char *text);
/** @param text one that port_pins_check() likes: none, board:SOCKET, gpio:CHIP:NRST[:BOOT0]. @return NULL for none. */
const struct gw_pins *port_pins_init(struct port_pins *pins, const char *text);

/* --- files.c ---------------------------------------------------------------------------------- */
/** Package cache and records in a directory: DIR/packages, DIR/state. */
struct port_files {
    int lock, packages, state; /* directory descriptors and the lock */
    struct gw_storage storage;
};
/** @return 0, or -1 with a sentence in `error`: not writable, or another gateway holds it. */
int port_files_open(struct port_files *files, const char *directory, char *error, size_t capacity);
void port_files_close(struct port_files *files);

/* --- explain.c -------------------------------------------------------------------------------- */
/** A gw_explain (gw/fetch.h) in the words of fota verify. */
void port_explain(const struct gw_storage *storage, const uint8_t digest[GW_DIGEST_SIZE], uint32_t size,
                  const struct fota_key *keys, unsigned key_count, char *text, size_t capacity);

/* --- http.c ----------------------------------------------------------------------------------- */
#define PORT_HTTP_REQUESTS (GW_FETCHES_MAX + GW_CHANNELS_MAX)
struct port_http_request {
    CURL *easy;
    struct curl_slist *headers;
    const struct gw_http_events *events;
    struct gw_http_head head;
    bool told, aborted; /* head() was called; a callback said no */
    char error[CURL_ERROR_SIZE];
};

struct port_http {
    CURLM *multi;
    const char *hub_url; /* without a slash at its end; NULL: none */
    const char *token;   /* sent to URLs below hub_url only */
    /** Which PEM file of certificates is trusted for a URL; NULL: the system's. */
    const char *(*ca)(void *ctx, const char *url);
    void *ca_ctx;
    char agent[64];
    struct port_http_request request[PORT_HTTP_REQUESTS];
    struct gw_http http;
    void *probe_ctx;
    /** A transfer that is no request of ours has ended: the broker's probe. */
    void (*probe_done)(void *ctx, CURL *easy, CURLcode code);
};
int port_http_open(struct port_http *http, const char *hub_url, const char *token, const char *version);
void port_http_close(struct port_http *http);

/* --- mqtt.c ----------------------------------------------------------------------------------- */
struct port_mqtt {
    struct gw *gw;
    struct port_http *http; /* resolves and reaches the broker without blocking */
    struct mosquitto *mosquitto;
    const char *id, *host, *user, *password;
    const char *ca, *cert, *key; /* TLS when `ca` is there: a file or directory of certificates; a pair or NULL */
    int port;
    CURL *probe;
    char url[320];
    char probe_error[CURL_ERROR_SIZE];
    bool running; /* mosquitto has a socket, or had one until a moment ago */
    struct {
        char topic[96], payload[256];
    } will;
    uint64_t misc_at;
    struct gw_mqtt mqtt;
};
int port_mqtt_open(struct port_mqtt *mqtt, struct gw *gw, struct port_http *http, const char *id, const char *host,
                   int port, const char *user, const char *password);
/** Last words: write what is queued for at most `ms`, then disconnect. */
void port_mqtt_close(struct port_mqtt *mqtt, uint32_t ms);

#endif
