/* SPDX-License-Identifier: MIT */
/* Loops for test_waits.py: those marked `bad` are waits without an end, and scripts/waits.py must find just them. Never
 * compiled into anything. */
typedef unsigned uint32_t;
struct regs {
    volatile uint32_t SR, CR;
};
#define UART ((struct regs *) 0x40004800u)
#define LIMIT 1000u
#define WAIT_FOR(x) while (!(x))
static volatile uint32_t ticks;

static uint32_t status(void)
{
    return UART->SR;
}
static uint32_t through_another(void)
{
    return status() & 1u;
}
void outside(void (*f)(void));
int ready(int (*f)(void));

void plain(void)
{
    while (UART->SR & 1u) /* bad */
        continue;
    do { /* bad */
    } while ((UART->CR & 2u) == 0);
    while (!(*(volatile uint32_t *) 0x40023C0Cu & 1u)) /* bad */
        continue;
    for (; UART->SR != 0;) /* bad */
        continue;
    WAIT_FOR(UART->SR & 4u); /* bad */
    while (ticks < 10u)      /* bad */
        continue;
}

void hidden(int (*f)(void))
{
    uint32_t got = 0, done = 0, i = 0;

    while (through_another() == 0) /* bad */
        continue;
    while (got == 0) /* bad */
        got = status();
    while (done == 0) { /* bad */
        if (UART->SR & 1u)
            done = 1;
    }
    while (f() == 0) /* bad */
        continue;
    for (i = 0; i < LIMIT; i++) /* bad */
        if (UART->SR == 0)
            i = 0;
    for (i = 0; i < 4000000000u && UART->SR != 0; i++) /* bad */
        continue;
    for (i = 0; i < LIMIT || UART->SR != 0; i++) /* bad */
        continue;
    for (uint32_t n = 0; n < UART->CR; n++) /* bad */
        continue;
    for (;;) { /* bad */
        if (UART->SR & 1u)
            break;
    }
    while (1) /* bad */
        continue;
again:
    if (UART->SR & 1u)
        goto again; /* bad */
}

void good(const uint32_t *words, uint32_t count)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < LIMIT; i++)
        if (UART->SR & 1u)
            break;
    for (uint32_t i = 0; i < LIMIT && (UART->SR & 1u) == 0; i++)
        sum += UART->CR;
    for (uint32_t i = 0; i < count; i++) {
        sum += words[i];
        UART->CR = words[i];
    }
    while (count-- > 0)
        sum += UART->SR;
    do
        sum /= 2u;
    while (sum != 0);
    for (;;) /* endless: until the reset */
        UART->CR = 1;
}
