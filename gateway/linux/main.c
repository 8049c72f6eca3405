/* SPDX-License-Identifier: MIT */
/* fota-gateway: the portable core in one poll loop. */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#ifndef FOTA_VERSION
#define FOTA_VERSION "0.1.0"
#endif
#define LAST_WORDS_MS 1000u
#define FDS_MAX (GW_DEVICES_MAX + 2u)
#define WAIT_MAX_MS 1000u /* MQTT's keepalive is looked after once a second */

static struct config config;
static struct gw gw;
static struct port_http http;
static struct port_mqtt mqtt;
static struct port_files files;
static struct port_line line[GW_DEVICES_MAX];
static struct port_pins pins[GW_DEVICES_MAX];
static struct gw_device_config devices[GW_DEVICES_MAX];

/* @return false: out of memory. */
static bool make_devices(void)
{
    for (unsigned i = 0; i < config.device_count; i++) {
        const struct config_device *c = &config.devices[i];

        port_line_init(&line[i], c->port);
        memcpy(devices[i].name, c->name, sizeof devices[i].name);
        devices[i].baud = c->baud;
        devices[i].baud_max = c->max_baud;
        devices[i].loader_only = c->via_bootloader;
        devices[i].link = line[i].link;
        devices[i].pins = port_pins_init(&pins[i], c->pins);
        if (c->via_rom) {
            struct port_rom *rom = port_rom_make(&line[i], devices[i].pins, c->baud);

            if (rom == NULL)
                return false;
            devices[i].rom = &rom->port;
            devices[i].rom_task = &rom->task;
        }
    }
    return true;
}

/* What is in force, file and options and defaults together; of a secret only that it is there. */
static void print_config(void)
{
    static const char *const levels[] = {"error", "warning", "info", "debug"};

    (void) printf("gateway   %s\n", config.id);
    (void) printf("broker    %s:%d, %s", config.broker_host, config.broker_port,
                  config.broker_ca[0] != '\0' ? "TLS" : "no TLS");
    (void) printf("%s%s%s%s\n", config.broker_user[0] != '\0' ? ", user " : ", no user", config.broker_user,
                  config.broker_password[0] != '\0' ? ", with a password" : "",
                  config.broker_cert[0] != '\0' ? ", with a certificate" : "");
    if (config.broker_ca[0] != '\0')
        (void) printf("trusts    %s\n", config.broker_ca);
    (void) printf("hub       %s%s\n", config.hub_url[0] != '\0' ? config.hub_url : "none",
                  config.hub_token[0] != '\0' ? ", with a token" : "");
    (void) printf("cache     %s, at most %lu packages and %lu bytes\n", config.cache,
                  (unsigned long) config.cache_files, (unsigned long) config.cache_bytes);
    (void) printf("downloads stall after %lu ms, again after %lu ms\n", (unsigned long) config.stall_ms,
                  (unsigned long) config.retry_ms);
    (void) printf("chunks    %lu bytes over MQTT%s\n", (unsigned long) config.chunk_size,
                  config.fallback ? ", also where HTTP does not get through to a hub" : ", for mqtt: jobs only");
    (void) printf("log       %s\n", config.log_frames ? "frames" : levels[config.log_level]);
    (void) printf("keys      %u\n", config.key_count);
    for (unsigned i = 0; i < config.channel_count; i++)
        (void) printf("channel   %s: %s, every %lu s, %s\n", config.channels[i].name, config.channels[i].url,
                      (unsigned long) config.channels[i].poll_s,
                      config.channel_source[i].sign ? "signed" : "not signed");
    for (unsigned i = 0; i < config.device_count; i++)
        (void) printf("device    %s: port %s, %lu baud up to %lu, pins %s, via %s\n", config.devices[i].name,
                      config.devices[i].port, (unsigned long) config.devices[i].baud,
                      (unsigned long) (config.devices[i].max_baud > config.devices[i].baud ? config.devices[i].max_baud
                                                                                           : config.devices[i].baud),
                      config.devices[i].pins,
                      config.devices[i].via_rom          ? "ST's ROM"
                      : config.devices[i].via_bootloader ? "the bootloader"
                                                         : "the link");
}

static int signals(void)
{
    sigset_t set;

    (void) sigemptyset(&set);
    (void) sigaddset(&set, SIGTERM);
    (void) sigaddset(&set, SIGINT);
    (void) sigprocmask(SIG_BLOCK, &set, NULL);
    (void) signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Everything that can wake the gateway. curl_multi_poll() adds its own sockets. @return how many. */
static unsigned collect(struct curl_waitfd *fds, int signal_fd)
{
    unsigned n = 0;
    int socket = mosquitto_socket(mqtt.mosquitto);

    fds[n++] = (struct curl_waitfd){.fd = signal_fd, .events = CURL_WAIT_POLLIN};
    if (mqtt.running && socket >= 0) {
        fds[n] = (struct curl_waitfd){.fd = socket, .events = CURL_WAIT_POLLIN};
        if (mosquitto_want_write(mqtt.mosquitto))
            fds[n].events |= CURL_WAIT_POLLOUT;
        n++;
    }
    for (unsigned i = 0; i < config.device_count; i++)
        if (!gw.device[i].through_rom && port_line_fd(&line[i]) >= 0) {
            fds[n] = (struct curl_waitfd){.fd = port_line_fd(&line[i]), .events = CURL_WAIT_POLLIN};
            if (gw_push_wants_write(&gw.device[i].push))
                fds[n].events |= CURL_WAIT_POLLOUT;
            n++;
        }
    return n;
}

static void loop(int signal_fd)
{
    for (;;) {
        struct curl_waitfd fds[FDS_MAX];
        uint32_t wait = gw_poll(&gw);
        unsigned count = collect(fds, signal_fd);
        struct signalfd_siginfo info;

        if (wait > WAIT_MAX_MS)
            wait = WAIT_MAX_MS;
        if (curl_multi_poll(http.multi, fds, count, (int) wait, NULL) != CURLM_OK)
            (void) poll(NULL, 0, (int) wait);
        if (read(signal_fd, &info, sizeof info) == (ssize_t) sizeof info) {
            port_log(GW_LOG_INFO, "signal %u: ending; jobs go on at the next start", info.ssi_signo);
            return;
        }
    }
}

static int fail(const char *text)
{
    port_log(GW_LOG_ERROR, "%s", text);
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct gw_ports ports = {&http.http, &mqtt.mqtt, &files.storage, &port_clock, &port_logger, &port_worker};
    struct gw_config core = {.version = FOTA_VERSION, .keys = config.keys, .devices = devices};
    pid_t parent = getppid();
    char error[512];
    int signal_fd;

    config_read(&config, argc, argv, FOTA_VERSION);
    port_log_level(config.log_level);
    if (config.die_with_parent && (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != parent))
        return fail("the parent has ended");
    if (!make_devices())
        return fail("out of memory");
    memcpy(core.id, config.id, sizeof core.id);
    core.key_count = config.key_count;
    core.device_count = config.device_count;
    core.channels = config.channels;
    core.channel_count = config.channel_count;
    core.cache_files = config.cache_files;
    core.cache_bytes = config.cache_bytes;
    core.stall_ms = config.stall_ms;
    core.retry_ms = config.retry_ms;
    core.chunk_size = config.chunk_size;
    core.no_fallback = !config.fallback;
    core.debug_frames = config.log_frames;
    core.explain = port_explain;
    if (gw_config_check(&core, error, sizeof error) != 0)
        return fail(error);
    if (config.check_only) {
        print_config();
        return EXIT_SUCCESS;
    }
    if (port_files_open(&files, config.cache, error, sizeof error) != 0)
        return fail(error);
    signal_fd = signals();
    if (signal_fd < 0 ||
        port_http_open(&http, config.hub_url[0] != '\0' ? config.hub_url : NULL,
                       config.hub_token[0] != '\0' ? config.hub_token : NULL, FOTA_VERSION) != 0 ||
        port_mqtt_open(&mqtt, &gw, &http, config.id, config.broker_host, config.broker_port,
                       config.broker_user[0] != '\0' ? config.broker_user : NULL,
                       config.broker_user[0] != '\0' ? config.broker_password : NULL) != 0)
        return fail("the libraries could not be started: out of memory?");
    http.ca = config_channel_ca;
    http.ca_ctx = &config;
    if (config.broker_ca[0] != '\0')
        mqtt.ca = config.broker_ca;
    if (config.broker_cert[0] != '\0') {
        mqtt.cert = config.broker_cert;
        mqtt.key = config.broker_key;
    }
    if (gw_init(&gw, &core, &ports, error, sizeof error) != 0)
        return fail(error);
    port_log(GW_LOG_INFO, "fota-gateway %s, id %s, broker %s:%d, %u device(s)", FOTA_VERSION, config.id,
             config.broker_host, config.broker_port, config.device_count);
    loop(signal_fd);
    gw_stop(&gw);
    port_rom_join();
    port_mqtt_close(&mqtt, LAST_WORDS_MS);
    port_http_close(&http);
    port_files_close(&files);
    (void) close(signal_fd);
    return EXIT_SUCCESS;
}
