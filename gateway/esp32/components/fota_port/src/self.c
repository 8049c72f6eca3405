/* SPDX-License-Identifier: MIT */
/* The gateway as a device of its own: what ESP-IDF says of the running program, in the words of gw/self.h. */
#include "port.h"

#include <stdlib.h>

static struct gw_self self;

struct gw_self *port_self(const struct gw_storage *storage, const struct fota_key *keys, unsigned key_count)
{
    struct gw_self_config config = {
        .target = {.product = FOTA_GATEWAY_PRODUCT, .hw_revision = (uint16_t) (CONFIG_IDF_FIRMWARE_CHIP_ID)},
        .keys = keys,
        .key_count = key_count,
        .storage = storage,
        .clock = &port_clock};
    unsigned long part[4] = {0};
    char version[40] = FOTA_VERSION, *at = version;

    config.slot = port_ota_running(config.uid, version, sizeof version);
    for (unsigned i = 0; i < 4u && *at != '\0'; i++, at += *at != '\0') /* 1.2.3+4 */
        part[i] = strtoul(at, &at, 10);
    config.version = (struct fota_version){.major = (uint16_t) part[0],
                                           .minor = (uint16_t) part[1],
                                           .patch = (uint16_t) part[2],
                                           .build = (uint32_t) part[3]};
    if (gw_self_init(&self, &config, &port_ota) != FOTA_OK)
        port_log(GW_LOG_ERROR, "what became of an update of this gateway cannot be recorded: is NVS full?");
    return &self;
}
