/* SPDX-License-Identifier: MIT */
/** @file power.c Voltage detector, low supply, option bytes, OTP, backup SRAM, line errors on the USART. */
#include "chip.h"

#include <string.h>

#define SECTOR7 0x08060000u

static void flash_on(void)
{
    if (!(FLASH_CR & 0x80000000u))
        return; /* a key while unlocked would lock it for good */
    FLASH_KEYR = 0x45670123u;
    FLASH_KEYR = 0xCDEF89ABu;
}
static void flash_wait(void)
{
    while (FLASH_SR & 1u << 16)
        ;
}
static uint32_t flash_erase(uint32_t sector)
{
    FLASH_SR = 0xF3;
    FLASH_CR = 2u << 8 | 2u | sector << 3;
    FLASH_CR |= 1u << 16;
    flash_wait();
    FLASH_CR = 0;
    return FLASH_SR;
}

/* ------------------------------------------------------------------------------------------------------ supply */

static volatile uint32_t pvd_count;
static void on_pvd(void)
{
    EXTI_PR = 1u << 16;
    pvd_count++;
}

void test_supply(void)
{
    EQUAL("pwr: PVDO is 0 without PVDE", PWR_CSR & 4u, 0);
    PWR_CR = 0x4000u | 5u << 5 | 1u << 4; /* 2.84 V falling, 2.93 V rising */
    EQUAL("pwr: PVDO is 0 at 3.3 V", PWR_CSR & 4u, 0);
    EXTI_IMR = EXTI_RTSR = 1u << 16;
    irq_hook[1] = on_pvd;
    NVIC_ISER(0) = 1u << 1;
    say("SUPPLY 2860\n");
    EQUAL("pwr: PVDO is 0 above the falling threshold", PWR_CSR & 4u, 0);
    say("SUPPLY 2830\n");
    EQUAL("pwr: PVDO below it", PWR_CSR & 4u, 4);
    EQUAL("pwr: PVD interrupt by EXTI line 16", pvd_count, 1);
    say("SUPPLY 2900\n");
    EQUAL("pwr: PVDO stays up to the rising threshold", PWR_CSR & 4u, 4);
    PWR_CR = 0x4000u | 4u << 5 | 1u << 4; /* 2.66, 2.76 V */
    EQUAL("pwr: a lower PLS", PWR_CSR & 4u, 0);
    NVIC_ICER(0) = 1u << 1;
    EXTI_IMR = EXTI_RTSR = 0;
    PWR_CR = 0x4000u;

    FLASH_ACR = 7u | 7u << 8; /* below 2.7 V more wait states are needed */
    say("SUPPLY 2500\n");
    flash_on();
    FLASH_SR = 0xF3;
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < 8; i++) {
        FLASH_CR = 2u << 8 | 1u;
        REG(SECTOR7 + 4 * i) = 0;
        flash_wait();
        wrong += REG(SECTOR7 + 4 * i) != 0;
    }
    CHECK("flash: x32 at 2.5 V leaves bits as they were", wrong > 0);
    EQUAL("flash: and no flag tells", FLASH_SR, 0);
    FLASH_CR = 1u << 8 | 1u;
    REG16(SECTOR7 + 0x100) = 0x1234;
    flash_wait();
    FLASH_CR = 0;
    EQUAL("flash: x16 at 2.5 V works", REG16(SECTOR7 + 0x100), 0x1234);
    say("SUPPLY 3300\n");
    EQUAL("flash: an erase repairs it", flash_erase(7) | ~REG(SECTOR7), 0);
    FLASH_ACR = 5u | 7u << 8;
}

/* ---------------------------------------------------------------------------------------- backup SRAM and OTP */

void test_backup_sram(void)
{
    volatile uint32_t *word = &REG(0x40024000);
    EQUAL("backup SRAM: reads 0 without its clock", word[1], 0);
    RCC_AHB1ENR |= 1u << 18;
    uint32_t old = word[1];
    word[1] = ~old;
    EQUAL("backup SRAM: locked without DBP", word[1], old);
    PWR_CR |= 1u << 8;
    PWR_CSR |= 1u << 9;
    CHECK("pwr: the backup regulator gets ready", (PWR_CSR & 1u << 3) != 0);
    word[1] = 0x5AFE0001u;
    REG8(0x40024006) = 0xAA;
    EQUAL("backup SRAM: words and bytes", word[1], 0x5AAA0001u);
    word[1023] = 0x5AFE0002u;
    PWR_CR &= ~(1u << 8);
}

void test_otp(void)
{
    flash_on();
    EQUAL("otp: blank", REG(0x1FFF7860), 0xFFFFFFFFu);
    EQUAL("otp: not locked", REG8(0x1FFF7A03), 0xFF);
    FLASH_CR = 2u << 8 | 1u;
    REG(0x1FFF7860) = 0x600DF00Du; /* block 3 */
    flash_wait();
    EQUAL("otp: programmed", REG(0x1FFF7860), 0x600DF00Du);
    FLASH_CR = 1u;
    REG8(0x1FFF7A03) = 0;
    flash_wait();
    FLASH_CR = 2u << 8 | 1u;
    REG(0x1FFF7860) = 0;
    flash_wait();
    EQUAL("otp: a locked block is WRPERR", FLASH_SR, 0x10);
    EQUAL("otp: and keeps its contents", REG(0x1FFF7860), 0x600DF00Du);
    FLASH_SR = 0xF3;
    REG(0x1FFF7880) = 0x12345678u;
    flash_wait();
    FLASH_CR = 0;
    EQUAL("otp: the next block is open", REG(0x1FFF7880), 0x12345678u);
}

/* ------------------------------------------------------------------------------------------------ option bytes */

static void program_options(uint32_t optcr)
{
    FLASH_OPTCR = optcr;
    FLASH_OPTCR |= 2u;
    flash_wait();
}

void test_options(void)
{
    uint32_t before = FLASH_OPTCR;
    EQUAL("options: locked", before & 1u, 1);
    FLASH_OPTCR = 0;
    EQUAL("options: cannot be written while locked", FLASH_OPTCR, before);
    FLASH_OPTKEYR = 0x08192A3Bu;
    FLASH_OPTKEYR = 0x4C5D6E7Fu;
    EQUAL("options: unlocked by the keys", FLASH_OPTCR & 1u, 0);
    flash_on();
    program_options((before & ~1u) & ~(1u << 26)); /* protect sector 10 */
    EQUAL("options: WRP works at once", flash_erase(10), 0x10);
    FLASH_SR = 0xF3;
    EQUAL("options: shown at 0x1FFFC008", REG16(0x1FFFC008) & 0xFFFu, (before >> 16 & 0xFFFu) & ~(1u << 10));
    program_options((before & ~1u) & ~0xCu); /* sector 10 open, brown-out level 3 */
    EQUAL("options: open again", flash_erase(10), 0);
    EQUAL("options: STRT is off at the end", FLASH_OPTCR & 2u, 0);
    FLASH_OPTCR |= 1u;
    EQUAL("options: locked again", FLASH_OPTCR & 1u, 1);
    FLASH_CR = 0x80000000u;
    say("SUPPLY 2780\n"); /* the brown-out level counts from the next reset only */
    CHECK("options: BOR waits for the reset", true);
    say("SUPPLY 3300\n");
}

/* -------------------------------------------------------------------------------------------- errors on the line */

/** Wait for a byte. @return SR << 16 | DR. */
static uint32_t get(void)
{
    uint32_t n = 0;
    while (!(USART3_SR & 0x20u) && n++ < 4000000)
        ;
    uint32_t sr = USART3_SR;
    return sr << 16 | USART3_DR;
}
#define FLAGS(v) ((v) >> 16 & 0xFu)

void test_line_errors(void)
{
    say("UARTERR framing\n");
    say("SEND 2\n");
    uint32_t v = get();
    EQUAL("uart: FE on the byte it came with", FLAGS(v) << 16 | (v & 0xFFFFu), 0x20000u | 'a');
    v = get();
    EQUAL("uart: FE is gone with the next", FLAGS(v) << 16 | (v & 0xFFFFu), 'b');
    say("UARTERR noise\n");
    say("SEND 1\n");
    v = get();
    EQUAL("uart: NE, and the right byte", FLAGS(v) << 16 | (v & 0xFFFFu), 0x40000u | 'a');
    say("UARTERR overrun\n");
    say("SEND 2\n");
    v = get();
    EQUAL("uart: a byte lost to an overrun, and the next", FLAGS(v) << 16 | (v & 0xFFFFu), 0x80000u | 'b');
    say("UARTERR parity\n");
    say("SEND 1\n");
    v = get();
    EQUAL("uart: without parity a wrong bit stays unseen", FLAGS(v) << 16 | (v & 0xFFFFu), 'a' ^ 1);
    USART3_CR1 |= 1u << 12 | 1u << 10; /* M, PCE: 8E1 */
    say("SEND 2\n");
    v = get();
    EQUAL("uart: 8E1, parity is bit 8", FLAGS(v) << 16 | (v & 0xFFFFu), 0x100u | 'a');
    (void) get();
    say("UARTERR parity\n");
    USART3_CR1 |= 1u << 8; /* PEIE */
    say("SEND 1\n");
    v = get();
    EQUAL("uart: PE", FLAGS(v) << 16 | (v & 0xFFFFu), 0x10000u | 0x100u | ('a' ^ 1));
    EQUAL("uart: PE pended the interrupt", NVIC_ISPR(1) >> 7 & 1u, 1);
    USART3_CR1 &= ~(1u << 8);
    NVIC_ICPR(1) = 1u << 7;
    USART3_CR1 |= 1u << 9; /* odd */
    say("SEND 1\n");
    v = get();
    EQUAL("uart: 8O1", FLAGS(v) << 16 | (v & 0xFFFFu), 'a');
    USART3_CR1 &= ~(1u << 9);
    say("FORMAT 8E1\n"); /* the other end by itself, no longer as the chip has it */
    say("SEND 1\n");
    v = get();
    EQUAL("uart: 8E1 on both sides", FLAGS(v) << 16 | (v & 0xFFFFu), 0x100u | 'a');
    say("SEND 2\n");
    USART3_CR1 &= ~(1u << 12 | 1u << 10); /* 8N1 while the other end has 8E1: 'a' has parity 1, 'b' too, 'c' 0 */
    (void) get();
    (void) get();
    USART3_CR1 |= 1u << 12 | 1u << 10;
    say("FORMAT fits\n");
    USART3_CR1 &= ~(1u << 12 | 1u << 10 | 1u << 9);
}
