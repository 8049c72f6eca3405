/* SPDX-License-Identifier: MIT */
/* The gateway as a device of its own: what ESP-IDF says of the running program, in the words of gw/self.h. */
#include "port.h"

#include "gw/text.h"

static struct gw_self self;

struct gw_self *port_self(const struct fota_key *keys, unsigned key_count)
{
    struct gw_self_config config = {
        .target = {.product = FOTA_GATEWAY_PRODUCT, .hw_revision = (uint16_t) (CONFIG_IDF_FIRMWARE_CHIP_ID)},
        .keys = keys,
        .key_count = key_count,
        .storage = port_records,
        .clock = &port_clock};

    config.version = gw_version_of(FOTA_VERSION);
    port_ota_running(&config);
    if (gw_self_init(&self, &config, &port_ota) != FOTA_OK)
        port_log(GW_LOG_ERROR, "what became of an update of this gateway cannot be read or recorded: is NVS full?");
    return &self;
}
