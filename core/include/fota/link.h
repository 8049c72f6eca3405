/* SPDX-License-Identifier: MIT */
/**
 * @file link.h
 * The link between gateway and target: frames on a byte stream (UART now, SPI the same way). docs/link.md is
 * the specification. A frame is
 *
 *   u8 protocol version | u8 type | u8 tag | u8 0 | u32 session | payload | u32 CRC-32 of all before
 *
 * COBS-encoded and ended by 0x00. A sender begins with a 0x00 as well after silence, so that text or noise on
 * the line ends there. A response has the request's type + 0x80 and its tag, and its payload begins with an
 * int16 status (enum fota_error) and two zero bytes; the rest is there only when the status is FOTA_OK (for
 * DATA also with FOTA_E_OFFSET and FOTA_E_LATER).
 */
#ifndef FOTA_LINK_H
#define FOTA_LINK_H

#include "fota/error.h"
#include "fota/header.h"

#include <stddef.h>

#define FOTA_LINK_VERSION 1u
#define FOTA_LINK_DATA_MAX 2048u /* bytes of image in one DATA frame; a multiple of 4 */
#define FOTA_LINK_PAYLOAD_MAX (4u + FOTA_LINK_DATA_MAX)
#define FOTA_LINK_HEAD 8u
#define FOTA_LINK_CRC 4u
#define FOTA_LINK_RAW_MAX (FOTA_LINK_HEAD + FOTA_LINK_PAYLOAD_MAX + FOTA_LINK_CRC)
/** COBS adds a byte for each 254 and one; the delimiters on both ends come on top. */
#define FOTA_LINK_WIRE_MAX (FOTA_LINK_RAW_MAX + FOTA_LINK_RAW_MAX / 254u + 1u + 2u)

enum fota_link_type {
    FOTA_LINK_INFO = 1,   /* u8 flags -> struct fota_link_info */
    FOTA_LINK_BEGIN = 2,  /* u8 flags, 3 x 0, header (512) -> struct fota_link_progress; session in the frame's head */
    FOTA_LINK_DATA = 3,   /* u32 offset, bytes (a multiple of 4) -> struct fota_link_progress */
    FOTA_LINK_FINISH = 4, /* -> nothing more */
    FOTA_LINK_STATUS = 5, /* -> struct fota_link_progress */
    FOTA_LINK_ABORT = 6,  /* -> nothing more */
    FOTA_LINK_REBOOT = 7, /* u8 where -> nothing more, then the reset */
    FOTA_LINK_LOG = 8,    /* -> up to 8 x struct fota_link_reject, oldest first */
    FOTA_LINK_BAUD = 9,   /* u32 baud -> nothing more, at the old rate; then the new one is in force */
    FOTA_LINK_RESPONSE = 0x80
};

#define FOTA_LINK_INFO_STAY 0x01u   /* INFO: the bootloader is asked to stay and listen ("hello") */
#define FOTA_LINK_BEGIN_RETRY 0x01u /* BEGIN: install even an image that was rejected before */
#define FOTA_LINK_REBOOT_NORMAL 0u  /* REBOOT: boot as after power-up */
#define FOTA_LINK_REBOOT_LOADER 1u  /* REBOOT: stay in the bootloader and listen */

/** After BAUD: this long without a good frame at the new rate, and both ends go back to the configured one. */
#define FOTA_LINK_BAUD_MS 500u

enum fota_link_mode { FOTA_MODE_BOOTLOADER = 0, FOTA_MODE_APPLICATION = 1 };
enum fota_trial { FOTA_TRIAL_NONE = 0, FOTA_TRIAL_PENDING = 1, FOTA_TRIAL_RUNNING = 2 };

#define FOTA_UID_SIZE 12u
#define FOTA_IDENTITY_SHORT 16u /* of an identity, as the journal keeps it */

#define FOTA_INFO_CONFIGURED 0x01u /* the bootloader has a valid configuration block */
#define FOTA_INFO_BOOTABLE 0x02u   /* there is an image that would boot */
#define FOTA_INFO_INSTALLS 0x04u   /* an application that takes an image into the spare slot while it runs */

/** What a target says of itself: the answer to INFO. */
struct fota_link_info {
    uint8_t mode;           /* enum fota_link_mode */
    uint8_t slot;           /* the one that runs; in the bootloader: that would be booted; FOTA_SLOT_NONE */
    uint8_t confirmed_slot; /* FOTA_SLOT_NONE: none yet */
    uint8_t trial;          /* enum fota_trial */
    uint8_t attempts;       /* of the trial, 1 … 3 */
    uint8_t flags;          /* FOTA_INFO_… */
    uint16_t hw_revision;
    uint8_t product[FOTA_PRODUCT_SIZE];
    uint8_t uid[FOTA_UID_SIZE];
    uint32_t floor;
    struct fota_version version; /* of the image in `slot` */
    uint8_t identity[FOTA_IDENTITY_SIZE];
    struct fota_version bootloader;
    uint16_t data_max;   /* largest DATA this target takes, bytes */
    int16_t last_reason; /* enum fota_error: why the last image was rejected; FOTA_OK when none was */
    uint8_t last_identity[FOTA_IDENTITY_SHORT]; /* which one */
    uint32_t fault_pc, fault_lr; /* of the last image that ended in a fault; 0: not known (the supply was cut since) */
};
#define FOTA_LINK_INFO_SIZE 124u
#define FOTA_LINK_INFO_LEAST 116u /* of a target from before fault_pc */

/** Answer to BEGIN, DATA and STATUS. */
struct fota_link_progress {
    uint8_t slot;    /* being written, FOTA_SLOT_NONE when nothing is */
    uint8_t state;   /* enum fota_install_state (install.h) */
    uint16_t flags;  /* FOTA_PROGRESS_… */
    uint32_t next;   /* offset in the code that is wanted next */
    uint32_t credit; /* data may be sent up to this offset */
};
#define FOTA_LINK_PROGRESS_SIZE 12u
#define FOTA_PROGRESS_WAITS 0x01u /* the application does not let the next sector be erased now */

struct fota_link_reject {
    int16_t reason;
    uint16_t reserved;
    uint8_t identity[FOTA_IDENTITY_SHORT];
};
#define FOTA_LINK_REJECT_SIZE 20u

/* The messages lie in memory as on the wire. */
_Static_assert(sizeof(struct fota_link_info) == FOTA_LINK_INFO_SIZE &&
                   sizeof(struct fota_link_progress) == FOTA_LINK_PROGRESS_SIZE &&
                   sizeof(struct fota_link_reject) == FOTA_LINK_REJECT_SIZE,
               "no padding");

/** A frame; the payload is not copied. */
struct fota_frame {
    uint8_t version, type, tag;
    uint32_t session;
    const uint8_t *payload;
    size_t length;
};

/** Encode a frame for the wire, the delimiters included. @param out room for `capacity` bytes.
 *  @return bytes written, 0 when the payload is too long or does not fit. */
size_t fota_frame_encode(const struct fota_frame *frame, uint8_t *out, size_t capacity);

/** A receiver of frames. */
struct fota_link_rx {
    uint8_t raw[FOTA_LINK_RAW_MAX];
    uint32_t length; /* decoded so far */
    uint8_t run;     /* bytes left in the present COBS run */
    bool zero;       /* a zero follows this run */
    bool bad;        /* wait for the next delimiter */
    bool begun;
    uint32_t damaged; /* frames that failed COBS, length or CRC, for statistics */
};

void fota_link_rx_init(struct fota_link_rx *rx);
/** Take a byte from the line. @param frame filled in when a whole good frame has arrived; its payload points
 * into `rx` and is valid until the next byte. @return true when `frame` is there. Empty, damaged and
 * oversized frames are dropped. */
bool fota_link_rx_byte(struct fota_link_rx *rx, uint8_t byte, struct fota_frame *frame);

/** Read the answer to INFO. @return FOTA_OK or FOTA_E_TRUNCATED. Longer payloads (newer targets) are
 * accepted. */
int fota_link_info_decode(const uint8_t *payload, size_t length, struct fota_link_info *info);
/** Read the answer to BEGIN, DATA or STATUS. @return FOTA_OK or FOTA_E_TRUNCATED. */
int fota_link_progress_decode(const uint8_t *payload, size_t length, struct fota_link_progress *progress);

#endif
