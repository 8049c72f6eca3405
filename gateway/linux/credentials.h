/* SPDX-License-Identifier: MIT */
/** @file credentials.h Where credentials for S3 come from on Linux: the environment, or a file as the AWS CLI has it.
 */
#ifndef GW_LINUX_CREDENTIALS_H
#define GW_LINUX_CREDENTIALS_H

#include "gw/sigv4.h"

/** Read credentials. @param file shared-credentials file ("[profile]", "aws_access_key_id = …"), NULL: the environment
 *  (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN). @param profile NULL: "default".
 *  @param out its region is left alone. @param error names the file, the member and no value.
 *  @return 0; 1: no file was given and the environment has none; -1 with `error`. */
int port_credentials_read(const char *file, const char *profile, struct gw_sigv4_credentials *out, char *error,
                          size_t capacity);

/** The region: `given`, or AWS_REGION, or AWS_DEFAULT_REGION, or us-east-1. @return 0, or -1 with `error`. */
int port_credentials_region(const char *given, struct gw_sigv4_credentials *out, char *error, size_t capacity);

#endif
