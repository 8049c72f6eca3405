# Builds an example of the kit: make EXAMPLE=bare (default), hello, busy, tasks, hal or freertos; the package is build/EXAMPLE.fota.
#   KEY=key.pem        signs it
#   MINOR=1            its version is 1.MINOR.0
#   SPECS=nano.specs   another C library than picolibc
#   STM32CUBE_DIR=…    for hal: ST's STM32CubeF4
#   FREERTOS_DIR=…     for freertos: the kernel
EXAMPLE ?= bare
MINOR ?= 0
SPECS ?= picolibc.specs
STM32CUBE_DIR ?=
FREERTOS_DIR ?=
ifeq ($(origin CC),default)
CC := arm-none-eabi-gcc
endif
CFLAGS ?= -Os -g
FOTA_KEY = $(KEY)
FOTA_BUILD = $(OUT)/fota
OUT := build/$(EXAMPLE)-1.$(MINOR)
.DEFAULT_GOAL := all
.PHONY: all clean

SOURCES := $(EXAMPLE)/main.c
UPPER := $(shell echo $(EXAMPLE) | tr a-z A-Z)
DEFINES := -D$(UPPER)_MAJOR=1u -D$(UPPER)_MINOR=$(MINOR)u -D$(UPPER)_PATCH=0u -DEXAMPLE_MINOR=$(MINOR)u
ifeq ($(EXAMPLE),hello)
FOTA_LINES = 2
DEFINES += -DHELLO_COUNTER=1 -DHELLO_FLAW=FLAW_NONE
endif
ifeq ($(EXAMPLE),busy)
DEFINES += -DBUSY_RING=2048 -DBUSY_WINDOW=1536 -DBUSY_CHUNK=512 -DBUSY_PATIENT=1
endif
ifneq ($(filter hello busy,$(EXAMPLE)),)
SOURCES += hello/ballast.S
DEFINES += -DHELLO_BALLAST=256
endif
ifeq ($(EXAMPLE),hal)
ifeq ($(wildcard $(STM32CUBE_DIR)/Drivers),)
$(error hal: STM32CUBE_DIR= names ST's STM32CubeF4)
endif
FOTA_PORT = hal
FOTA_LINES = 2
HAL := $(STM32CUBE_DIR)/Drivers/STM32F4xx_HAL_Driver
DEVICE := $(STM32CUBE_DIR)/Drivers/CMSIS/Device/ST/STM32F4xx
HAL_SOURCES := $(DEVICE)/Source/Templates/system_stm32f4xx.c $(HAL)/Src/stm32f4xx_hal.c \
	$(patsubst %,$(HAL)/Src/stm32f4xx_hal_%.c,cortex dma flash flash_ex gpio iwdg pwr rcc spi uart)
DEFINES += -DSTM32F407xx -DUSE_HAL_DRIVER -Ihal -isystem $(HAL)/Inc -isystem $(DEVICE)/Include -isystem $(STM32CUBE_DIR)/Drivers/CMSIS/Include
endif
ifeq ($(EXAMPLE),freertos)
ifeq ($(wildcard $(FREERTOS_DIR)/tasks.c),)
$(error freertos: FREERTOS_DIR= names the FreeRTOS kernel)
endif
SOURCES += $(FREERTOS_DIR)/list.c $(FREERTOS_DIR)/tasks.c $(FREERTOS_DIR)/portable/GCC/ARM_CM4F/port.c
DEFINES += -Ifreertos -isystem $(FREERTOS_DIR)/include -isystem $(FREERTOS_DIR)/portable/GCC/ARM_CM4F
endif

CFLAGS += -ffreestanding --specs=$(SPECS) $(DEFINES)
LDFLAGS := -nostartfiles --specs=$(SPECS) -Wl,--no-warn-rwx-segments -T$(dir $(lastword $(MAKEFILE_LIST)))../agent/application.ld
include $(dir $(lastword $(MAKEFILE_LIST)))../fota.mk
ifeq ($(EXAMPLE),hal)
FOTA_OBJECTS += $(OUT)/fota/chip/startup.o
endif
OBJECTS := $(addprefix $(OUT)/,$(addsuffix .o,$(subst /,_,$(SOURCES) $(HAL_SOURCES))))

all: build/$(EXAMPLE).fota

build/$(EXAMPLE).fota: $(OBJECTS) $(FOTA_OBJECTS)
	$(FOTA_LINK) $(basename $@) -- $(CC) $^ $(LDFLAGS) $(FOTA_LDFLAGS)

define compile
$(OUT)/$(subst /,_,$(1)).o: $(1)
	@mkdir -p $$(@D)
	$$(CC) -std=c11 $$(CFLAGS) $$(FOTA_CFLAGS) -c $$< -o $$@
endef
$(foreach source,$(SOURCES) $(HAL_SOURCES),$(eval $(call compile,$(source))))

clean:
	rm -rf build
