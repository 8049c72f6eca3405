/* SPDX-License-Identifier: MIT */
/*
 * freertos: the agent in a task of FreeRTOS, above the idle task and below the product's. Nothing of it is called from
 * another task. An erase is let happen while the product's task sleeps.
 */
#include "fota_agent.h"

#include "chip.h"
#include "stm32f407.h"

#include <FreeRTOS.h>
#include <task.h>

#define CRYSTAL_HZ 8000000u
#define SELF_TEST_MS 1000u
#define PRODUCT_MS 2u
#define POLLS 32u /* in a row */
#define AGENT_PRIORITY 1u
#define PRODUCT_PRIORITY 2u
#define AGENT_STACK 640u /* words: make size says what the agent needs, some 1.2 KiB */
#define PRODUCT_STACK 256u

FOTA_APPLICATION(.product = {0x5f, 0x0e, 0x1a, 0x52, 0x7c, 0x34, 0x4b, 0x11, 0x9d, 0x20, 0x61, 0x0b, 0x3a, 0x77, 0x40,
                             0x01},
                 .hw_min = 1, .hw_max = 2, .major = 1, .minor = EXAMPLE_MINOR, .counter = 1);
FOTA_FAULT_HANDLER(HardFault_Handler);

static volatile uint32_t runs, wrong;
static volatile bool at_work;

/* --- what the agent needs --------------------------------------------------------------------------------------- */

static uint8_t ring[2048];
static struct uart uart;
static struct fota_agent agent;
static struct fota_agent_update update;

static size_t peek(void *ctx, unsigned line, const uint8_t **data)
{
    (void) ctx;
    (void) line;
    return line_peek(&uart.line, data);
}

static void take(void *ctx, unsigned line, size_t count)
{
    (void) ctx;
    (void) line;
    line_take(&uart.line, count);
}

static void send(void *ctx, unsigned line, const uint8_t *data, size_t length)
{
    (void) ctx;
    (void) line;
    line_send(&uart.line, data, length);
}

static bool idle(void *ctx, unsigned line)
{
    (void) ctx;
    (void) line;
    return line_idle(&uart.line);
}

static void flush(void *ctx, unsigned line)
{
    (void) ctx;
    (void) line;
    line_flush(&uart.line);
}

static uint32_t now_ms(void *ctx)
{
    (void) ctx;
    return (uint32_t) xTaskGetTickCount() * portTICK_PERIOD_MS;
}

static bool may(void *ctx, enum fota_agent_work work, uint32_t ms)
{
    (void) ctx;
    (void) ms;
    return work != FOTA_WORK_ERASE || !at_work;
}

static const struct fota_agent_port port = {
    .peek = peek, .take = take, .send = send, .idle = idle, .flush = flush, .now_ms = now_ms};
static const struct fota_agent_hooks hooks = {.may = may, .window = 1536, .chunk = 512};

/* --- tasks ------------------------------------------------------------------------------------------------------ */

static void product(void *argument)
{
    TickType_t next = xTaskGetTickCount();

    (void) argument;
    for (;;) { /* endless: a task */
        float sum = 0.0f;

        at_work = true;
        for (unsigned i = 1; i <= 100u; i++)
            sum += (float) i;
        wrong += sum != 5050.0f;
        runs++;
        at_work = false;
        (void) xTaskDelayUntil(&next, pdMS_TO_TICKS(PRODUCT_MS));
    }
}

static void agent_task(void *argument)
{
    static const char text[] = "\r\nfreertos, confirmed\r\n";
    bool confirmed = false;

    (void) argument;
    for (;;) { /* endless: a task */
        for (unsigned i = 0; i < POLLS && fota_agent_poll(&agent); i++)
            continue;
        fota_feed(&agent);
        if (!confirmed && now_ms(NULL) >= SELF_TEST_MS && runs > 100u && wrong == 0) {
            confirmed = fota_confirm(&agent) == FOTA_OK;
            if (confirmed)
                line_send(&uart.line, (const uint8_t *) text, sizeof text - 1u);
        }
        vTaskDelay(1);
    }
}

void vApplicationIdleHook(void);

void vApplicationIdleHook(void)
{
    chip_wait_for_interrupt();
}

int main(void)
{
    static StaticTask_t tasks[2];
    static StackType_t agent_stack[AGENT_STACK], product_stack[PRODUCT_STACK];

    (void) clock_fast(CRYSTAL_HZ);
    (void) uart_start(&uart, 3, 115200, ring, sizeof ring);
    (void) fota_agent_start(&agent, &port);
    (void) fota_agent_updates(&agent, &update, &hooks);
    (void) xTaskCreateStatic(agent_task, "fota", AGENT_STACK, NULL, AGENT_PRIORITY, agent_stack, &tasks[0]);
    (void) xTaskCreateStatic(product, "product", PRODUCT_STACK, NULL, PRODUCT_PRIORITY, product_stack, &tasks[1]);
    vTaskStartScheduler();
    return 0;
}
