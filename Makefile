# The front door of fota. `make help` says what there is; CMake and Ninja do the work.
B ?= build
PREFIX ?= /usr/local
DESTDIR ?=
MAKEFLAGS += --no-print-directory
SHELL := /bin/bash

.DEFAULT_GOAL := build
.PHONY: help deps need build asan console test test-unit test-system test-console test-browser powercut powercut-ci mutants mutants-ci glitch glitch-ci arbitrary arbitrary-ci hostile hostile-ci fuzz fuzz-ci esp32-linux esp32-check demo demo-once demo-fleet demo-s3 demo-s3-once demo-flash size bench examples kit \
        install deb dist test-deb format lint clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo; echo "  B=DIR puts everything that is built somewhere else than build/."

deps: ## install what is needed from Debian's packages (the only step that needs root)
	@scripts/deps.sh install

need: # what is missing is installed, so that the first command of a new clone works
	@scripts/deps.sh check || $(MAKE) deps

$(B)/build.ninja: CMakeLists.txt | need
	@cmake -G Ninja -S . -B $(B) -DCMAKE_BUILD_TYPE=RelWithDebInfo > $(B).log 2>&1 || { cat $(B).log; rm -f $(B).log; exit 1; }
	@rm -f $(B).log

build: need $(B)/build.ninja ## build all programs: build/{board,cli,gateway,hub} for the host, build/target for the Arm
	@cmake --build $(B)

examples: need $(B)/build.ninja ## build target/examples; FREERTOS_DIR= and STM32CUBE_DIR= are for those on FreeRTOS and on ST's HAL
	@cmake -S . -B $(B) -DFREERTOS_DIR=$(abspath $(FREERTOS_DIR)) -DSTM32CUBE_DIR=$(abspath $(STM32CUBE_DIR)) > /dev/null && cmake --build $(B) --target target
	@[ -n "$(FREERTOS_DIR)" ] || echo "skipped: freertos, without FREERTOS_DIR=..."
	@[ -n "$(STM32CUBE_DIR)" ] || echo "skipped: hal on ST's own HAL, without STM32CUBE_DIR=...; it was built on that of tests/system/hal"

kit: build ## what an application takes from fota, as build/fota-kit-VERSION.tar.xz (docs/integrate.md)
	@scripts/kit.py --build $(B)

asan: need ## build with AddressSanitizer and UBSan, for the unit tests
	@[ -f $(B)/asan/build.ninja ] || cmake -G Ninja -S . -B $(B)/asan -DCMAKE_BUILD_TYPE=Debug -DFOTA_SANITIZE=ON -DFOTA_TARGET=OFF > /dev/null
	@cmake --build $(B)/asan

console: need console/node_modules/.stamp ## install the console's npm packages, as pinned

console/node_modules/.stamp: console/package-lock.json
	@cd console && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

test: ## all tests; what CI runs: 40 minutes on two cores
	+@scripts/parts.sh 40 lint test-unit test-system test-console test-browser powercut-ci=8 glitch-ci arbitrary-ci hostile-ci fuzz-ci mutants-ci size
	@echo "all tests passed"

test-unit: asan ## cmocka beside each unit, under ASan and UBSan
	@ctest --test-dir $(B)/asan --output-on-failure -L unit -j2

test-system: build ## end to end: the real programs, the Arm binaries on the board
	@ctest --test-dir $(B) --output-on-failure -LE unit -j2 # those that live in real time run alone

test-console: console ## the console's own tests
	@cd console && npm test

test-browser: build console ## the page in headless Chromium: each part, then the whole way (demo-once), and with each example
	@FOTA_BUILD=$(abspath $(B)) node --test tests/browser/console.test.js
	@demo/demo.py --once --build $(B)
	@demo/s3.py --once --build $(B)
	@tests/browser/examples.py --build $(B)

powercut: build ## the supply cut at every flash operation of updates, and again in the recoveries: 200 000 cuts, an hour
	@tests/powercut/campaign.py --build $(B)

powercut-ci: build ## a share of them, another one with each commit
	@tests/powercut/campaign.py --build $(B) --ci

mutants: need $(B)/build.ninja ## deliberate bugs, one at a time: each must be caught
	@tests/mutants/mutants.py --build $(B)

mutants-ci: need $(B)/build.ninja ## three of them, others with each commit
	@tests/mutants/mutants.py --build $(B) --ci

glitch: build ## each instruction of the bootloader skipped once, with an image in place that must not be booted: hours
	@tests/glitch/campaign.py --build $(B)

glitch-ci: build ## a share of them, another one with each commit
	@tests/glitch/campaign.py --build $(B) --ci

arbitrary: build ## 20 000 arbitrary contents of the flash: decided within 2 s, nothing unsigned is entered
	@tests/arbitrary/campaign.py --build $(B)

arbitrary-ci: build ## a thousand of them, others with each commit
	@tests/arbitrary/campaign.py --build $(B) --ci

hostile: build ## 2 400 updates over a line that damages, loses, delays and babbles, with resets; 60 with gateway, hub and broker killed
	@tests/hostile/campaign.py --build $(B)
	@tests/hostile/processes.py --build $(B)

hostile-ci: build ## a hundred of them, others with each commit
	@tests/hostile/campaign.py --build $(B) --ci
	@tests/hostile/processes.py --build $(B) --runs 4

fuzz: need ## every parser, and the installer, with libFuzzer, ASan and UBSan: SECONDS=300 each
	@tests/fuzz/fuzz.py --build $(B) --seconds $(or $(SECONDS),300)

fuzz-ci: need ## the same for 20 s each, after the corpora
	@tests/fuzz/fuzz.py --build $(B) --seconds 20

esp32-linux: build ## the ESP32's application on ESP-IDF's linux target, with IDF_PATH: updates, kills, bad input
	@gateway/esp32/linux.sh $(abspath $(B))

esp32-check: ## the ESP32 port against ESP-IDF's own headers, with IDF_PATH
	@gateway/esp32/check.py $(abspath $(B))/esp32-check

demo: build console ## broker, hub, console, gateway and one virtual board, until Ctrl-C
	@exec demo/demo.py --build $(B)

demo-once: build console ## the same unattended: 1.1.0 is confirmed, a bad 1.2.0 rolled back, through the page
	@demo/demo.py --once --build $(B)

demo-fleet: build console ## a hundred virtual boards behind three gateways, all updated; until Ctrl-C
	@exec demo/fleet.py --build $(B)

demo-s3: build console ## a bucket, and a gateway that watches a channel in it by itself; until Ctrl-C
	@exec demo/s3.py --build $(B)

demo-s3-once: build console ## the same unattended: a version put into the bucket reaches the board
	@demo/s3.py --once --build $(B)

demo-flash: build ## a signed update over the serial line, a confirmation and a rollback, with `fota flash`
	@demo/flash.py --build $(B)

size: build ## the bootloader's size, stack and RAM
	@scripts/size.py --build $(B)

bench: build console ## figures, with what limits them
	@bench/bench.py --build $(B)

install: need $(B)/build.ninja ## everything to DESTDIR and PREFIX (/usr/local); the console's npm packages: docs/operate.md
	@cmake -S . -B $(B) -DCMAKE_INSTALL_PREFIX=$(PREFIX) > /dev/null && cmake --build $(B) --target programs
	@DESTDIR=$(abspath $(DESTDIR)) cmake --install $(B) --strip

deb: need $(B)/build.ninja ## Debian packages in build/deb
	@cmake -S . -B $(B) -DCMAKE_INSTALL_PREFIX=/usr > /dev/null && cmake --build $(B) --target programs
	@packaging/deb/build $(B)

dist: ## the sources as build/fota-VERSION.tar.xz, from what is committed
	@mkdir -p $(B) && packaging/dist $(B)

test-deb: deb ## needs root: the packages in a bare Debian 12, from installation to an update
	@packaging/test-deb.sh $(B)

format: ## clang-format every C file
	@git ls-files -co --exclude-standard '*.c' '*.h' | xargs clang-format -i

lint: build ## clang-format, clang-tidy, cppcheck, gcc's analyzer and waits.py find nothing
	@scripts/lint.py --build $(B)

clean: ## remove what was built
	@rm -rf $(B)
