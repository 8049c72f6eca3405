/* SPDX-License-Identifier: MIT */
/*
 * gw_mqtt on esp-mqtt. Its functions may block for as long as the network does, so the gateway puts what it wants into
 * a stream buffer, and a task of this file does it in that order. What esp-mqtt's own task receives is handed over in a
 * mailbox of one message: while that is full the task waits, and so does the broker. Each connection is a new client
 * and has a number: what an old one says after it was replaced is not heard.
 */
#include "port.h"

#include <freertos/FreeRTOS.h>
#include <freertos/semphr.h>
#include <freertos/stream_buffer.h>
#include <freertos/task.h>
#include <mqtt_client.h>
#include <string.h>
#ifdef CONFIG_MBEDTLS_CERTIFICATE_BUNDLE
#include <esp_crt_bundle.h>
#endif

#define OUT 3072u                 /* bytes that wait to be sent */
#define OUT_MESSAGE GW_REPORT_MAX /* the longest of them: a state with all of its texts */
#define TOPIC 104u                /* fota/v1/<gateway>/<device>/progress */
#define KEEPALIVE_S 30            /* as on Linux */
#define NETWORK_MS 10000
#define CERTIFICATE 0x2700 /* MBEDTLS_ERR_X509_CERT_VERIFY_FAILED, without its sign */
#define MAILBOX_MS 2000    /* then a message is dropped: chunks are asked for again, commands are sent again */

enum kind { CONNECT, DISCONNECT, SUBSCRIBE, PUBLISH };

struct order {
    enum kind kind;
    unsigned connection;
    int qos;
    bool retain;
    size_t topic, payload; /* lengths; the bytes follow */
};

static struct gw *gateway;
static unsigned connection; /* of the gateway's; grows with each connect() */

static uint8_t out_storage[OUT + 1u];
static StaticStreamBuffer_t out_control;
static StreamBufferHandle_t out;
static StackType_t stack[PORT_MQTT_STACK / sizeof(StackType_t)];
static StaticTask_t task_control;

/* what the client's task says */
static atomic_uint up, down; /* connections that came about, that were lost */
static char why[96];         /* of the last loss */
static StaticSemaphore_t room_control;
static SemaphoreHandle_t room; /* the mailbox is empty */
static struct {
    atomic_bool full;
    unsigned connection;
    char topic[TOPIC];
    char payload[GW_PAYLOAD_MAX + 1u];
    size_t length;
} mail;

/* --- in the client's task --------------------------------------------------------------------- */

static void note_error(const esp_mqtt_error_codes_t *e)
{
    if (e == NULL)
        return;
    if (e->error_type == MQTT_ERROR_TYPE_CONNECTION_REFUSED)
        (void) snprintf(why, sizeof why, "refused with code %d: user, password, access list?",
                        (int) e->connect_return_code);
    else if (e->esp_tls_cert_verify_flags != 0 || e->esp_tls_stack_err == CERTIFICATE)
        (void) snprintf(why, sizeof why, "its certificate was refused, flags 0x%x: setting `ca`, clock?",
                        (unsigned) e->esp_tls_cert_verify_flags);
    else if (e->esp_tls_last_esp_err != 0)
        (void) snprintf(why, sizeof why, "%s", esp_err_to_name(e->esp_tls_last_esp_err));
}

/* A message longer than the client's buffer comes in parts: the first one is too long for the core, which says so. */
static void deliver(const esp_mqtt_event_t *event, unsigned number)
{
    size_t length = event->data_len > 0 ? (size_t) event->data_len : 0u;

    if (event->current_data_offset != 0 || event->topic_len <= 0 || (size_t) event->topic_len >= TOPIC)
        return;
    if (xSemaphoreTake(room, pdMS_TO_TICKS(MAILBOX_MS)) != pdTRUE)
        return;
    mail.connection = number;
    memcpy(mail.topic, event->topic, (size_t) event->topic_len);
    mail.topic[event->topic_len] = '\0';
    mail.length = length < sizeof mail.payload ? length : sizeof mail.payload;
    memcpy(mail.payload, event->data, mail.length);
    mail.full = true;
    port_wake();
}

static void on_event(void *arg, esp_event_base_t base, int32_t id, void *data)
{
    const esp_mqtt_event_t *event = data;
    unsigned number = (unsigned) (uintptr_t) arg;

    (void) base;
    if (id == MQTT_EVENT_CONNECTED)
        up = number;
    else if (id == MQTT_EVENT_DISCONNECTED)
        down = number;
    else if (id == MQTT_EVENT_ERROR)
        note_error(event->error_handle);
    else if (id == MQTT_EVENT_DATA)
        deliver(event, number);
    port_wake();
}

/* --- in the sending task ---------------------------------------------------------------------- */

static bool over_tls(void)
{
    return strncmp(port_settings.broker, "mqtts:", 6) == 0;
}

static bool tls_too_early(void)
{
    return over_tls() && !port_clock_is_set();
}

static esp_mqtt_client_handle_t begin(const struct order *o, const char *topic, const char *payload)
{
    const esp_mqtt_client_config_t config = {
        .broker.address.uri = port_settings.broker,
        .broker.verification.certificate = over_tls() && port_settings.ca[0] != '\0' ? port_settings.ca : NULL,
#ifdef CONFIG_MBEDTLS_CERTIFICATE_BUNDLE
        .broker.verification.crt_bundle_attach =
            over_tls() && port_settings.ca[0] == '\0' ? esp_crt_bundle_attach : NULL,
#endif
        .credentials.username = port_settings.broker_user[0] != '\0' ? port_settings.broker_user : NULL,
        .credentials.authentication.password =
            port_settings.broker_password[0] != '\0' ? port_settings.broker_password : NULL,
        .credentials.client_id = port_settings.id,
        .session.last_will = {.topic = topic, .msg = payload, .msg_len = (int) o->payload, .qos = 1, .retain = 1},
        .session.keepalive = KEEPALIVE_S,
        .session.protocol_ver = MQTT_PROTOCOL_V_3_1_1,
        .network.timeout_ms = NETWORK_MS,
        .network.disable_auto_reconnect = true,
        .task = {.priority = PORT_PRIORITY, .stack_size = PORT_MQTT_CLIENT_STACK / sizeof(StackType_t)},
        .buffer = {.size = (int) (GW_PAYLOAD_MAX + 256u), .out_size = (int) (OUT_MESSAGE + 256u)},
    };
    esp_mqtt_client_handle_t client = esp_mqtt_client_init(&config);

    if (client == NULL)
        return NULL;
    if (esp_mqtt_client_register_event(client, MQTT_EVENT_ANY, on_event, (void *) (uintptr_t) o->connection) !=
            ESP_OK ||
        esp_mqtt_client_start(client) != ESP_OK) {
        (void) esp_mqtt_client_destroy(client);
        return NULL;
    }
    return client;
}

static esp_mqtt_client_handle_t obey(esp_mqtt_client_handle_t client, const struct order *o, const char *topic,
                                     const char *payload)
{
    if ((o->kind == CONNECT || o->kind == DISCONNECT) && client != NULL) {
        (void) esp_mqtt_client_destroy(client);
        client = NULL;
    }
    if (o->kind == CONNECT) {
        (void) snprintf(why, sizeof why, "%s",
                        tls_too_early() ? "the clock is not set yet, and TLS needs it: setting `sntp`"
                                        : "no connection");
        if (!tls_too_early())
            client = begin(o, topic, payload);
        if (client == NULL) {
            down = o->connection;
            port_wake();
        }
    } else if (o->kind == SUBSCRIBE && client != NULL) {
        (void) esp_mqtt_client_subscribe_single(client, topic, o->qos);
    } else if (o->kind == PUBLISH && client != NULL) {
        (void) esp_mqtt_client_publish(client, topic, payload, (int) o->payload, o->qos, o->retain);
    }
    return client;
}

static void take_out(void *to, size_t length)
{
    uint8_t *at = to;

    while (length > 0) {
        size_t n = xStreamBufferReceive(out, at, length, portMAX_DELAY);

        at += n;
        length -= n;
    }
}

static void run(void *arg)
{
    static char topic[TOPIC], payload[OUT_MESSAGE];
    esp_mqtt_client_handle_t client = NULL;

    (void) arg;
    for (;;) { /* endless: the task's; it sleeps until there is an order */
        struct order o;

        take_out(&o, sizeof o);
        take_out(topic, o.topic);
        topic[o.topic] = '\0';
        take_out(payload, o.payload);
        client = obey(client, &o, topic, payload);
    }
}

/* --- for the core ----------------------------------------------------------------------------- */

/* The only writer: what fits now will fit. */
static int put(enum kind kind, const char *topic, const void *payload, size_t length, int qos, bool retain)
{
    const struct order o = {kind, connection, qos, retain, strlen(topic), length};

    if (o.topic >= TOPIC || length > OUT_MESSAGE || xStreamBufferSpacesAvailable(out) < sizeof o + o.topic + o.payload)
        return -1;
    (void) xStreamBufferSend(out, &o, sizeof o, 0);
    if (o.topic > 0)
        (void) xStreamBufferSend(out, topic, o.topic, 0);
    if (length > 0)
        (void) xStreamBufferSend(out, payload, length, 0);
    return 0;
}

static int mqtt_connect(void *ctx, const struct gw_mqtt_message *will)
{
    (void) ctx;
    if (port_settings.broker[0] == '\0')
        return -1; /* a channel alone */
    connection++;
    return put(CONNECT, will->topic, will->payload, will->length, will->qos, will->retain);
}

static void mqtt_disconnect(void *ctx)
{
    (void) ctx;
    connection++;
    (void) put(DISCONNECT, "", NULL, 0, 0, false);
}

static int mqtt_subscribe(void *ctx, const char *topic, int qos)
{
    (void) ctx;
    return put(SUBSCRIBE, topic, NULL, 0, qos, false);
}

static int mqtt_publish(void *ctx, const struct gw_mqtt_message *m)
{
    int result = put(PUBLISH, m->topic, m->payload, m->length, m->qos, m->retain);

    (void) ctx;
    if (result != 0)
        port_log(GW_LOG_WARNING, "a message of %u bytes to %s was not taken: the broker is slower than we are",
                 (unsigned) m->length, m->topic);
    return result;
}

static void mqtt_poll(void *ctx)
{
    static unsigned heard_up, heard_down;

    (void) ctx;
    if (up == connection && heard_up != connection) {
        heard_up = connection;
        gw_mqtt_connected(gateway);
    }
    if (mail.full) {
        if (mail.connection == connection)
            gw_mqtt_received(gateway, mail.topic, mail.payload, mail.length);
        mail.full = false;
        (void) xSemaphoreGive(room);
    }
    if (down == connection && heard_down != connection) {
        heard_down = connection;
        gw_mqtt_lost(gateway, why);
    }
}

const struct gw_mqtt port_mqtt = {NULL, mqtt_connect, mqtt_disconnect, mqtt_subscribe, mqtt_publish, mqtt_poll};

void port_mqtt_start(struct gw *gw)
{
    gateway = gw;
    room = xSemaphoreCreateBinaryStatic(&room_control);
    (void) xSemaphoreGive(room);
    out = xStreamBufferCreateStatic(sizeof out_storage - 1u, 1, out_storage, &out_control);
    (void) xTaskCreateStatic(run, "mqtt-out", sizeof stack / sizeof stack[0], NULL, PORT_PRIORITY, stack,
                             &task_control);
}
