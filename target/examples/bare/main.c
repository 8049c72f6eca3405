/* SPDX-License-Identifier: MIT */
/*
 * bare: an application with a serial driver of its own, to show all that the agent needs: five short functions. The
 * driver has a DMA stream that fills a ring, so that nothing is lost while a sector is erased, and sends by polling.
 */
#include "fota_agent.h"

#include "chip.h"
#include "stm32f407.h"

#define CRYSTAL_HZ 8000000u
#define BAUD 115200u
#define SELF_TEST_MS 1000u
#define RING 2048u
#define SEND_POLLS 100000u /* for a byte, at any rate: a few ms */

FOTA_APPLICATION(.product = {0x5f, 0x0e, 0x1a, 0x52, 0x7c, 0x34, 0x4b, 0x11, 0x9d, 0x20, 0x61, 0x0b, 0x3a, 0x77, 0x40,
                             0x01},
                 .hw_min = 1, .hw_max = 2, .major = 1, .minor = EXAMPLE_MINOR, .counter = 1);
FOTA_FAULT_HANDLER(HardFault_Handler);

static volatile uint32_t milliseconds;

void SysTick_Handler(void);

void SysTick_Handler(void)
{
    milliseconds++;
}

/* --- the product's own driver: USART3 at PB10 and PB11 ---------------------------------------------------------- */

#define RECEIVER (&DMA1->STREAM[1])

static uint8_t ring[RING];
static uint32_t taken;

static void serial_start(void)
{
    RCC->AHB1ENR |= RCC_AHB1_DMA(1u) | RCC_AHB1_GPIO(1u);
    RCC->APB1ENR |= BIT(18); /* USART3 */
    (void) RCC->APB1ENR;
    GPIO(1u)->AFR[1] |= 7u << 8 | 7u << 12;
    GPIO(1u)->PUPDR |= 1u << 20 | 1u << 22;
    GPIO(1u)->MODER |= 2u << 20 | 2u << 22;
    RECEIVER->PAR = (uint32_t) (uintptr_t) &USART3->DR;
    RECEIVER->M0AR = (uint32_t) (uintptr_t) ring;
    RECEIVER->NDTR = RING;
    RECEIVER->CR = DMA_CR_CHANNEL(4u) | DMA_CR_MINC | DMA_CR_CIRC;
    RECEIVER->CR |= DMA_CR_EN;
    USART3->BRR = clock_cpu_hz() / (clock_is_fast() ? CLOCK_APB1_DIVIDER : 1u) / BAUD;
    USART3->CR3 = USART_CR3_DMAR;
    USART3->CR1 = USART_CR1_UE | USART_CR1_TE | USART_CR1_RE;
}

static void serial_send(const uint8_t *data, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        (void) chip_wait(&USART3->SR, USART_SR_TXE, USART_SR_TXE, SEND_POLLS);
        USART3->DR = data[i];
    }
}

/* --- what the agent needs --------------------------------------------------------------------------------------- */

static size_t peek(void *ctx, unsigned line, const uint8_t **data)
{
    uint32_t end = (RING - RECEIVER->NDTR) % RING;

    (void) ctx;
    (void) line;
    *data = ring + taken;
    return end >= taken ? end - taken : RING - taken;
}

static void take(void *ctx, unsigned line, size_t count)
{
    (void) ctx;
    (void) line;
    taken = (taken + (uint32_t) count) % RING;
}

static void send(void *ctx, unsigned line, const uint8_t *data, size_t length)
{
    (void) ctx;
    (void) line;
    serial_send(data, length);
}

static void flush(void *ctx, unsigned line)
{
    (void) ctx;
    (void) line;
    (void) chip_wait(&USART3->SR, USART_SR_TC, USART_SR_TC, SEND_POLLS);
}

static uint32_t now_ms(void *ctx)
{
    (void) ctx;
    return milliseconds;
}

static const struct fota_agent_port port = {.peek = peek, .take = take, .send = send, .flush = flush, .now_ms = now_ms};
static const struct fota_agent_hooks hooks = {.window = 1536, .chunk = 512};

/* --- the application -------------------------------------------------------------------------------------------- */

static struct fota_agent agent;
static struct fota_agent_update update;

int main(void)
{
    static const char text[] = "\r\nbare, confirmed\r\n";
    bool confirmed = false;

    (void) clock_fast(CRYSTAL_HZ);
    SYSTICK->LOAD = clock_cpu_hz() / 1000u - 1u;
    SYSTICK->VAL = 0;
    SYSTICK->CTRL = 7u;
    serial_start();
    (void) fota_agent_start(&agent, &port);
    (void) fota_agent_updates(&agent, &update, &hooks);
    for (;;) { /* endless: an application */
        (void) fota_agent_poll(&agent);
        fota_feed(&agent);
        if (!confirmed && milliseconds >= SELF_TEST_MS && fota_confirm(&agent) == FOTA_OK) {
            confirmed = true;
            serial_send((const uint8_t *) text, sizeof text - 1u);
        }
        chip_wait_for_interrupt();
    }
}
