/* SPDX-License-Identifier: MIT */
/* The gateway as a device of its own: what ESP-IDF says of the running program, in the words of gw/self.h. */
#include "port.h"

#include <stdio.h>

static struct gw_self self;

struct gw_self *port_self(const struct gw_storage *storage, const struct fota_key *keys, unsigned key_count)
{
    struct gw_self_config config = {
        .target = {.product = FOTA_GATEWAY_PRODUCT, .hw_revision = (uint16_t) (CONFIG_IDF_FIRMWARE_CHIP_ID)},
        .keys = keys,
        .key_count = key_count,
        .storage = storage,
        .clock = &port_clock};
    struct fota_version *v = &config.version;
    char version[40];
    unsigned long build = 0;

    config.slot = port_ota_running(config.uid, version, sizeof version);
    (void) sscanf(version[0] != '\0' ? version : FOTA_VERSION, "%hu.%hu.%hu+%lu", &v->major, &v->minor, &v->patch,
                  &build);
    v->build = (uint32_t) build;
    if (gw_self_init(&self, &config, &port_ota) != FOTA_OK)
        port_log(GW_LOG_ERROR, "what became of an update of this gateway cannot be recorded: is NVS full?");
    return &self;
}
