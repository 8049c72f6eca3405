/* An application with an agent that is only a shell; never run, only linked. Macros choose what is wrong with it. */
#include "fota/appinfo.h"

#define KEPT __attribute__((noipa)) /* as if it were in another file */
#define REGISTER(address) (*(volatile uint32_t *) (address))

extern uint32_t stack_top, data_begin, data_end;
extern const uint32_t data_load;
void reset(void);
void HardFault_Handler(void);

static void idle(void)
{
    for (;;)
        continue;
}

__attribute__((section(".vectors"), used, aligned(512))) void (*const vectors[16])(void) = {
    (void (*)(void)) & stack_top,
    reset,
    idle,
#ifdef NO_FAULT_HANDLER
    idle,
#else
    HardFault_Handler,
#endif
#ifdef EVEN_VECTOR
    (void (*)(void)) 0x08004400u,
#endif
};

#ifndef NO_INFO
#ifndef HW_MIN
#define HW_MIN 1
#endif
#ifndef DEADLINE
#define DEADLINE 0
#endif
#ifndef PRODUCT
#define PRODUCT 0x5f
#endif
__attribute__((section(".info"), aligned(4), used)) static const struct fota_appinfo info = {.magic =
                                                                                                 FOTA_APPINFO_MAGIC,
                                                                                             .product = {PRODUCT},
                                                                                             .hw_min = HW_MIN,
                                                                                             .hw_max = 2,
                                                                                             .major = 1,
                                                                                             .deadline_ms = DEADLINE};
#endif

/* --- the agent's shell ------------------------------------------------------------------------------------------ */

static volatile uint32_t agent, ready;
void fota_agent_start(void);
void fota_agent_poll(void);
void fota_agent_updates(void);
void fota_feed(void);
void fota_confirm(void);
void fota_agent_fault(void);

KEPT void fota_agent_start(void)
{
    agent = 1;
}

KEPT void fota_confirm(void)
{
    agent = 2;
}

static void __attribute__((noinline)) confirm_if_asked(void)
{
    if (agent == 3)
        fota_confirm();
}

KEPT void fota_agent_poll(void)
{
    confirm_if_asked();
    agent = 4;
}

KEPT void fota_agent_updates(void)
{
    agent = 5;
}

KEPT void fota_feed(void)
{
    confirm_if_asked();
    REGISTER(0x40003000u) = 0xAAAAu;
}

KEPT void fota_agent_fault(void)
{
    idle();
}

__attribute__((naked)) void HardFault_Handler(void)
{
    __asm volatile("mov r0, sp\n\tb fota_agent_fault");
}

/* --- what may be wrong ------------------------------------------------------------------------------------------ */

struct scb {
    volatile uint32_t CPUID, ICSR, VTOR, AIRCR;
};
#define SCB ((struct scb *) 0xE000ED00u)

/* Of the standard peripheral library. */
KEPT void NVIC_SetVectorTable(uint32_t base, uint32_t offset);
KEPT void NVIC_SetVectorTable(uint32_t base, uint32_t offset)
{
    SCB->VTOR = base | (offset & 0x1FFFFF80u);
}

KEPT void SystemInit(void);
KEPT void SystemInit(void)
{
    REGISTER(0xE000ED88u) |= 0xFu << 20;
#ifdef RCC_FIRST
    REGISTER(0x40023800u) |= 1u;
    while ((REGISTER(0x40023800u) & 2u) == 0)
        continue;
#endif
#ifdef VTOR_VALUE
    SCB->VTOR = VTOR_VALUE;
#endif
#ifdef VTOR_PAIR
    __asm volatile("movw r0, #0xED08\n\tmovt r0, #0xE000\n\tmovs r1, #0\n\tmovt r1, #0x0801\n\tstr r1, [r0]" ::
                       : "r0", "r1");
#endif
#ifdef VTOR_CALL
    NVIC_SetVectorTable(0x08000000u, 0x4000u);
#endif
}

#ifdef OTHER_SLOT
static volatile uint32_t copy;
#endif
#ifdef CCM_DATA
__attribute__((section(".ccm"))) volatile uint32_t fast = 17;
#endif
#ifdef HAL_FEED
struct {
    volatile uint32_t *instance;
} hiwdg;
#endif
static uint32_t initialised = 5;

__attribute__((noreturn)) void reset(void)
{
    const uint32_t *from = &data_load;
    for (uint32_t *to = &data_begin; to < &data_end; to++)
        *to = *from++;
    SystemInit();
#ifndef NO_START
    fota_agent_start();
#endif
#ifdef UPDATES
    fota_agent_updates();
#endif
    for (;;) {
#ifndef NO_POLL
        fota_agent_poll();
#endif
#ifndef NO_FEED
        fota_feed();
#endif
#ifdef OWN_FEED
        REGISTER(0x40003000u) = 0xAAAAu;
#endif
#ifdef HAL_FEED
        *hiwdg.instance = 0xAAAAu;
#endif
#ifndef NO_CONFIRM
        if (ready != 0)
            fota_confirm();
#endif
#ifdef CONFIRM_BY_POINTER
        static void (*const volatile when_ready)(void) = fota_confirm;
        when_ready();
#endif
#ifdef OTHER_SLOT
        copy = REGISTER(OTHER_SLOT);
#endif
#ifdef CCM_DATA
        fast++;
#endif
        ready = initialised++;
    }
}
