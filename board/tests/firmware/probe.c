/* SPDX-License-Identifier: MIT */
/**
 * @file probe.c
 * A small firmware for the tests of the board's own functions. It says "READY ..." after each reset and then obeys
 * single letters on USART3, asleep in between with a tick each millisecond.
 */
#include "chip.h"

#include <stddef.h>

extern uint8_t _stack_top[];
#define SECTOR5 0x08020000u

volatile uint32_t ticks;
static volatile uint32_t command; /* 0: none */
NOINIT uint32_t kept_word;

static void put(char c)
{
    while (!(USART3_SR & 0x80u))
        ;
    USART3_DR = (uint8_t) c;
}

static void text(const char *s)
{
    for (; *s; s++)
        put(*s);
}

static void number(uint32_t v)
{
    put(' ');
    for (int i = 28; i >= 0; i -= 4)
        put("0123456789abcdef"[v >> i & 15u]);
}

static bool fast_clock(void)
{
    RCC_CR |= 1u << 16;
    for (uint32_t i = 0; !(RCC_CR & 1u << 17); i++)
        if (i == 20000)
            return false;
    FLASH_ACR = 5u | 7u << 8;
    RCC_PLLCFGR = 8u | 336u << 6 | 1u << 22 | 7u << 24;
    RCC_CR |= 1u << 24;
    while (!(RCC_CR & 1u << 25))
        ;
    RCC_CFGR = 5u << 10 | 4u << 13 | 2u;
    while ((RCC_CFGR >> 2 & 3u) != 2u)
        ;
    return true;
}

static void flash(uint32_t cr, uint32_t words)
{
    FLASH_KEYR = 0x45670123u;
    FLASH_KEYR = 0xCDEF89ABu;
    FLASH_CR = 2u << 8 | cr;
    if (cr & 2u)
        FLASH_CR |= 1u << 16;
    for (uint32_t i = 0; i < words; i++) {
        REG(SECTOR5 + 4 * i) = 0x00FF0000u + i;
        while (FLASH_SR & 1u << 16)
            ;
    }
    while (FLASH_SR & 1u << 16)
        ;
    FLASH_CR = 0x80000000u;
}

static uint8_t echo[256];

/** SPI1 as a slave that answers with what it got 256 bytes ago, by DMA. */
static void spi_echo(void)
{
    for (unsigned i = 0; i < sizeof echo; i++)
        echo[i] = 0;
    RCC_AHB1ENR |= 1u << 0 | 1u << 22;
    RCC_APB2ENR |= 1u << 12;
    GPIO('A', 0x20) = 0x55550000u;
    GPIO('A', 0x00) = 0xA800AA00u;
    for (unsigned n = 2; n < 4; n++) {
        DMA2_S(n, 8) = (uint32_t) &SPI1_DR;
        DMA2_S(n, 12) = (uint32_t) echo;
        DMA2_S(n, 4) = sizeof echo;
        DMA2_S(n, 0) = 3u << 25 | 1u << 10 | 1u << 8 | (n == 3 ? 1u << 6 : 0);
        DMA2_S(n, 0) |= 1u;
    }
    SPI1_CR2 = 3;
    SPI1_CR1 = 1u << 6;
}

static void read_protection(uint32_t rdp)
{
    FLASH_OPTKEYR = 0x08192A3Bu;
    FLASH_OPTKEYR = 0x4C5D6E7Fu;
    FLASH_OPTCR = (FLASH_OPTCR & ~0xFF01u) | rdp << 8;
    FLASH_OPTCR |= 2u;
    while (FLASH_SR & 1u << 16)
        ;
    FLASH_OPTCR |= 1u;
}

static void program_otp(void)
{
    FLASH_KEYR = 0x45670123u;
    FLASH_KEYR = 0xCDEF89ABu;
    FLASH_CR = 2u << 8 | 1u;
    REG(0x1FFF7800) = 0xC0DE0001u;
    while (FLASH_SR & 1u << 16)
        ;
    FLASH_CR = 0x80000000u;
}

/** How many of 1600 reads of sector 5's first words differ from the first one of that word. */
static uint32_t unsteady(void)
{
    uint32_t first[16], n = 0;
    for (unsigned i = 0; i < 16; i++)
        first[i] = REG(SECTOR5 + 4 * i);
    for (unsigned round = 0; round < 100; round++)
        for (unsigned i = 0; i < 16; i++)
            n += REG(SECTOR5 + 4 * i) != first[i];
    return n;
}

__attribute__((noinline)) static uint32_t slow(uint32_t x)
{
    for (uint32_t i = 0; i < 1000; i++)
        __asm volatile("nop");
    return 3u * x;
}

static void obey(uint32_t c)
{
    switch (c) {
    case 'u':
        number(unsteady());
        break;
    case 'f':
        number((uint32_t) slow);
        number(slow(7));
        break;
    case 'R':
        read_protection(0x55);
        break;
    case 'r':
        read_protection(0xAA);
        break;
    case 'o':
        program_otp();
        break;
    case 's':
        spi_echo();
        break;
    case 'e': /* erase sector 5 */
        flash(2u | 5u << 3, 0);
        break;
    case 'p': /* program 16 words */
        flash(1u, 16);
        break;
    case 'w': /* start the watchdog, 500 ms at 32 kHz, and forget it */
        IWDG_KR = 0x5555u;
        IWDG_PR = 2;
        IWDG_RLR = 999;
        IWDG_KR = 0xCCCCu;
        while (IWDG_SR)
            ;
        IWDG_KR = 0xAAAAu;
        text("w\n");
        for (;;)
            wait_for_interrupt();
    case 'x': /* software reset */
        SCB_AIRCR = 0x05FA0004u;
        for (;;)
            ;
    case 'l': /* lock up: a fault with FAULTMASK set */
        __asm volatile("cpsid f\n udf #0");
        break;
    case 'b': /* much output */
        for (int i = 0; i < 2000; i++)
            put((char) ('a' + i % 26));
        break;
    case 'd': /* deaf: take no byte for a while */
        USART3_CR1 &= ~(1u << 5);
        for (uint32_t t = ticks; ticks - t < 5;)
            wait_for_interrupt();
        (void) USART3_DR;
        USART3_CR1 |= 1u << 5;
        break;
    default:
        break;
    }
    put((char) c);
    put('\n');
}

static void tick(void)
{
    ticks++;
}

static void receive(void)
{
    if (USART3_SR & 0x28u)
        command = USART3_DR & 0xFFu;
}

__attribute__((noinline)) static void serve(void)
{
    for (;;) {
        irq_off();
        while (!command) {
            wait_for_interrupt();
            irq_on();
            irq_off();
        }
        uint32_t c = command;
        command = 0;
        irq_on();
        obey(c);
    }
}

/** The factory bootloader leaves the PLL on when it starts a program (as CMSIS's SystemInit, this does not mind). */
static void slow_clock(void)
{
    RCC_CFGR = 0;
    while (RCC_CFGR & 0xCu)
        continue;
    RCC_CR &= ~(1u << 24);
}

void reset_handler(void)
{
    uint32_t cause = RCC_CSR;
    if (RCC_CFGR & 0xCu)
        slow_clock();
    RCC_CSR = 1u << 24;
    ticks = command = 0;
    bool hse = fast_clock();
    RCC_AHB1ENR |= 1u << 1;
    RCC_APB1ENR |= 1u << 18 | 1u << 28;
    GPIO('B', 0x24) = 0x7700u;
    GPIO('B', 0x00) = 0x00A00280u;
    USART3_BRR = ((hse ? 42000000u : 16000000u) + 57600u) / 115200u;
    USART3_CR1 = 1u << 13 | 1u << 5 | 1u << 3 | 1u << 2;
    NVIC_ISER(1) = 1u << 7;
    SYST_RVR = (hse ? 168000u : 16000u) - 1u;
    SYST_CVR = 0;
    SYST_CSR = 7;
    PWR_CR |= 1u << 8;
    RTC_BKP(3) = RTC_BKP(3) + 1u;
    kept_word++;
    text(hse ? "READY HSE" : "READY HSI");
    number(cause);
    number(RTC_BKP(3));
    number(kept_word);
    put('\n');
    serve();
}

typedef void (*vector)(void);
__attribute__((section(".vectors"), used)) static const vector vectors[16 + 82] = {
    [0] = (vector) _stack_top,
    [1] = reset_handler,
    [15] = tick,
    [16 + 39] = receive,
};
