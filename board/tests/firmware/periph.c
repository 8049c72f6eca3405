/* SPDX-License-Identifier: MIT */
/** @file periph.c Clock tree, flash, USART, DMA and the small peripherals. */
#include "chip.h"

#include <string.h>

static uint32_t cycles(void)
{
    return DWT_CYCCNT;
}

static uint32_t loop_cycles(uint32_t acr)
{
    DEMCR |= 1u << 24;
    DWT_CTRL = 1;
    FLASH_ACR = acr;
    uint32_t begin = cycles();
    for (volatile uint32_t n = 0; n < 1000; n++)
        ;
    uint32_t took = cycles() - begin;
    FLASH_ACR = 5u | 7u << 8;
    return took;
}

void test_clock(void)
{
    EQUAL("rcc: CR after reset", RCC_CR & 0x0F0F00FFu, 0x83u);
    EQUAL("rcc: HSI after reset", RCC_CFGR, 0);
    EQUAL("rcc: PLLCFGR after reset", RCC_PLLCFGR, 0x24003010u);
    FLASH_ACR = 5u | 7u << 8;
    EQUAL("flash: ACR reads back", FLASH_ACR, 0x705u);
    RCC_CR |= 1u << 16;
    uint32_t n = 0;
    while (!(RCC_CR & 1u << 17) && n < 1000000)
        n++;
    CHECK("rcc: HSE takes its time to start", n > 100 && n < 1000000);
    RCC_CFGR = 1;
    while ((RCC_CFGR >> 2 & 3u) != 1u)
        ;
    CHECK("rcc: runs from HSE", true);
    RCC_CR &= ~(1u << 16);
    EQUAL("rcc: a clock in use cannot be stopped", RCC_CR >> 16 & 1u, 1);
    RCC_CFGR = 0;
    clock_168();
    EQUAL("rcc: PLL is the system clock", RCC_CFGR >> 2 & 3u, 2);
    uint32_t cached = loop_cycles(5u | 7u << 8), prefetched = loop_cycles(5u | 1u << 8), bare = loop_cycles(5u);
    CHECK("flash: wait states cost time without the caches", bare > 2u * cached && bare < 3u * cached);
    CHECK("flash: prefetch hides some of them", prefetched > cached && prefetched < bare);
    EQUAL("flash: and with the cache again none", loop_cycles(5u | 7u << 8), cached);
    EQUAL("gpio: reads 0 without its clock", GPIO('D', 0x00), 0);
    GPIO('D', 0x14) = 0xFFFF;
    RCC_AHB1ENR |= 1u << 3;
    EQUAL("gpio: a write without clock was lost", GPIO('D', 0x14), 0);
}

/* ------------------------------------------------------------------------------------------------------- flash */

#define SECTOR5 0x08020000u
#define SECTOR6 0x08040000u

static void flash_unlock(void)
{
    FLASH_KEYR = 0x45670123u;
    FLASH_KEYR = 0xCDEF89ABu;
}
static void flash_wait(void)
{
    while (FLASH_SR & 1u << 16)
        ;
}
static void flash_program(uint32_t address, uint32_t value)
{
    FLASH_CR = 2u << 8 | 1u;
    REG(address) = value;
    flash_wait();
    FLASH_CR = 0;
}
static void flash_erase(uint32_t sector)
{
    FLASH_CR = 2u << 8 | 2u | sector << 3;
    FLASH_CR |= 1u << 16;
    flash_wait();
    FLASH_CR = 0;
}

void test_flash(void)
{
    EQUAL("flash: locked after reset", FLASH_CR, 0x80000000u);
    FLASH_CR = 1;
    EQUAL("flash: CR cannot be written while locked", FLASH_CR, 0x80000000u);
    flash_unlock();
    EQUAL("flash: unlocked by the keys", FLASH_CR, 0);
    uint32_t start = cycles();
    flash_erase(5);
    CHECK("flash: code in flash stands still during an erase", cycles() - start < 2000);
    EQUAL("flash: erased", REG(SECTOR5), 0xFFFFFFFFu);
    flash_program(SECTOR5, 0x12345678u);
    EQUAL("flash: programmed", REG(SECTOR5), 0x12345678u);
    flash_program(SECTOR5, 0x12345678u);
    EQUAL("flash: the same word again is allowed", REG(SECTOR5) | FLASH_SR, 0x12345678u);
    flash_program(SECTOR5, 0x10305070u);
    EQUAL("flash: fewer ones", REG(SECTOR5), 0x10305070u);
    flash_program(SECTOR5, 0);
    EQUAL("flash: to zero", REG(SECTOR5), 0);
    FLASH_CR = 0u << 8 | 1u;
    REG8(SECTOR5 + 4) = 0xA5;
    flash_wait();
    FLASH_CR = 1u << 8 | 1u;
    REG16(SECTOR5 + 6) = 0xBEEF;
    flash_wait();
    FLASH_CR = 0;
    EQUAL("flash: bytes and halfwords with their PSIZE", REG(SECTOR5 + 4), 0xBEEFFFA5u);
    uint32_t words[4] = {1, 2, 3, 4};
    FLASH_CR = 2u << 8 | 1u;
    for (int i = 0; i < 4; i++) /* without waiting: the bus does */
        REG(SECTOR5 + 0x100 + 4 * i) = words[i];
    flash_wait();
    FLASH_CR = 0;
    CHECK("flash: stores in a row wait for each other", memcmp((void *) (SECTOR5 + 0x100), words, 16) == 0);
    FLASH_CR = 2u << 8 | 1u;
    *(volatile uint64_t *) (SECTOR5 + 0x200) = 0x1122334455667788u; /* STRD: two words on the bus */
    flash_wait();
    FLASH_CR = 0;
    EQUAL("flash: STRD is two words", REG(SECTOR5 + 0x204), 0x11223344u);
    FLASH_CR = 2u << 8 | 1u | 1u << 24; /* EOPIE */
    REG(SECTOR5 + 0x300) = 0;
    flash_wait();
    EQUAL("flash: EOP with EOPIE", FLASH_SR & 1u, 1);
    FLASH_SR = 1;
    FLASH_CR = 0;
    EQUAL("flash: EOP clears by writing 1", FLASH_SR, 0);
    /* code that was executed, then changed: movs r0, #n; bx lr */
    flash_program(SECTOR5 + 0x400, 0x47702007u);
    EQUAL("flash: new code runs", ((uint32_t(*)(void))(SECTOR5 + 0x401))(), 7);
    flash_erase(5);
    flash_program(SECTOR5 + 0x400, 0x47702009u);
    EQUAL("flash: changed code runs, not the old", ((uint32_t(*)(void))(SECTOR5 + 0x401))(), 9);
    EQUAL("flash: no flag was raised", FLASH_SR, 0);
    FLASH_ACR = 5u;
    FLASH_ACR = 5u | 3u << 11;
    FLASH_ACR = 5u | 7u << 8;
}

static void expect_error(const char *name, uint32_t flag)
{
    flash_wait();
    check(name, FLASH_SR == flag, FLASH_SR);
    FLASH_SR = 0xF3;
    FLASH_CR = 0;
}

void test_flash_errors(void)
{
    FLASH_CR = 0;
    REG(SECTOR6) = 0;
    expect_error("flash: a store without PG is PGSERR", 0x80);
    FLASH_CR = 2u << 8 | 1u | 2u;
    REG(SECTOR6) = 0;
    expect_error("flash: PG and SER together are PGSERR", 0x80);
    FLASH_CR = 0u << 8 | 1u;
    REG(SECTOR6) = 0;
    expect_error("flash: a word with PSIZE x8 is PGPERR", 0x40);
    FLASH_CR = 2u << 8 | 1u;
    REG8(SECTOR6) = 0;
    expect_error("flash: a byte with PSIZE x32 is PGPERR", 0x40);
    FLASH_CR = 2u << 8 | 1u;
    __asm volatile("str %0, [%1]" ::"r"(0), "r"(SECTOR6 + 14) : "memory");
    expect_error("flash: across a 128-bit row is PGAERR", 0x20);
    FLASH_CR = 2u << 8;
    FLASH_CR = 2u << 8 | 1u << 16;
    expect_error("flash: STRT without SER or MER is PGSERR", 0x80);
    FLASH_CR = 2u << 8 | 2u | 12u << 3 | 1u << 16;
    expect_error("flash: a sector that does not exist is PGSERR", 0x80);
    FLASH_CR = 2u << 8 | 2u | 11u << 3 | 1u << 16; /* sector 11 is write-protected by the host's option bytes */
    expect_error("flash: erase of a protected sector is WRPERR", 0x10);
    FLASH_CR = 2u << 8 | 1u;
    REG(0x080E0000) = 0;
    expect_error("flash: program in a protected sector is WRPERR", 0x10);
    FLASH_CR = 2u << 8 | 4u | 1u << 16;
    expect_error("flash: mass erase with a protected sector is WRPERR", 0x10);
    FLASH_CR = 1u << 25; /* ERRIE */
    REG(SECTOR6) = 0;
    expect_error("flash: OPERR comes with ERRIE", 0x82);
    EQUAL("flash: nothing changed", REG(SECTOR6), 0xFFFFFFFFu);
    EQUAL("flash: OPTCR shows the protection", FLASH_OPTCR >> 16, 0x07FFu);
    FLASH_CR = 0x80000000u;
    EQUAL("flash: locked again", FLASH_CR, 0x80000000u);
}

void test_flash_key(void)
{
    SCB_SHCSR |= 1u << 17;
    last_fault.count = 0;
    fault_skip = 0;
    FLASH_KEYR = 0x11111111u;
    barrier();
    EQUAL("flash: a wrong key is a bus error", last_fault.exception + last_fault.count, 6);
    last_fault.count = 0;
    FLASH_KEYR = 0x45670123u;
    FLASH_KEYR = 0xCDEF89ABu;
    barrier();
    EQUAL("flash: and locks until the next reset", FLASH_CR, 0x80000000u);
}

/* -------------------------------------------------------------------------------------------------------- UART */

static uint8_t get(void)
{
    uint32_t n = 0;
    while (!(USART3_SR & 0x20u))
        if (++n > 20000000)
            return 0xEE;
    return (uint8_t) USART3_DR;
}

static volatile uint32_t uart_count;
static volatile uint8_t uart_bytes[32];
static void on_uart(void)
{
    if (USART3_SR & 0x20u) {
        uart_bytes[uart_count % 32] = (uint8_t) USART3_DR;
        uart_count++;
    }
}

void test_uart(void)
{
    EQUAL("uart: idle status", USART3_SR, 0xC0);
    USART3_DR = '?';
    uint32_t start = cycles();
    while (!(USART3_SR & 0x80u))
        ;
    while (!(USART3_SR & 0x40u))
        ;
    uint32_t took = cycles() - start; /* 10 bits at 921600 are 1823 cycles */
    CHECK("uart: a byte takes ten bits", took > 1600 && took < 2000);
    say("\nSEND 3\n"); /* the host answers with abc */
    EQUAL("uart: first byte", get(), 'a');
    EQUAL("uart: second byte", get(), 'b');
    EQUAL("uart: third byte", get(), 'c');
    say("SEND 3\n");
    uint32_t sr = 0, n = 0;
    while (!(sr & 8u) && n++ < 1000000)
        sr = USART3_SR;
    CHECK("uart: overrun", (sr & 8u) != 0);
    EQUAL("uart: after an overrun DR has the first byte", USART3_DR & 0xFFu, 'a');
    EQUAL("uart: ORE clears by SR, DR", USART3_SR & 8u, 0);
    n = 0;
    while (!(USART3_SR & 0x10u) && n++ < 1000000)
        ;
    CHECK("uart: IDLE after the last byte", (USART3_SR & 0x10u) != 0);
    (void) USART3_DR;
    EQUAL("uart: IDLE clears by SR, DR", USART3_SR & 0x10u, 0);
    irq_hook[39] = on_uart;
    NVIC_ISER(1) = 1u << 7;
    USART3_CR1 |= 1u << 5;
    say("SEND 16\n");
    n = 0;
    while (uart_count < 16 && n++ < 20000000)
        ;
    USART3_CR1 &= ~(1u << 5);
    CHECK("uart: receive interrupt", uart_count == 16 && uart_bytes[0] == 'a' && uart_bytes[15] == 'p');
    NVIC_ICER(1) = 1u << 7;
    NVIC_ICPR(1) = 1u << 7;
    EQUAL("uart: no interrupt pends", NVIC_ISPR(1) >> 7 & 1u, 0);
    USART3_CR1 |= 1u << 7; /* TXEIE with TXE set: pends at once, and again when taken back */
    EQUAL("uart: TXE interrupt line", NVIC_ISPR(1) >> 7 & 1u, 1);
    NVIC_ICPR(1) = 1u << 7;
    EQUAL("nvic: a line that stays high pends again", NVIC_ISPR(1) >> 7 & 1u, 1);
    USART3_CR1 &= ~(1u << 7);
    NVIC_ICPR(1) = 1u << 7;
    EQUAL("nvic: a line that fell does not", NVIC_ISPR(1) >> 7 & 1u, 0);
}

/* --------------------------------------------------------------------------------------------------------- DMA */

static uint8_t ring[64];
static volatile uint32_t half, full;
static void on_stream1(void)
{
    uint32_t f = DMA1_LISR;
    if (f & 1u << 10)
        half++;
    if (f & 1u << 11)
        full++;
    DMA1_LIFCR = f & 0xF40u;
}

static void rx_dma_start(void)
{
    RCC_AHB1ENR |= 1u << 21 | 1u << 22;
    DMA1_S(1, 0) = 0;
    DMA1_LIFCR = 0xF40u;
    DMA1_S(1, 8) = 0x40004804u;
    DMA1_S(1, 12) = (uint32_t) ring;
    DMA1_S(1, 4) = sizeof ring;
    DMA1_S(1, 0) = 4u << 25 | 1u << 10 | 1u << 8 | 1u << 4 | 1u << 3;
    DMA1_S(1, 0) |= 1u;
    USART3_CR3 |= 1u << 6;
}

/** Erase a sector from RAM while the ring fills. @return how far NDTR came down before the erase was over. */
RAM_CODE static uint32_t erase_while_receiving(uint32_t sector, uint32_t *spins)
{
    uint32_t before = DMA1_S(1, 4), n = 0, after = before;
    FLASH_CR = 2u << 8 | 2u | sector << 3;
    FLASH_CR |= 1u << 16;
    while (FLASH_SR & 1u << 16) {
        after = DMA1_S(1, 4);
        __asm volatile(".rept 60\n nop\n .endr"); /* not every cycle needs a look */
        n++;
    }
    FLASH_CR = 0;
    *spins = n;
    return before - after;
}

void test_dma(void)
{
    static uint8_t text[] = "DMA TX\n";
    uint32_t n = 0, spins = 0;
    rx_dma_start();
    irq_hook[12] = on_stream1;
    NVIC_ISER(0) = 1u << 12;
    say("SEND 16\n");
    while (DMA1_S(1, 4) > 48 && n++ < 20000000)
        ;
    EQUAL("dma: NDTR counts down", DMA1_S(1, 4), 48);
    CHECK("dma: bytes in the ring", memcmp(ring, "abcdefghijklmnop", 16) == 0);
    say("SEND 48\n");
    for (n = 0; !full && n < 20000000; n++)
        ;
    CHECK("dma: half and full transfer interrupts", half == 1 && full == 1);
    EQUAL("dma: circular, NDTR is back", DMA1_S(1, 4), 64);
    CHECK("dma: the last bytes", ring[63] == 'a' + 47 % 26);
    NVIC_ICER(0) = 1u << 12;

    DMA1_LIFCR = 0x0F400000u;
    DMA1_S(3, 8) = 0x40004804u;
    DMA1_S(3, 12) = (uint32_t) text;
    DMA1_S(3, 4) = sizeof text - 1;
    USART3_SR = ~0x40u;
    USART3_CR3 |= 1u << 7;
    DMA1_S(3, 0) = 4u << 25 | 1u << 10 | 1u << 6 | 1u;
    for (n = 0; !(DMA1_LISR & 1u << 27) && n < 20000000; n++)
        ;
    CHECK("dma: transmission ends with TC", (DMA1_LISR & 1u << 27) != 0);
    EQUAL("dma: EN is off at the end", DMA1_S(3, 0) & 1u, 0);
    EQUAL("dma: NDTR is 0 at the end", DMA1_S(3, 4), 0);
    while (!(USART3_SR & 0x40u))
        ;
    CHECK("uart: TC after the last byte", true);
    USART3_CR3 &= ~(1u << 7);
    DMA1_LIFCR = 0x0F400000u;

    static uint32_t from[8] = {1, 2, 3, 4, 5, 6, 7, 8}, to[8];
    DMA2_LIFCR = 0x3Du;
    DMA2_S(0, 8) = (uint32_t) from;
    DMA2_S(0, 12) = (uint32_t) to;
    DMA2_S(0, 4) = 8;
    DMA2_S(0, 0x14) = 7;
    DMA2_S(0, 0) = 2u << 6 | 3u << 9 | 2u << 11 | 2u << 13 | 1u;
    while (!(DMA2_LISR & 0x20u))
        ;
    CHECK("dma: memory to memory", memcmp(from, to, sizeof from) == 0);
    DMA2_LIFCR = 0x3Du;
    report();

    /* reception goes on while the flash erases: seen by code in RAM, and unseen by code in flash, which stands still */
    flash_unlock();
    DMA1_LIFCR = 0xF40u;
    say("SEND 200\n");
    uint32_t moved = erase_while_receiving(3, &spins);
    CHECK("flash: code in RAM runs during an erase", spins > 100000);
    CHECK("dma: NDTR moves while the flash erases", moved != 0);
    EQUAL("dma: all bytes came during the erase", DMA1_S(1, 4), 64 - 200 % 64);
    CHECK("dma: the last byte of them", ring[(200 - 1) % 64] == 'a' + 199 % 26);
    EQUAL("dma: no overrun", USART3_SR & 8u, 0);
    DMA1_LIFCR = 0xF40u;
    say("SEND 100\n");
    flash_erase(3);
    EQUAL("dma: all bytes came while the code stood still", DMA1_S(1, 4), 128 - 300 % 64 - 64);
    CHECK("dma: the last byte of these", ring[(300 - 1) % 64] == 'a' + 99 % 26);
    FLASH_ACR = 5u;
    FLASH_ACR = 5u | 3u << 11;
    FLASH_ACR = 5u | 7u << 8;
    FLASH_CR = 0x80000000u;

    DMA1_LIFCR = 0xF40u;
    DMA1_S(1, 0) &= ~1u;
    while (DMA1_S(1, 0) & 1u)
        ;
    EQUAL("dma: TCIF when a stream is switched off", DMA1_LISR >> 11 & 1u, 1);
    DMA1_LIFCR = 0xF40u;
    static uint8_t second[8];
    DMA1_S(1, 12) = (uint32_t) ring;
    DMA1_S(1, 16) = (uint32_t) second;
    DMA1_S(1, 4) = 8;
    DMA1_S(1, 0) = 4u << 25 | 1u << 18 | 1u << 10 | 1u;
    say("SEND 12\n");
    for (n = 0; (DMA1_S(1, 4) != 4 || !(DMA1_S(1, 0) & 1u << 19)) && n < 20000000; n++)
        ;
    CHECK("dma: double buffer", memcmp(ring, "abcdefgh", 8) == 0 && memcmp(second, "ijkl", 4) == 0);
    DMA1_S(1, 0) = 0;
    DMA1_LIFCR = 0xF40u;
    USART3_CR3 &= ~(1u << 6);
}

/* ------------------------------------------------------------------------------------------------------- small */

void test_small(void)
{
    RCC_AHB1ENR |= 1u << 12 | 1u << 0;
    CRC_CR = 1;
    CRC_DR = 0x00000000u;
    EQUAL("crc: of one zero word", CRC_DR, 0xC704DD7Bu);
    CRC_CR = 1;
    CRC_DR = 0x31323334u;
    CRC_DR = 0x35363738u;
    EQUAL("crc: of 12345678", CRC_DR, 0x49E3C2FBu);
    CRC_IDR = 0x1A5;
    EQUAL("crc: IDR keeps eight bits", CRC_IDR, 0xA5);
    RCC_AHB1RSTR = 1u << 12;
    RCC_AHB1RSTR = 0;
    EQUAL("rcc: a peripheral reset", CRC_DR, 0xFFFFFFFFu);
    GPIO('D', 0x00) = 1u << 24; /* PD12 output: the green LED */
    GPIO('D', 0x18) = 1u << 12;
    EQUAL("gpio: BSRR sets, IDR follows", GPIO('D', 0x10) >> 12 & 1u, 1);
    GPIO('D', 0x18) = 1u << 28;
    EQUAL("gpio: BSRR resets", GPIO('D', 0x14) >> 12 & 1u, 0);
    EQUAL("gpio: PA0 from outside", GPIO('A', 0x10) & 1u, 1);
    GPIO('A', 0x0C) |= 1u << 2;
    EQUAL("gpio: a floating pin with a pull-up", GPIO('A', 0x10) >> 1 & 1u, 1);
    EQUAL("gpio: halfword write to BSRR", (REG16(0x40020C18) = 1u << 13, GPIO('D', 0x14) >> 13), 1);
    RCC_AHB2ENR |= 1u << 6;
    REG(0x50060800) = 4;
    uint32_t a = REG(0x50060808);
    uint32_t b = REG(0x50060808);
    CHECK("rng: two numbers differ", a != b);
    static volatile uint32_t ccm_probe;
    volatile uint32_t *ccm = (volatile uint32_t *) 0x10000000u;
    *ccm = 0xC0FFEE;
    ccm_probe = *ccm;
    EQUAL("ccm: memory", ccm_probe, 0xC0FFEE);
}
