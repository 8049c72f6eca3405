# fota in a Makefile project. Set before the include, all optional:
#   FOTA_PORT    chip: the kit's own drivers and start-up file (default); hal: on ST's HAL, port/hal; own: neither
#   FOTA_LINES   wires to the gateway that the agent serves (1)
#   FOTA_RAM     1 (yes, ON): the flash's routines run from RAM (not with hal)
#   FOTA_BUILD   where objects go (build/fota)
#   FOTA_KEY     the key that packages are signed with; without it only the unsigned .bin is made
# Afterwards: $(FOTA_CFLAGS) for everything that is compiled, $(FOTA_OBJECTS) and $(FOTA_LDFLAGS) for the link, and
# $(FOTA_LINK) NAME -- LINK COMMAND, which links for both slots and makes the package (post-build.sh).
# The kit's files are compiled with $(CC) and $(CFLAGS).
FOTA_DIR := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
FOTA_PORT ?= chip
FOTA_LINES ?= 1
FOTA_BUILD ?= build/fota
include $(FOTA_DIR)/sources.mk

FOTA_PARTS_chip := $(FOTA_CHIP) $(FOTA_DRIVERS) $(FOTA_STARTUP)
FOTA_PARTS_hal := $(FOTA_HAL)
FOTA_PARTS_own := $(FOTA_CHIP)
ifndef FOTA_PARTS_$(FOTA_PORT)
$(error fota: FOTA_PORT is chip, hal or own, not $(FOTA_PORT))
endif
ifeq ($(FOTA_PORT),hal)
FOTA_INCLUDES += $(FOTA_HAL_INCLUDES)
endif
FOTA_OBJECTS := $(patsubst %.c,$(FOTA_BUILD)/%.o,$(FOTA_AGENT) $(FOTA_CRYPTO) $(FOTA_PARTS_$(FOTA_PORT)))
FOTA_CFLAGS += $(FOTA_CPU) -DFOTA_AGENT_LINES=$(FOTA_LINES)u $(if $(filter-out 0 no off OFF,$(FOTA_RAM)),-DFOTA_FLASH_IN_RAM) \
	$(addprefix -I$(FOTA_DIR)/,$(FOTA_INCLUDES))
FOTA_LDFLAGS += $(FOTA_CPU) -L$(FOTA_DIR)
FOTA_LINK = sh $(FOTA_DIR)/post-build.sh $(if $(FOTA_KEY),--key $(FOTA_KEY))

$(FOTA_BUILD)/%.o: $(FOTA_DIR)/%.c
	@mkdir -p $(@D)
	$(CC) -std=c11 $(CFLAGS) $(FOTA_CFLAGS) $(addprefix -isystem $(FOTA_DIR)/,$(FOTA_CRYPTO_INCLUDES)) -MMD -c $< -o $@
-include $(FOTA_OBJECTS:.o=.d)
