/* SPDX-License-Identifier: MIT */
/** @file fetch_internal.h What fetch.c and fetch_mqtt.c share. */
#ifndef GW_FETCH_INTERNAL_H
#define GW_FETCH_INTERNAL_H

#include "gw/fetch.h"

/** Say what is wrong with the present attempt; judged when it has ended. */
void fetch_trouble(struct gw_fetch *f, bool permanent, const char *reason, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/** Remove what is in the cache. @return whether that worked. */
bool fetch_forget(struct gw_fetch *f);
/** A length that the other side says, against all bounds; sets the trouble. */
bool fetch_length_fits(struct gw_fetch *f, int64_t total);
/** Bytes for the cache. @return 0, or -1 and the trouble is set. */
int fetch_take(struct gw_fetch *f, const uint8_t *data, size_t length);
void fetch_begin_check(struct gw_fetch *f);
/** The attempt has ended in vain: another one later, or the end. */
void fetch_pause_or_fail(struct gw_fetch *f);
/** Milliseconds without a byte that end an attempt. */
uint32_t fetch_stall_ms(const struct gw_fetch *f);

/** @return whether the next attempt goes over MQTT. */
bool fetch_mqtt_next(const struct gw_fetch *f);
void fetch_mqtt_run(struct gw_fetch *f);
/** @return ms until the next call is wanted. */
uint32_t fetch_mqtt_poll(struct gw_fetch *f);

#endif
