/* SPDX-License-Identifier: MIT */
/** @file spi.c SPI1 and SPI2 as slaves of the host, EXTI. */
#include "chip.h"

#include <string.h>

#define SPI1_PINS 0x0000AA00u /* MODER: AF on PA4 to PA7 */
#define CR1_SPE (1u << 6)
#define CR1_SSI (1u << 8)
#define CR1_SSM (1u << 9)
#define CR1_DFF (1u << 11)

static void pins_on(void)
{
    RCC_AHB1ENR |= 1u << 0 | 1u << 1 | 1u << 21 | 1u << 22;
    RCC_APB2ENR |= 1u << 12 | 1u << 14;
    RCC_APB1ENR |= 1u << 14;
    GPIO('A', 0x20) = (GPIO('A', 0x20) & 0x0000FFFFu) | 0x55550000u;
    GPIO('A', 0x00) = (GPIO('A', 0x00) & 0xFFFF00FFu) | SPI1_PINS;
    GPIO('B', 0x24) = (GPIO('B', 0x24) & 0x0000FFFFu) | 0x55550000u;
    GPIO('B', 0x00) = (GPIO('B', 0x00) & 0x00FFFFFFu) | 0xAA000000u;
}

static bool wait_sr(uint32_t base, uint32_t bit)
{
    for (uint32_t n = 0; n < 4000000; n++)
        if (REG(base + 8) & bit)
            return true;
    return false;
}

/** One byte after the other by polling: the answer to each is the byte before plus one. */
static void polled(uint32_t base, unsigned count, uint8_t *got)
{
    REG(base + 12) = 0xA0;
    for (unsigned i = 0; i < count; i++) {
        wait_sr(base, 1);
        got[i] = (uint8_t) REG(base + 12);
        REG(base + 12) = got[i] + 1u;
    }
}

void test_spi(void)
{
    uint8_t got[8] = {0};
    pins_on();
    EQUAL("spi: CR1 after reset", SPI1_CR1, 0);
    EQUAL("spi: SR after reset", SPI1_SR, 2);
    EQUAL("spi: CRCPR after reset", SPI1_CRCPR, 7);
    SPI1_CR1 = CR1_SPE;
    say("SPI 1 0 1000000 20000 1122334455\n");
    polled(SPI1_BASE, 5, got);
    CHECK("spi: bytes received", memcmp(got, "\x11\x22\x33\x44\x55", 5) == 0);
    say("MISO 1 a012233445\n");
    SPI1_CR1 = 0;
    RCC_APB2RSTR = 1u << 12; /* what is left in the transmit buffer goes only so */
    RCC_APB2RSTR = 0;

    SPI1_CR1 = CR1_SPE | 3u; /* mode 3 */
    SPI1_DR = 0x77;
    say("SPI 1 3 8000000 0 99\n");
    CHECK("spi: RXNE in mode 3", wait_sr(SPI1_BASE, 1));
    EQUAL("spi: byte in mode 3", SPI1_DR, 0x99);
    say("MISO 1 77\n");
    SPI1_DR = 0x78;
    say("SPI 1 0 1000000 0 99\n");
    wait_sr(SPI1_BASE, 1);
    CHECK("spi: the wrong mode gives garbage", SPI1_DR != 0x99);

    SPI1_CR1 = 0;
    SPI1_CR1 = CR1_SPE | 1u << 7; /* LSBFIRST */
    SPI1_DR = 0x01;
    say("SPI 1 0 1000000 0 03\n");
    wait_sr(SPI1_BASE, 1);
    EQUAL("spi: LSBFIRST turns the bits round", SPI1_DR, 0xC0);
    say("MISO 1 80\n");

    SPI1_CR1 = 0;
    SPI1_CR1 = CR1_SPE;
    (void) SPI1_SR;
    say("SPI 1 0 1000000 0 010203\n");
    CHECK("spi: overrun", wait_sr(SPI1_BASE, 1u << 6));
    EQUAL("spi: after an overrun DR has the first byte", SPI1_DR, 1);
    EQUAL("spi: OVR is still there", SPI1_SR >> 6 & 1u, 1);
    EQUAL("spi: OVR clears by DR, SR", SPI1_SR >> 6 & 1u, 0);
    say("MISO 1 010101\n"); /* nothing was given: the last byte again */

    (void) SPI1_DR;
    (void) SPI1_SR;
    SPI1_CR1 = 0; /* off: the master reads what nobody drives */
    say("SPI 1 0 1000000 0 5a5a\n");
    say("IDLE 1\n");
    EQUAL("spi: nothing received while off", SPI1_SR & 1u, 0);
    say("MISO 1 ffff\n");
    SPI1_CR1 = CR1_SPE | CR1_SSM | CR1_SSI;
    say("SPI 1 0 1000000 0 5a5a\n");
    say("IDLE 1\n");
    EQUAL("spi: nothing received while SSI says so", SPI1_SR & 1u, 0);
    SPI1_CR1 = CR1_SPE | CR1_SSM;
    say("SPI 1 0 1000000 0 5a\n");
    CHECK("spi: selected by SSI", wait_sr(SPI1_BASE, 1));
    EQUAL("spi: the byte then", SPI1_DR, 0x5A);

    SPI1_CR1 = 0;
    SPI1_CR1 = CR1_SPE | CR1_DFF;
    SPI1_DR = 0xBEEF;
    say("SPI 1 0 1000000 0 1234\n");
    wait_sr(SPI1_BASE, 1);
    EQUAL("spi: a frame of 16 bits", SPI1_DR, 0x1234);
    say("MISO 1 beef\n");

    SPI1_CR1 = 0;
    SPI1_CR1 = CR1_SPE | CR1_SSM | 1u << 2; /* master with SSI = 0 */
    EQUAL("spi: MODF takes MSTR and SPE away", (SPI1_SR >> 5 & 1u) << 8 | (SPI1_CR1 & 0x44u), 0x100);
    SPI1_CR1 = CR1_SSM | CR1_SSI;
    EQUAL("spi: MODF clears by SR, CR1", SPI1_SR >> 5 & 1u, 0);
    SPI1_CR1 = 0;
}

/** DMA both ways: the ring of zeros that a slave sends when it has nothing to say, and a receive ring. */
static void dma_both_ways(const char *name, uint32_t base, uint32_t rx, uint32_t tx, uint32_t channel, const char *send)
{
    static uint8_t in[16], out[16];
    for (unsigned i = 0; i < 16; i++)
        out[i] = (uint8_t) (0x30 + i);
    memset(in, 0, sizeof in);
    REG(rx + 8) = REG(tx + 8) = base + 12;
    REG(rx + 12) = (uint32_t) in;
    REG(tx + 12) = (uint32_t) out;
    REG(rx + 4) = REG(tx + 4) = 16;
    REG(rx) = channel << 25 | 1u << 10 | 1u << 8;
    REG(tx) = channel << 25 | 1u << 10 | 1u << 8 | 1u << 6;
    REG(rx) |= 1u;
    REG(tx) |= 1u;
    REG(base + 4) = 3; /* TXDMAEN, RXDMAEN */
    REG(base) = CR1_SPE;
    say(send);
    uint32_t n = 0;
    while (REG(rx + 4) != 4 && n++ < 4000000)
        ;
    check(name, memcmp(in, "abcdefghijkl", 12) == 0 && REG(rx + 4) == 4 && !(REG(base + 8) & 0x40u), REG(rx + 4));
    REG(base) = 0;
    REG(base + 4) = 0;
    REG(rx) = REG(tx) = 0;
}

void test_spi_dma(void)
{
    DMA2_LIFCR = DMA1_LIFCR = REG(0x4002600C) = 0x0F7D0F7Du;
    dma_both_ways("spi: DMA both ways on SPI1 at 21 MHz", SPI1_BASE, 0x40026410 + 0x18 * 2, 0x40026410 + 0x18 * 3, 3,
                  "SPI 1 0 21000000 0 6162636465666768696a6b6c\n");
    say("MISO 1 303132333435363738393a3b\n");
    dma_both_ways("spi: DMA both ways on SPI2", SPI2_BASE, 0x40026010 + 0x18 * 3, 0x40026010 + 0x18 * 4, 0,
                  "SPI 2 0 10500000 0 6162636465666768696a6b6c\n");
    say("MISO 2 303132333435363738393a3b\n");
    DMA2_LIFCR = DMA1_LIFCR = REG(0x4002600C) = 0x0F7D0F7Du;
}

/* ------------------------------------------------------------------------------------------------------- EXTI */

static volatile uint32_t nss_edges, line0;
static void on_nss(void)
{
    EXTI_PR = 1u << 4;
    nss_edges++;
}
static void on_line0(void)
{
    EXTI_PR = 1u;
    line0++;
}

void test_exti(void)
{
    RCC_APB2ENR |= 1u << 14 | 1u << 12;
    EXTI_RTSR = 1u << 4;
    EXTI_FTSR = 1u << 4;
    EXTI_PR = ~0u;
    irq_hook[10] = on_nss;
    irq_hook[6] = on_line0;
    NVIC_ISER(0) = 1u << 10 | 1u << 6;
    SPI1_CR1 = CR1_SPE;
    say("SPI 1 0 1000000 0 2a\n");
    say("IDLE 1\n");
    EQUAL("exti: masked, no interrupt", nss_edges, 0);
    EQUAL("exti: but pending", EXTI_PR, 1u << 4);
    EXTI_PR = 1u << 4;
    EXTI_IMR = 1u << 4;
    say("SPI 1 0 1000000 0 2a\n");
    say("IDLE 1\n");
    EQUAL("exti: both edges of NSS on line 4", nss_edges, 2);
    SYSCFG_EXTICR(1) = 3; /* line 4 from port D: low, so this is an edge, too */
    barrier();
    EQUAL("exti: another port with another level is an edge", nss_edges, 3);
    say("SPI 1 0 1000000 0 2a\n");
    say("IDLE 1\n");
    EQUAL("exti: another port is selected", nss_edges, 3);
    SYSCFG_EXTICR(1) = 0;
    EXTI_RTSR = EXTI_FTSR = 0;
    EXTI_PR = ~0u;
    EXTI_SWIER = 1;
    EQUAL("exti: a software trigger needs IMR", EXTI_PR, 0);
    EXTI_SWIER = 0;
    EXTI_IMR |= 1u | 1u << 12;
    EXTI_SWIER = 1;
    barrier();
    EQUAL("exti: software trigger", line0, 1);
    EQUAL("exti: PR clears SWIER", EXTI_SWIER, 0);
    EXTI_SWIER = 1u << 12;
    EQUAL("exti: lines 10 to 15 share interrupt 40", NVIC_ISPR(1) >> 8 & 1u, 1);
    EXTI_PR = 1u << 12;
    NVIC_ICPR(1) = 1u << 8;
    EXTI_IMR = EXTI_RTSR = EXTI_FTSR = 0;
    NVIC_ICER(0) = 1u << 10 | 1u << 6;
    SPI1_CR1 = 0;
}
