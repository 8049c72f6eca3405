/* SPDX-License-Identifier: MIT */
/** @file port.h The ESP32 port: what stands behind the vtables of gw/port.h. One task runs the portable core; HTTP and
 *  MQTT have tasks of their own and hand over through bounded buffers. */
#ifndef GW_ESP32_PORT_H
#define GW_ESP32_PORT_H

#include "gw/gw.h"
#include "gw/self.h"

#include <sdkconfig.h>
#include <stdio.h>

/* --- stacks: bytes on the chip; a host's libraries need more ------------------------------------ */
#ifdef CONFIG_IDF_TARGET_LINUX
#define PORT_STACK(bytes) ((bytes) + 65536u)
#else
#define PORT_STACK(bytes) (bytes)
#endif
#define PORT_GATEWAY_STACK PORT_STACK(10240u)
#define PORT_HTTP_STACK PORT_STACK(7168u)
#define PORT_MQTT_STACK PORT_STACK(4096u)        /* what is sent */
#define PORT_MQTT_CLIENT_STACK PORT_STACK(6144u) /* esp-mqtt's own, from the heap, once a connection */
#define PORT_PRIORITY 5

/** Start everything; called once, by app_main(). */
void port_app_start(void);
/** There is something to do for the gateway's task. From any task. */
void port_wake(void);

/* --- clock.c ------------------------------------------------------------------------------------ */
extern const struct gw_clock port_clock;
/** @return whether the wall clock was set: SNTP has answered. */
bool port_clock_is_set(void);

/* --- log.c -------------------------------------------------------------------------------------- */
extern const struct gw_logger port_logger;
void port_log(enum gw_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** @param name error, warning, info or debug. @return false: none of them. */
bool port_log_level(const char *name);

/* --- settings.c: menuconfig's values, replaced by those of the console, which NVS keeps --------- */
struct port_settings {
    char wifi_ssid[33], wifi_password[65];
    char id[33], device[33], self[33];
    char broker[128], broker_user[65], broker_password[129];
    char hub_url[256], hub_token[129];
    char key1[129], key2[129];
    char channel[FOTA_CHANNEL_NAME_SIZE], channel_url[256], channel_product[37], channel_poll[6];
    char region[33], access_key[129], secret_key[129];
    char sntp[65];
    char baud[8], max_baud[8], log[8];
    char ca[2048]; /* PEM; trusted by HTTP and MQTT instead of the bundle */
};
extern struct port_settings port_settings;
/** Read them. @return 0, or -1: NVS could not be opened, the defaults hold. */
int port_settings_load(void);
/** Keep one. @param value NULL: forget it. @param error room for a sentence. @return 0 or -1. */
int port_settings_set(const char *name, const char *value, char *error, size_t capacity);
/** Print all of them; of a secret only that it is there. */
void port_settings_print(void);
/** A number of a setting. @return the number, or `otherwise` where it is none or out of bounds. */
uint32_t port_settings_number(const char *text, uint32_t least, uint32_t most, uint32_t otherwise);

/* --- key.c -------------------------------------------------------------------------------------- */
/** A P-256 public key: the base64 of a PEM file's body (SubjectPublicKeyInfo), in one line. @return 0 or -1. */
int port_key_parse(const char *text, struct fota_key *key);

/* --- console.c ---------------------------------------------------------------------------------- */
/** Look at the serial console; never waits. */
void port_console_poll(void);

/* --- cache.c: packages in raw flash; portable ---------------------------------------------------- */
#define PORT_SECTOR 4096u
#define PORT_SLOT (512u * 1024u) /* a device's package has at most 376 KiB of code and a little more */
#define PORT_SLOTS_MAX 2u        /* a larger partition is not used: a package takes one, or both */

/** A region of NOR flash. Each returns 0 or -1. */
struct port_flash {
    void *ctx;
    int (*read)(void *ctx, uint32_t offset, void *data, size_t length);
    int (*write)(void *ctx, uint32_t offset, const void *data, size_t length); /* ones to zeros only */
    int (*erase)(void *ctx, uint32_t offset, size_t length);                   /* whole sectors */
};

struct port_cache_slot {
    bool used, complete;
    uint8_t digest[GW_DIGEST_SIZE];
    uint32_t length, synced; /* bytes; those that a cut leaves */
    uint32_t erased;         /* data is erased up to here */
    uint32_t cells;          /* of the log that are written */
    uint32_t touched;
};

struct port_cache {
    struct port_flash flash;
    uint32_t slot_size; /* bytes, with the sector of the log */
    unsigned slots;
    uint32_t clock; /* the greatest `touched` */
    struct port_cache_slot slot[PORT_SLOTS_MAX];
};

/** Read what is there. @param size bytes of the region. @return 0, or -1: too small, or it cannot be read. */
int port_cache_open(struct port_cache *cache, const struct port_flash *flash, uint32_t size);
/** The functions of struct gw_storage for packages; ctx is the cache. */
void port_cache_storage(struct port_cache *cache, struct gw_storage *storage);

/* --- storage.c ---------------------------------------------------------------------------------- */
/** NVS and the partition `packages`. @return NULL and a sentence in `error` when they cannot be had. */
const struct gw_storage *port_storage_open(char *error, size_t capacity);
/** Its records alone, which need no partition. */
extern const struct gw_storage *const port_records;
/** How many packages the partition holds. */
unsigned port_storage_files(void);

/* --- self.c ------------------------------------------------------------------------------------- */
/** The gateway as a device of its own. @param keys kept by reference. */
struct gw_self *port_self(const struct fota_key *keys, unsigned key_count);
/** Where programs lie: the two OTA partitions, and ESP-IDF's bootloader with rollback. */
extern const struct gw_self_port port_ota;
/** What is known of the running program: place, version, floor (its security counter), and the chip's uid. */
void port_ota_running(struct gw_self_config *config);

/* --- http.c ------------------------------------------------------------------------------------- */
extern const struct gw_http port_http;
void port_http_start(void);

/* --- mqtt.c ------------------------------------------------------------------------------------- */
extern const struct gw_mqtt port_mqtt;
void port_mqtt_start(struct gw *gw);

/* --- what a host has not, see fota_drivers and host/ --------------------------------------------- */
/** The line to the device. */
const struct gw_link *port_line(void);
/** NRST and BOOT0; NULL: not wired. */
const struct gw_pins *port_pins(void);
/** Begin to connect to Wi-Fi and keep on connecting; ask for the time when there is a network. */
void port_net_start(void);
/** This task has to call port_watchdog_feed() within 30 s, from now on, or the chip restarts. */
void port_watchdog_start(void);
void port_watchdog_feed(void);
/** Restart the chip. */
void port_restart(void) __attribute__((noreturn));
/** Print free and least free heap, and the least free stack of each task, in bytes. */
void port_memory_print(void);

#endif
