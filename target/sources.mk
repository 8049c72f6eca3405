# What an application takes from fota, and how it is built, once: read by make (kit/fota.mk), by CMake (sources.cmake), by kit/post-build.sh and by
# scripts/kit.py. One list a line. Paths are those of the kit; in the repository core/ lies beside target/, port/ in target/kit, and the crypto where
# scripts/fetch-crypto.sh puts it.
FOTA_AGENT = agent/agent.c agent/update.c chip/wait.c chip/supply.c chip/backup.c core/src/boot.c core/src/config.c core/src/crc32.c core/src/header.c core/src/install.c core/src/journal.c core/src/link.c core/src/server.c core/src/server_install.c
FOTA_CRYPTO = core/src/crypto.c core/src/sha256_bearssl.c core/src/ecdsa_p256m.c crypto/bearssl/src/hash/sha2small.c crypto/bearssl/src/codec/dec32be.c crypto/bearssl/src/codec/enc32be.c
# flash and watchdog: these, or those of port/hal
FOTA_CHIP = chip/flash.c chip/watchdog.c
# for applications without drivers of their own, and without a start-up file
FOTA_DRIVERS = chip/clock.c chip/dma.c chip/line.c chip/uart.c chip/spi.c
FOTA_STARTUP = chip/startup.c
FOTA_HAL = chip/line.c port/hal/fota_hal.c port/hal/fota_hal_spi.c port/hal/fota_hal_flash.c port/hal/fota_hal_watchdog.c
FOTA_INCLUDES = agent/include chip core/include
FOTA_HAL_INCLUDES = port/hal
FOTA_CRYPTO_INCLUDES = crypto/bearssl/inc crypto/bearssl/src crypto/p256-m crypto
# flags for all of an application; code and its addresses must be movable by words alone
FOTA_CPU = -mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16
FOTA_CFLAGS = -ffunction-sections -fdata-sections -fno-common -mword-relocations
# an application without FOTA_APPLICATION() is refused by the linker
FOTA_LDFLAGS = -Wl,--gc-sections -Wl,--emit-relocs -Wl,--require-defined=fota_application
# where the code of each slot begins
FOTA_SLOT_A = 0x08004200
FOTA_SLOT_B = 0x08060200
