/* SPDX-License-Identifier: MIT */
/*
 * libmosquitto in the gateway's poll loop. mosquitto_connect() blocks while it resolves and connects, which would stop
 * every update while the broker is away; so libcurl, which does both without blocking, reaches the broker first
 * (CONNECT_ONLY), and mosquitto_connect() is then called with the address that has just answered.
 */
#include "port.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define KEEPALIVE_S 30
#define PROBE_S 10L
#define MISC_MS 1000u

static void on_connect(struct mosquitto *m, void *ctx, int rc)
{
    struct port_mqtt *mqtt = ctx;

    (void) m;
    if (rc == 0)
        gw_mqtt_connected(mqtt->gw);
    else
        gw_mqtt_lost(mqtt->gw, mosquitto_connack_string(rc));
}

static void on_disconnect(struct mosquitto *m, void *ctx, int rc)
{
    struct port_mqtt *mqtt = ctx;

    (void) m;
    mqtt->running = false;
    gw_mqtt_lost(mqtt->gw, rc == 0 ? "disconnected" : mosquitto_strerror(rc));
}

static void on_message(struct mosquitto *m, void *ctx, const struct mosquitto_message *message)
{
    struct port_mqtt *mqtt = ctx;

    (void) m;
    if (message->payloadlen >= 0)
        gw_mqtt_received(mqtt->gw, message->topic, message->payload, (size_t) message->payloadlen);
}

static void drop_probe(struct port_mqtt *mqtt)
{
    if (mqtt->probe != NULL) {
        (void) curl_multi_remove_handle(mqtt->http->multi, mqtt->probe);
        curl_easy_cleanup(mqtt->probe);
        mqtt->probe = NULL;
    }
}

/* With TLS the certificate is checked against the name that the configuration has, so libmosquitto gets that name; the
 * probe has resolved it a moment ago. */
static int use_tls(struct port_mqtt *mqtt, const char **address)
{
    struct stat st;
    bool directory = mqtt->ca != NULL && stat(mqtt->ca, &st) == 0 && S_ISDIR(st.st_mode);

    if (mqtt->ca == NULL)
        return MOSQ_ERR_SUCCESS;
    *address = mqtt->host;
    return mosquitto_tls_set(mqtt->mosquitto, directory ? NULL : mqtt->ca, directory ? mqtt->ca : NULL, mqtt->cert,
                             mqtt->key, NULL);
}

/* A fresh session each time, so that nothing that an older connection did not get rid of is sent after something newer.
 */
static int begin(struct port_mqtt *mqtt, const char *address)
{
    struct mosquitto *m = mqtt->mosquitto;
    char id[GW_NAME_MAX + 16u];
    int rc;

    (void) snprintf(id, sizeof id, "fota-gw-%s", mqtt->id);
    rc = mosquitto_reinitialise(m, id, true, mqtt);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_int_option(m, MOSQ_OPT_TCP_NODELAY, 1);
    if (rc == MOSQ_ERR_SUCCESS && mqtt->user != NULL)
        rc = mosquitto_username_pw_set(m, mqtt->user, mqtt->password);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = use_tls(mqtt, &address);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_will_set(m, mqtt->will.topic, (int) strlen(mqtt->will.payload), mqtt->will.payload, 1, true);
    mosquitto_connect_callback_set(m, on_connect);
    mosquitto_disconnect_callback_set(m, on_disconnect);
    mosquitto_message_callback_set(m, on_message);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_connect(m, address, mqtt->port, KEEPALIVE_S);
    return rc;
}

static void probe_done(void *ctx, CURL *easy, CURLcode code)
{
    struct port_mqtt *mqtt = ctx;
    char address[64] = "";
    char *ip = NULL;
    int rc;

    if (code == CURLE_OK && curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &ip) == CURLE_OK && ip != NULL)
        (void) snprintf(address, sizeof address, "%s", ip);
    drop_probe(mqtt);
    if (address[0] == '\0') {
        gw_mqtt_lost(mqtt->gw, mqtt->probe_error[0] != '\0' ? mqtt->probe_error : curl_easy_strerror(code));
        return;
    }
    rc = begin(mqtt, address);
    mqtt->running = rc == MOSQ_ERR_SUCCESS;
    if (rc != MOSQ_ERR_SUCCESS)
        gw_mqtt_lost(mqtt->gw, mosquitto_strerror(rc));
}

static int mqtt_connect(void *ctx, const struct gw_mqtt_message *will)
{
    struct port_mqtt *mqtt = ctx;

    drop_probe(mqtt);
    (void) snprintf(mqtt->will.topic, sizeof mqtt->will.topic, "%s", will->topic);
    (void) snprintf(mqtt->will.payload, sizeof mqtt->will.payload, "%s", will->payload);
    mqtt->probe_error[0] = '\0';
    mqtt->probe = curl_easy_init();
    if (mqtt->probe == NULL || curl_easy_setopt(mqtt->probe, CURLOPT_URL, mqtt->url) != CURLE_OK ||
        curl_easy_setopt(mqtt->probe, CURLOPT_CONNECT_ONLY, 1L) != CURLE_OK ||
        curl_easy_setopt(mqtt->probe, CURLOPT_NOSIGNAL, 1L) != CURLE_OK ||
        curl_easy_setopt(mqtt->probe, CURLOPT_PROXY, "") != CURLE_OK ||
        curl_easy_setopt(mqtt->probe, CURLOPT_CONNECTTIMEOUT, PROBE_S) != CURLE_OK ||
        curl_easy_setopt(mqtt->probe, CURLOPT_ERRORBUFFER, mqtt->probe_error) != CURLE_OK ||
        curl_multi_add_handle(mqtt->http->multi, mqtt->probe) != CURLM_OK) {
        drop_probe(mqtt);
        return -1;
    }
    return 0;
}

static void mqtt_disconnect(void *ctx)
{
    struct port_mqtt *mqtt = ctx;

    drop_probe(mqtt);
    if (mqtt->running)
        (void) mosquitto_disconnect(mqtt->mosquitto);
    mqtt->running = false;
}

static int mqtt_subscribe(void *ctx, const char *topic, int qos)
{
    struct port_mqtt *mqtt = ctx;

    return mosquitto_subscribe(mqtt->mosquitto, NULL, topic, qos) == MOSQ_ERR_SUCCESS ? 0 : -1;
}

static int mqtt_publish(void *ctx, const struct gw_mqtt_message *m)
{
    struct port_mqtt *mqtt = ctx;

    return mosquitto_publish(mqtt->mosquitto, NULL, m->topic, (int) m->length, m->payload, m->qos, m->retain) ==
                   MOSQ_ERR_SUCCESS
               ? 0
               : -1;
}

static void mqtt_poll(void *ctx)
{
    struct port_mqtt *mqtt = ctx;
    struct pollfd p = {.fd = mosquitto_socket(mqtt->mosquitto), .events = POLLIN | POLLOUT};
    uint64_t now = port_clock.monotonic_ms(NULL);
    int rc = MOSQ_ERR_SUCCESS;

    if (!mqtt->running || p.fd < 0)
        return;
    if (poll(&p, 1, 0) < 0)
        return;
    if ((p.revents & (POLLIN | POLLHUP | POLLERR)) != 0)
        rc = mosquitto_loop_read(mqtt->mosquitto, 8);
    if (rc == MOSQ_ERR_SUCCESS && mqtt->running && (p.revents & POLLOUT) != 0 && mosquitto_want_write(mqtt->mosquitto))
        rc = mosquitto_loop_write(mqtt->mosquitto, 8);
    if (rc == MOSQ_ERR_SUCCESS && mqtt->running && now >= mqtt->misc_at) {
        mqtt->misc_at = now + MISC_MS;
        rc = mosquitto_loop_misc(mqtt->mosquitto);
    }
    if (rc != MOSQ_ERR_SUCCESS && mqtt->running) { /* without on_disconnect() */
        mqtt->running = false;
        gw_mqtt_lost(mqtt->gw, mosquitto_strerror(rc));
    }
}

int port_mqtt_open(struct port_mqtt *mqtt, struct gw *gw, struct port_http *http, const char *id, const char *host,
                   int port, const char *user, const char *password)
{
    bool v6 = strchr(host, ':') != NULL;

    *mqtt = (struct port_mqtt){
        .gw = gw, .http = http, .id = id, .host = host, .port = port, .user = user, .password = password};
    mqtt->mqtt = (struct gw_mqtt){mqtt, mqtt_connect, mqtt_disconnect, mqtt_subscribe, mqtt_publish, mqtt_poll};
    http->probe_ctx = mqtt;
    http->probe_done = probe_done;
    if (snprintf(mqtt->url, sizeof mqtt->url, "http://%s%s%s:%d/", v6 ? "[" : "", host, v6 ? "]" : "", port) >=
            (int) sizeof mqtt->url ||
        mosquitto_lib_init() != MOSQ_ERR_SUCCESS)
        return -1;
    mqtt->mosquitto = mosquitto_new(NULL, true, mqtt);
    return mqtt->mosquitto != NULL ? 0 : -1;
}

void port_mqtt_close(struct port_mqtt *mqtt, uint32_t ms)
{
    uint64_t end = port_clock.monotonic_ms(NULL) + ms;

    while (mosquitto_socket(mqtt->mosquitto) >= 0 && mosquitto_want_write(mqtt->mosquitto) &&
           port_clock.monotonic_ms(NULL) < end) {
        struct pollfd p = {.fd = mosquitto_socket(mqtt->mosquitto), .events = POLLOUT};

        if (poll(&p, 1, 50) < 0 || mosquitto_loop_write(mqtt->mosquitto, 8) != MOSQ_ERR_SUCCESS)
            break;
    }
    drop_probe(mqtt);
    mosquitto_destroy(mqtt->mosquitto);
    (void) mosquitto_lib_cleanup();
}
