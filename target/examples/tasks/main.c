/* SPDX-License-Identifier: MIT */
/*
 * tasks: a small preemptive scheduler with SysTick and PendSV, as an RTOS does it, and the agent in the task of the
 * lowest priority. The product's task computes with floating point every 2 ms, the second one blinks; both have their
 * own stacks, and the registers of the FPU are kept for whoever uses them (ARMv7-M ARM B1.5.7).
 *
 * The product stands still only while a sector is erased, so it lets that happen when it is not at work: `hooks`.
 */
#include "fota_agent.h"

#include "chip.h"
#include "stm32f407.h"

#include <string.h>

#define CRYSTAL_HZ 8000000u
#define SELF_TEST_MS 1000u
#define PRODUCT_MS 2u
#define BLINK_MS 250u
#define POLLS 32u /* in a row */
#define STACK_WORDS 256u
#define THREAD_MODE 0xFFFFFFFDu /* EXC_RETURN: thread mode, process stack, no FPU registers */
#define XPSR_THUMB 0x01000000u
#define LED_PORT 3u /* PD12 */
#define LED_PIN 12u
#define ICSR_PENDSVSET BIT(28)
#define PENDSV_LOWEST (0xFFul << 16) /* of SHPR3: below SysTick, so that a switch never cuts into an interrupt */

FOTA_APPLICATION(.product = {0x5f, 0x0e, 0x1a, 0x52, 0x7c, 0x34, 0x4b, 0x11, 0x9d, 0x20, 0x61, 0x0b, 0x3a, 0x77, 0x40,
                             0x01},
                 .hw_min = 1, .hw_max = 2, .major = TASKS_MAJOR, .minor = TASKS_MINOR, .patch = 0, .counter = 1);

void SysTick_Handler(void);
void PendSV_Handler(void);
uint32_t *switch_task(uint32_t *sp);
FOTA_FAULT_HANDLER(HardFault_Handler);

/* --- the scheduler ---------------------------------------------------------------------------------------------- */

enum { PRODUCT, BLINK, AGENT, TASKS }; /* the first one that is ready runs; the agent always is */

static struct task {
    uint32_t *sp;
    uint32_t wake_ms;
} tasks[TASKS];
static uint32_t stacks[TASKS][STACK_WORDS] __attribute__((aligned(8)));
static uint32_t agent_stack[1024] __attribute__((aligned(8))); /* make size: the agent's worst is 1.2 KiB */
static unsigned current = AGENT;
static volatile uint32_t milliseconds;

void SysTick_Handler(void)
{
    milliseconds++;
    SCB->ICSR = ICSR_PENDSVSET;
}

/* @return the stack pointer of the task that is to run. */
__attribute__((used)) uint32_t *switch_task(uint32_t *sp)
{
    tasks[current].sp = sp;
    for (current = PRODUCT; current < AGENT; current++)
        if ((int32_t) (milliseconds - tasks[current].wake_ms) >= 0)
            break;
    return tasks[current].sp;
}

__attribute__((naked)) void PendSV_Handler(void)
{
    __asm volatile(
        "mrs r0, psp\n\t"
        "tst lr, #16\n\t"
        "it eq\n\t"
        "vstmdbeq r0!, {s16-s31}\n\t"
        "stmdb r0!, {r4-r11, lr}\n\t"
        "bl switch_task\n\t"
        "ldmia r0!, {r4-r11, lr}\n\t"
        "tst lr, #16\n\t"
        "it eq\n\t"
        "vldmiaeq r0!, {s16-s31}\n\t"
        "msr psp, r0\n\t"
        "bx lr");
}

static void sleep_until(uint32_t ms)
{
    tasks[current].wake_ms = ms;
    SCB->ICSR = ICSR_PENDSVSET;
    chip_barrier();
}

/* A frame as an exception leaves it, and below it what PendSV_Handler() takes. */
static void make_task(unsigned n, void (*run)(void))
{
    uint32_t *sp = stacks[n] + STACK_WORDS;

    *--sp = XPSR_THUMB;
    *--sp = (uint32_t) (uintptr_t) run;
    sp -= 6; /* LR, r12, r3 to r0 */
    *--sp = THREAD_MODE;
    sp -= 8; /* r11 to r4 */
    tasks[n].sp = sp;
}

/* Go on in `run` on the process stack. */
__attribute__((naked)) static void continue_as_task(void (*run)(void) __attribute__((unused)),
                                                    uint32_t *stack __attribute__((unused)))
{
    __asm volatile(
        "msr psp, r1\n\t"
        "movs r2, #2\n\t"
        "msr control, r2\n\t"
        "isb\n\t"
        "bx r0");
}

/* --- the product ------------------------------------------------------------------------------------------------ */

static volatile uint32_t runs, wrong;
static volatile bool at_work;

static void product(void)
{
    float sum = 0.0f, expected = 0.0f;
    uint32_t next = milliseconds;

    for (;;) { /* endless: a task */
        at_work = true;
        for (unsigned i = 1; i <= 100u; i++)
            sum += (float) i;
        expected += 5050.0f;
        wrong += sum != expected; /* whoever else uses the FPU has left our registers alone */
        if (sum > 1000000.0f)
            sum = expected = 0.0f;
        runs++;
        at_work = false;
        next += PRODUCT_MS;
        sleep_until(next);
    }
}

static void blink(void)
{
    uint32_t next = 0;

    for (;;) { /* endless: a task */
        GPIO(LED_PORT)->BSRR = BIT(LED_PIN + (next / BLINK_MS % 2u == 0 ? 0u : 16u));
        next += BLINK_MS;
        sleep_until(next);
    }
}

/* --- the agent's task ------------------------------------------------------------------------------------------- */

static uint8_t ring[2048] __attribute__((aligned(4)));
static struct uart uart;
static struct fota_agent agent;
static struct fota_agent_update update;
static bool installed;

static size_t port_peek(void *ctx, unsigned n, const uint8_t **data)
{
    (void) ctx;
    (void) n;
    return line_peek(&uart.line, data);
}

static void port_take(void *ctx, unsigned n, size_t count)
{
    (void) ctx;
    (void) n;
    line_take(&uart.line, count);
}

static void port_send(void *ctx, unsigned n, const uint8_t *data, size_t length)
{
    (void) ctx;
    (void) n;
    line_send(&uart.line, data, length);
}

static bool port_idle(void *ctx, unsigned n)
{
    (void) ctx;
    (void) n;
    return line_idle(&uart.line);
}

static void port_flush(void *ctx, unsigned n)
{
    (void) ctx;
    (void) n;
    line_flush(&uart.line);
}

static uint32_t port_now(void *ctx)
{
    (void) ctx;
    return milliseconds;
}

static const struct fota_agent_port port = {.peek = port_peek,
                                            .take = port_take,
                                            .send = port_send,
                                            .idle = port_idle,
                                            .flush = port_flush,
                                            .now_ms = port_now};

static bool may(void *ctx, enum fota_agent_work work, uint32_t ms)
{
    (void) ctx;
    (void) ms;
    return work != FOTA_WORK_ERASE || !at_work;
}

static void done(void *ctx, enum fota_agent_work work)
{
    (void) ctx;
    installed = installed || work == FOTA_WORK_INSTALL;
}

static const struct fota_agent_hooks hooks = {.may = may, .done = done, .window = 1536, .chunk = 512};

static void say(const char *text)
{
    line_send(&uart.line, (const uint8_t *) text, strlen(text));
}

static void introduce(void)
{
    struct fota_boot_info info;

    fota_boot_info(&agent, &info);
    say(info.trial ? "\r\ntasks, trial\r\n" : "\r\ntasks, confirmed\r\n");
}

static void serve(void)
{
    static bool confirmed;

    for (unsigned i = 0; i < POLLS && fota_agent_poll(&agent); i++) /* the others preempt it */
        continue;
    if (!confirmed && milliseconds >= SELF_TEST_MS && runs > 100u && wrong == 0) {
        confirmed = fota_confirm(&agent) == FOTA_OK;
        if (confirmed)
            introduce();
    }
    if (installed) {
        installed = false;
        say(wrong == 0 ? "\r\ntasks: all sums right\r\n" : "\r\ntasks: a sum was wrong\r\n");
    }
    fota_feed(&agent);
}

static void agent_task(void)
{
    introduce();
    for (;;) { /* endless: a task */
        serve();
        chip_wait_for_interrupt();
    }
}

int main(void)
{
    (void) clock_fast(CRYSTAL_HZ);
    RCC->AHB1ENR |= RCC_AHB1_GPIO(LED_PORT);
    (void) RCC->AHB1ENR;
    GPIO(LED_PORT)->MODER |= 1ul << (2u * LED_PIN);
    (void) uart_start(&uart, 3, 115200, ring, sizeof ring);
    (void) fota_agent_start(&agent, &port);
    (void) fota_agent_updates(&agent, &update, &hooks);
    make_task(PRODUCT, product);
    make_task(BLINK, blink);
    SCB->SHPR[2] |= PENDSV_LOWEST;
    SYSTICK->LOAD = clock_cpu_hz() / 1000u - 1u;
    SYSTICK->VAL = 0;
    SYSTICK->CTRL = 7u;
    continue_as_task(agent_task, agent_stack + sizeof agent_stack / sizeof agent_stack[0]);
    return 0;
}
