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
static void fill(uint32_t *to)
{
    *to = UART->SR;
}
void outside(void (*f)(void));
int ready(int (*f)(void));
void chip_wait_for_interrupt(void);
_Noreturn void jump(void);

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

/* A reason does not make a wait for hardware endless. */
void only_called_endless(unsigned limit)
{
    uint32_t got, n = 0;

    for (;;) { /* endless: until it is ready */ /* bad */
        if (UART->SR & 1u)
            break;
        chip_wait_for_interrupt();
    }
    for (;;) { /* endless: through a variable */ /* bad */
        got = status();
        if ((got & 1u) == 0)
            continue;
        else if (got != 0)
            break;
        chip_wait_for_interrupt();
    }
    for (;;) { /* endless: by reference */ /* bad */
        fill(&got);
        if (++n > limit && got != 0)
            break;
        if (got != 0)
            break;
        chip_wait_for_interrupt();
    }
    for (;;) { /* endless: counted only while a flag is set */ /* bad */
        if (UART->SR & 1u)
            if (++n > limit)
                break;
        chip_wait_for_interrupt();
    }
    for (;;) { /* endless: counted, but the limit is hardware */ /* bad */
        if (++n > UART->CR)
            break;
        chip_wait_for_interrupt();
    }
    for (;;) { /* endless: the same through a variable */ /* bad */
        limit = UART->CR;
        if (++n > limit)
            break;
        chip_wait_for_interrupt();
    }
    for (;;) { /* endless: counted while a flag is set, through a variable */ /* bad */
        got = status();
        if (got != 0)
            if (++n > LIMIT)
                break;
        chip_wait_for_interrupt();
    }
    for (;;) { /* endless: a number that grows only when the hardware says so */ /* bad */
        if (UART->SR & 1u)
            n++;
        if (n > LIMIT)
            break;
        chip_wait_for_interrupt();
    }
    for (;;) { /* endless: a number that does not grow */ /* bad */
        n = status();
        if (n > LIMIT)
            break;
        chip_wait_for_interrupt();
    }
    for (;;) { /* endless: counted, and then a flag all the same */ /* bad */
        if (++n > LIMIT)
            if (UART->SR & 1u)
                break;
        chip_wait_for_interrupt();
    }
    for (;;) { /* endless: counted in another condition */ /* bad */
        if ((UART->SR & 1u) != 0 && ++n > limit)
            break;
        chip_wait_for_interrupt();
    }
    for (;;) { /* endless: out of it by what does not return */ /* bad */
        if (ticks > 10u)
            jump();
        chip_wait_for_interrupt();
    }
    for (;;) /* endless: polls, and never sleeps */ /* bad */
        if (UART->SR & 1u)
            UART->CR = 1;
    for (;;) { /* endless: sleeps now and then */ /* bad */
        if (UART->SR & 1u)
            chip_wait_for_interrupt();
    }
    for (;;) { /* endless: counted, and never sleeps */ /* bad */
        if (++n > limit)
            break;
    }
    while (1) /* endless: not written as such */ /* bad */
        chip_wait_for_interrupt();
    do { /* bad */
        if (UART->SR & 1u)
            break;
    } while (1);
    for (n = 0;; n++) /* endless: with a counter that nobody asks */ /* bad */
        chip_wait_for_interrupt();
}

uint32_t really_endless(unsigned limit)
{
    uint32_t idle = 0;

    do
        UART->CR = 1;
    while (0);
    for (;;) { /* endless: silence ends it */
        for (unsigned i = 0; i < LIMIT; i++)
            if (UART->SR & 1u)
                break;
        if (UART->SR & 1u)
            idle = 0;
        else if (++idle > limit) {
            if (limit != 5u)
                return idle;
            idle = 0;
        }
        chip_wait_for_interrupt();
    }
}

uint32_t endless_in_other_words(unsigned limit)
{
    uint32_t idle = 0, heard = 1;

    for (;;) { /* endless: silence ends it */
        uint32_t got = status();

        heard = heard && got == 0;
        idle = through_another() != 0 ? 0 : idle + 1u + got * 3u;
        if (idle > (heard ? limit : LIMIT)) {
            if (heard)
                return idle;
            idle = 0;
        }
        chip_wait_for_interrupt();
    }
}

void the_end(void)
{
    for (;;) /* endless: the watchdog ends it */
        continue;
}
