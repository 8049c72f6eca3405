#!/bin/sh
# Build the application for ESP-IDF's linux target and run tests/esp32/test_linux.py. linux.sh BUILD [TEST…]; ESP-IDF is taken from IDF_PATH.
set -e
build=$(cd "$1" && pwd)
shift
here=$(cd "$(dirname "$0")" && pwd)
if [ -z "$IDF_PATH" ]; then
    echo "esp32-linux: skipped, IDF_PATH is not set (ESP-IDF 5.3 or newer: . export.sh)"
    exit 0
fi
out=$build/esp32-linux
mkdir -p "$out"
if [ ! -f "$out/build.ninja" ]; then
    IDF_TARGET=linux cmake -G Ninja -S "$here" -B "$out" -DIDF_TARGET=linux -DSDKCONFIG="$out/sdkconfig" -DPYTHON_DEPS_CHECKED=1 \
        -DPYTHON="$(command -v python3)" > "$out.log" 2>&1 || { cat "$out.log"; exit 1; }
fi
IDF_TARGET=linux ninja -C "$out" > "$out.log" 2>&1 || { tail -40 "$out.log"; exit 1; }
exec python3 -B "$here/../../tests/esp32/test_linux.py" "$build" "$out" "$@"
