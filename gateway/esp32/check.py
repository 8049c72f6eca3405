#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compile the ESP32 port with -Werror for esp32c3 and esp32 against the headers of the ESP-IDF in IDF_PATH, and compare the declarations that CI
compiles it against (host/declarations) with them. check.py FOLDER, for what it writes. Nothing is linked: see README.md."""
import concurrent.futures
import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
from memory import definitions  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
CHIPS = {
    "esp32c3": ("riscv64-unknown-elf-gcc", ["--specs=picolibc.specs", "-march=rv32imc_zicsr_zifencei", "-mabi=ilp32"], "riscv"),
    # its package has no C library: the headers of picolibc's for RISC-V do
    "esp32": ("xtensa-lx106-elf-gcc", ["-isystem/usr/lib/picolibc/riscv64-unknown-elf/include"], "xtensa"),
}
WARNINGS = ["-std=gnu17", "-Os", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wstrict-prototypes", "-Wmissing-prototypes", "-Werror"]
NEWLIB = {"sys/reent.h": "#pragma once\nstruct _reent { int none; };\n", "reent.h": "#include <sys/reent.h>\n"}
# where ESP-IDF's component manager puts esp-mqtt for 6.0 and newer
MQTT = os.path.join(HERE, "managed_components", "espressif__mqtt")
LINES = {"uart": "FOTA_LINE_UART", "spi": "FOTA_LINE_SPI"}


def includes(idf, arch, chip):
    """Folders of headers, the more special first."""
    c = os.path.join(idf, "components")
    found = []
    for line in """
freertos/config/include freertos/config/include/freertos freertos/config/{arch}/include freertos/FreeRTOS-Kernel/include
freertos/FreeRTOS-Kernel/portable/{arch}/include freertos/FreeRTOS-Kernel/portable/{arch}/include/freertos freertos/esp_additions/include
esp_common/include esp_hw_support/include esp_hw_support/include/soc esp_hw_support/port/{chip}/include esp_hw_support/port/{chip} heap/include heap/tlsf log/include
soc/{chip}/include soc/{chip} soc/{chip}/register soc/include hal/{chip}/include hal/include hal/platform_port/include esp_rom/include esp_rom/{chip}/include
esp_rom/{chip}/include/{chip} esp_rom/{chip} esp_system/include esp_system/port/include esp_system/port/include/private {arch}/include {arch}/{chip}/include
esp_timer/include esp_event/include esp_wifi/include esp_wifi/include/local wpa_supplicant/esp_supplicant/include esp_phy/include esp_netif/include
lwip/include lwip/include/apps lwip/include/apps/sntp lwip/lwip/src/include lwip/port/include lwip/port/freertos/include lwip/port/esp32xx/include
lwip/port/esp32xx/include/arch lwip/port/esp32xx/include/sys newlib/platform_include esp_driver_uart/include esp_driver_spi/include esp_driver_gpio/include esp_pm/include
nvs_flash/include app_update/include esp_app_format/include esp_bootloader_format/include bootloader_support/include esp_partition/include spi_flash/include esp_http_client/include esp-tls esp-tls/esp-tls-crypto tcp_transport/include
mbedtls/port/include mbedtls/mbedtls/include mbedtls/mbedtls/library mbedtls/esp_crt_bundle/include mqtt/esp-mqtt/include http_parser esp_security/include
esp_hal_uart/include esp_hal_gpspi/include esp_hal_gpio/include esp_hal_gpio/{chip}/include esp_hw_support/etm/include esp_libc/platform_include
esp_blockdev/include mbedtls/mbedtls/tf-psa-crypto/include mbedtls/mbedtls/tf-psa-crypto/drivers/builtin/include mbedtls/port/psa_driver/include
""".split():
        path = os.path.join(c, line.format(arch=arch, chip=chip))
        if os.path.isdir(path):
            found.append("-isystem" + path)
    if os.path.isdir(MQTT):
        found.append("-isystem" + os.path.join(MQTT, "include"))
    return found


def sdkconfig(idf, folder, chip, line):
    """sdkconfig.h as menuconfig would leave it, with this project's defaults; by kconfgen of esp-idf-kconfig, which comes with ESP-IDF."""
    os.makedirs(folder, exist_ok=True)
    lists = {"kconfigs": "Kconfig", "projbuild": "Kconfig.projbuild"}
    for name, kind in lists.items():
        found = [] if kind == "Kconfig" else [os.path.join(HERE, "main", kind)]
        for component in sorted(os.listdir(os.path.join(idf, "components"))):
            for path in (os.path.join(component, kind), os.path.join(component, "esp-mqtt", kind)):
                path = os.path.join(idf, "components", path)
                if os.path.exists(path):
                    found.append(path)
        if os.path.exists(os.path.join(MQTT, kind)):
            found.append(os.path.join(MQTT, kind))
        with open(os.path.join(folder, name + ".in"), "w", encoding="ascii") as f:
            f.writelines(f'source "{path}"\n' for path in found)
    defaults = os.path.join(folder, "defaults")
    with open(defaults, "w", encoding="ascii") as f, open(os.path.join(HERE, "sdkconfig.defaults"), encoding="ascii") as ours:
        # whose headers need more of the tree than the functions that are used here
        f.write(ours.read() + f"CONFIG_{LINES[line]}=y\nCONFIG_MBEDTLS_HARDWARE_AES=n\n")
    environment = {**os.environ, "IDF_PATH": idf, "IDF_TARGET": chip, "IDF_TOOLCHAIN": "gcc", "IDF_ENV_FPGA": "", "IDF_VERSION": "", "IDF_INIT_VERSION": "",
                   "IDF_MINIMAL_BUILD": "", "COMPONENT_KCONFIGS_SOURCE_FILE": os.path.join(folder, "kconfigs.in"),
                   "COMPONENT_KCONFIGS_PROJBUILD_SOURCE_FILE": os.path.join(folder, "projbuild.in")}
    done = subprocess.run([sys.executable, "-m", "kconfgen", "--kconfig", os.path.join(idf, "Kconfig"), "--config", os.path.join(folder, "sdkconfig"),
                           "--defaults", defaults, "--output", "header", os.path.join(folder, "sdkconfig.h")],
                          env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"esp32-check: kconfgen failed; is ESP-IDF's Python environment (export.sh) active?\n{done.stderr[-2000:]}")


def sources():
    c = os.path.join(HERE, "components")
    port = sorted(os.path.join(c, "fota_port", "src", f) for f in os.listdir(os.path.join(c, "fota_port", "src")))
    drivers = [os.path.join(c, "fota_drivers", f) for f in ("gpio.c", "wifi.c", "chip.c", "ota.c", "wire.c")]
    line = {"uart": os.path.join(c, "fota_drivers", "uart.c"), "spi": os.path.join(c, "fota_drivers", "spi.c")}
    everywhere = [os.path.join(c, "fota_core", "crypto_psa.c"), *port, *drivers, os.path.join(HERE, "host", "declarations", "compare.c")]
    return [(s, "uart") for s in everywhere] + [(s, k) for k, s in line.items()]


OURS = ["-I" + os.path.join(ROOT, "core", "include"), "-I" + os.path.join(ROOT, "gateway", "core", "include"),
        "-I" + os.path.join(HERE, "components", "fota_port", "include"), "-I" + os.path.join(HERE, "components", "fota_drivers"),
        *definitions(), '-DFOTA_VERSION="0"']


def compile_one(job):
    command, source = job
    done = subprocess.run([*command, "-c", source, "-o", os.devnull], capture_output=True, text=True, check=False)
    return source, done.stderr if done.returncode != 0 else ""


def check(idf, folder, chip):
    compiler, flags, arch = CHIPS[chip]
    if shutil.which(compiler) is None:
        print(f"{chip}: skipped, {compiler} is not installed")
        return 0
    newlib = os.path.join(folder, "newlib")  # what the compilers of Debian have another C library for
    os.makedirs(os.path.join(newlib, "sys"), exist_ok=True)
    for name, text in NEWLIB.items():
        with open(os.path.join(newlib, name), "w", encoding="ascii") as f:
            f.write(text)
    for line in LINES:
        sdkconfig(idf, os.path.join(folder, chip, line), chip, line)
    start = [compiler, *flags, *WARNINGS, "-DESP_PLATFORM", "-DIDF_VER=\"check\"", '-DMBEDTLS_CONFIG_FILE="mbedtls/esp_config.h"', *OURS, *includes(idf, arch, chip), "-idirafter" + newlib]
    jobs = [([*start, "-I" + os.path.join(folder, chip, kind)], source) for source, kind in sources()]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = list(pool.map(compile_one, jobs))
    for source, said in results:
        if said:
            print(f"{chip}: {os.path.relpath(source, ROOT)}", said[:3000], sep="\n")
    bad = sum(bool(said) for _, said in results)
    print(f"{chip}: {len(results) - bad} of {len(results)} files compile against the real headers")
    return bad


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    idf = os.environ.get("IDF_PATH")
    if not idf:
        print("esp32-check: skipped, IDF_PATH is not set (make test compiles the port against host/declarations)")
        return 0
    return 1 if sum(check(idf, sys.argv[1], chip) for chip in CHIPS) else 0


if __name__ == "__main__":
    sys.exit(main())
