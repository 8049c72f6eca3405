/* A program with every kind of address in it; never run, only linked. Macros choose what is wrong with it. */
#include <stdint.h>

extern uint32_t stack_top, data_begin, data_end;
extern const uint32_t data_load;
void reset(void);

__attribute__((section(".vectors"), used)) static void (*const vectors[])(void) = {
#ifdef BAD_STACK
    (void (*)(void)) 0x40000000u,
#else
    (void (*)(void)) & stack_top,
#endif
#ifdef BAD_RESET
    (void (*)(void)) 0x08000101u,
#else
    reset,
#endif
    reset,
    reset,
};

#ifndef NO_INFO
#define COUNTER 3
__attribute__((section(".info"), aligned(4), used)) static const struct {
    char magic[16];
    uint8_t product[16];
    uint16_t hw[2], version[4];
    uint32_t build, counter, deadline;
} info = {{'F', 'O', 'T', 'A', '-', 'A', 'P', 'P', '-', 'I', 'N', 'F', 'O', '-', '0', '1'},
          {0x3f, 0x1c, 0x9a, 0x52, 0x0d, 0x4e, 0x4b, 0x7a, 0x9c, 0x55, 0x6a, 0x1b, 0xe0, 0xf4, 0xc0, 0x01},
          {1, 4},
          {1, 2, 3, 0},
          7,
          COUNTER,
          0};
#ifdef TWO_INFOS
__attribute__((section(".info"), aligned(4), used)) static const char second[56] = "FOTA-APP-INFO-01";
#endif
#endif

static int add(int a)
{
    return a + 1;
}

static int sub(int a)
{
    return a - 1;
}

/* Words at odd offsets, one right after the other. */
static volatile const struct __attribute__((packed)) {
    uint8_t tag;
    int (*first)(int);
    int (*second)(int);
    uint8_t end;
    const char *text;
} packed = {1, add, sub, 2, "text"};

static int (*volatile pointer)(int) = add; /* a .data initialiser */
static const char *volatile names[] = {"zero", "one", "two"};
extern int missing(void) __attribute__((weak));

static volatile int result;

static void early(void)
{
    result++;
}

__attribute__((section(".init_array"), used)) static void (*const constructor)(void) = early;

__attribute__((noinline)) static int choose(int n)
{
    switch (n) {
    case 0:
        return result * 3;
    case 1:
        return result + 17;
    case 2:
        return result ^ 5;
    case 3:
        return result / 3;
    case 4:
        return result % 7;
    case 5:
        return result << 2;
    default:
        return n;
    }
}

#ifdef RAM_CODE
/* Runs from RAM and calls flash: the linker needs a veneer, whose word has no relocation. */
__attribute__((section(".ramcode"), noinline)) static int from_ram(int n)
{
    return choose(n) + 1;
}
#endif

#ifdef NUMBER
const uint32_t number = 0x08004444u;
#endif

#ifdef FILLER
__attribute__((used)) static const uint8_t filler[FILLER] = {1};
#endif

__attribute__((noreturn)) void reset(void)
{
    const uint32_t *from = &data_load;
    for (uint32_t *to = &data_begin; to < &data_end; to++)
        *to = *from++;
    for (int i = 0;; i++) {
        result += pointer(i) + packed.first(i) + packed.second(i) + names[i % 3][0] + packed.text[0] + choose(i);
        if (missing)
            result += missing();
#ifdef RAM_CODE
        result += from_ram(i);
#endif
#ifdef FIXED
        extern void fixed(void);
        fixed();
#endif
#ifdef NUMBER
        result += (int) *(volatile const uint32_t *) &number;
#endif
#ifdef STAMP
        result += STAMP;
#endif
    }
}
