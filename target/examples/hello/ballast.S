/* SPDX-License-Identifier: MIT */
/* HELLO_BALLAST bytes that make the image as large as a real one, so that an update takes a while on a slow line. Every byte is at least 0x40:
 * the self-test checks that, and none of the words looks like an address of the flash. */
    .syntax unified
    .section .rodata.ballast, "aR", %progbits /* R: kept even where nothing refers to it */
    .global hello_ballast, hello_ballast_end
    .balign 4
hello_ballast:
    .set x, 1
    .rept HELLO_BALLAST / 4
    .set x, (x * 1664525 + 1013904223) & 0xFFFFFFFF
    .word ((x >> 3) & 0x3F3F3F3F) | 0x40404040
    .endr
hello_ballast_end:
