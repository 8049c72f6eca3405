/* SPDX-License-Identifier: MIT */
#include "fota/error.h"

const char *fota_error_name(int e)
{
    switch (e) {
    case FOTA_OK:
        return "ok";
#define X(name, value, word, text)                                                                                     \
    case value:                                                                                                        \
        return word;
        FOTA_ERRORS(X)
#undef X
    default:
        return "unknown-error";
    }
}

const char *fota_error_text(int e)
{
    switch (e) {
    case FOTA_OK:
        return "no error";
#define X(name, value, word, text)                                                                                     \
    case value:                                                                                                        \
        return text;
        FOTA_ERRORS(X)
#undef X
    default:
        return "an error that this program does not know";
    }
}
