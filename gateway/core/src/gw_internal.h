/* SPDX-License-Identifier: MIT */
/** @file gw_internal.h What gw.c, device.c, command.c, report.c and record.c share. */
#ifndef GW_INTERNAL_H
#define GW_INTERNAL_H

#include "gw/gw.h"

#define TOPIC_MAX (8u + 2u * GW_NAME_MAX + 16u)

uint64_t gw_now(const struct gw *gw);
void gw_log(const struct gw *gw, enum gw_log_level level, const char *device, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
struct gw_device *gw_find_device(struct gw *gw, const char *name);

/* device.c */
void device_init(struct gw_device *d);
uint32_t device_poll(struct gw_device *d);
bool device_busy(const struct gw_device *d); /* a job is under way */
/** Take a job. @return false when it could not be recorded. */
bool device_accept(struct gw_device *d, const struct gw_job *job);
/** @return NULL, or the reason why not. */
const char *device_cancel(struct gw_device *d, const char *job, char *detail, size_t capacity);
bool device_seen(const struct gw_device *d, const char *job);

/* channel.c */
void channel_init(struct gw_channel *c, struct gw *gw, const struct gw_channel_config *config);
uint32_t channel_poll(struct gw_channel *c);
void channel_stop(struct gw_channel *c);
/** A problem is said once, not with every poll; "" clears it. */
void channel_problem(struct gw_channel *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
uint64_t channel_unix_s(const struct gw *gw);
/* channel_devices.c: start what is due. */
void channel_apply(struct gw_channel *c);
int channel_authorize(void *ctx, const char *channel, const char *url, struct gw_auth *auth);

/* command.c */
void command_received(struct gw *gw, const void *payload, size_t length);

/* chunk_messages.c */
bool chunk_ready(void *ctx); /* ctx of these two: the gateway */
int chunk_ask(void *ctx, const uint8_t digest[GW_DIGEST_SIZE], uint32_t offset, uint32_t count, uint32_t size,
              uint64_t *seq);
void chunk_subscribe(struct gw *gw);
void chunk_data_received(struct gw *gw, const void *payload, size_t length);
void chunk_error_received(struct gw *gw, const void *payload, size_t length);

/* record.c */
bool record_save(struct gw_device *d);
void record_load(struct gw_device *d);
void record_seq_load(struct gw *gw);
uint64_t record_seq_next(struct gw *gw);

/* report.c */
void report_state(struct gw_device *d);
void report_progress(struct gw_device *d, uint32_t bytes, uint32_t total);
void report_reply(struct gw *gw, const struct gw_command *command, bool ok, bool duplicate, const char *reason,
                  const char *detail);
/** What the channels say, and what is wrong with them; retained. */
void report_channels(struct gw *gw);
void report_presence(struct gw *gw, bool online, uint64_t seq);
/** The last will into caller's buffers. */
void report_will(struct gw *gw, uint64_t seq, char topic[TOPIC_MAX], char *payload, size_t capacity,
                 struct gw_mqtt_message *will);

/* device_rom.c */
#define GW_ROM_POLL_MS 100u
enum device_rom_state { DEVICE_ROM_WRITES, DEVICE_ROM_VERIFIES, DEVICE_ROM_DONE, DEVICE_ROM_FAILED };
/** Begin to write the job's image through ST's ROM. @return false when no thread could be had. */
bool device_rom_start(struct gw_device *d, const struct gw_source *source);
void device_rom_cancel(struct gw_device *d);
/** How far it is. @param reason, detail set when it has failed. After DONE or FAILED it is over. */
enum device_rom_state device_rom_poll(struct gw_device *d, uint32_t *bytes, const char **reason, const char **detail);

#endif
