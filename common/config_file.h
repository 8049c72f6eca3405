/* SPDX-License-Identifier: MIT */
/** @file config_file.h Configuration files: a JSON object with comments, read strictly. */
#ifndef FOTA_CONFIG_FILE_H
#define FOTA_CONFIG_FILE_H

#include <cJSON.h>
#include <stddef.h>

#define FOTA_CONFIG_MAX 65536u /* bytes of a file */

/** Read a JSON object in which // and slash-star comments are allowed.
 *  @param error on failure: a sentence with the file's name and, where there is one, the line.
 *  @return the object, to be freed with cJSON_Delete(); or NULL: not readable, too large, no JSON object, something
 *  after it, a member twice. */
cJSON *fota_config_file_read(const char *path, char *error, size_t capacity);

/** The first line of a file that holds a secret, without its end.
 *  @return 0, or -1 with a sentence that names the file and nothing of its content. */
int fota_secret_read(const char *path, char *secret, size_t secret_capacity, char *error, size_t capacity);

/** A value for a message: its JSON, cut to the capacity. */
void fota_config_show(const cJSON *item, char *text, size_t capacity);

#endif
