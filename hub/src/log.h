/* SPDX-License-Identifier: MIT */
/** @file log.h Lines on stderr: time, level, text. Never a token, never a password. */
#ifndef HUB_LOG_H
#define HUB_LOG_H

enum hub_log_level { HUB_LOG_ERROR, HUB_LOG_WARN, HUB_LOG_INFO, HUB_LOG_DEBUG };

/** Lines above this level are dropped; HUB_LOG_INFO at first. */
void hub_log_set_level(enum hub_log_level level);

/** @param name error, warn, info or debug. @return the level, or -1. */
int hub_log_parse_level(const char *name);

/** Write a line. May be called from any thread. */
void hub_log(enum hub_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
