/* SPDX-License-Identifier: MIT */
/**
 * @file strom.h
 * What ST's factory bootloader (system memory) of the STM32F407 and its hosts agree upon: AN3155 (USART), AN4286 (SPI)
 * and the chip's section of AN2606.
 */
#ifndef FOTA_STROM_H
#define FOTA_STROM_H

#define FOTA_ST_ACK 0x79u
#define FOTA_ST_NACK 0x1Fu
#define FOTA_ST_UART_SYNC 0x7Fu /* the baud rate is measured on it */
#define FOTA_ST_SPI_SYNC 0x5Au  /* once to be noticed, and then in front of each command */
#define FOTA_ST_SPI_IDLE 0xA5u  /* what the slave sends while it has nothing to say */
#define FOTA_ST_SPI_DUMMY 0x00u /* what the master sends to hear something */

/** Each is sent with its complement behind it. */
enum fota_st_command {
    FOTA_ST_GET = 0x00,
    FOTA_ST_GET_VERSION = 0x01,
    FOTA_ST_GET_ID = 0x02,
    FOTA_ST_READ = 0x11,
    FOTA_ST_GO = 0x21,
    FOTA_ST_WRITE = 0x31,
    FOTA_ST_ERASE = 0x44, /* Extended Erase */
    FOTA_ST_WRITE_PROTECT = 0x63,
    FOTA_ST_WRITE_UNPROTECT = 0x73,
    FOTA_ST_READOUT_PROTECT = 0x82,
    FOTA_ST_READOUT_UNPROTECT = 0x92
};
#define FOTA_ST_COMMANDS 11u

#define FOTA_ST_BLOCK 256u          /* bytes in a Read or Write Memory at most */
#define FOTA_ST_ERASE_ALL 0xFFFFu   /* in place of Extended Erase's count */
#define FOTA_ST_CHIP_ID 0x413u      /* STM32F405, 407, 415, 417 */
#define FOTA_ST_UART_PROTOCOL 0x31u /* what Get answers as the version: AN3155 protocol V3.1 */
#define FOTA_ST_SPI_PROTOCOL 0x11u  /* AN4286 protocol V1.1 */

#define FOTA_ST_ID_ADDRESS 0x1FFF77DEu /* one byte: FOTA_ST_V31 or FOTA_ST_V91 */
#define FOTA_ST_V31 0x31u              /* USART1, USART3 (CAN2, USB) */
#define FOTA_ST_V91 0x91u              /* SPI1, SPI2 as well (and I2C) */

#define FOTA_ST_RAM_FREE 0x20003000u        /* the ROM needs what lies below (V3.1: only 8 KiB of it) */
#define FOTA_ST_OPTIONS_ADDRESS 0x1FFFC000u /* 16 bytes: user and RDP at 0, nWRP at 8, complements behind each */

#define FOTA_ST_RDP_LEVEL_0 0xAAu /* the RDP byte; what is neither of these two is level 1 (RM0090 3.7.3) */
#define FOTA_ST_RDP_LEVEL_2 0xCCu /* for ever */

/** A virtual address: the voltage range in the first byte of a write of four sets the width of flash operations. */
#define FOTA_ST_PSIZE_ADDRESS 0xFFFF0000u
#define FOTA_ST_PSIZE_X8 0x00u  /* 1.8 to 2.1 V: after a reset */
#define FOTA_ST_PSIZE_X16 0x01u /* 2.1 to 2.4 V; 0x02, 2.4 to 2.7 V, is the same */
#define FOTA_ST_PSIZE_X32 0x03u /* 2.7 to 3.6 V */

#define FOTA_ST_SPI_HZ 8000000u      /* clock at most */
#define FOTA_ST_SPI_GAP_NS 15000u    /* between two bytes at least (AN4286) */
#define FOTA_ST_SPI_GAP_MIN_NS 8000u /* AN2606, table of the SPI timings, has this instead */

/* From the end of the reset to the first byte that is heard, in us (AN2606). */
#define FOTA_ST_START_V31_US 84600u
#define FOTA_ST_START_V91_US 74000u
#define FOTA_ST_START_V91_NO_HSE_US 96000u

#endif
