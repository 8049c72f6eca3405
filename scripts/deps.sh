#!/bin/sh
# What fota needs from Debian 12.
#   deps.sh check     exit 0 when all is there, else say what is missing and exit 1
#   deps.sh install   install it (root, or sudo)
set -eu
packages="build-essential cmake ninja-build pkg-config git ca-certificates python3 xz-utils
gcc-arm-none-eabi picolibc-arm-none-eabi libunicorn-dev libbearssl-dev libcmocka-dev
libmosquitto-dev mosquitto mosquitto-clients libcurl4-openssl-dev libcjson-dev libsqlite3-dev libmicrohttpd-dev libgpiod-dev
help2man qemu-system-arm stm32flash openssl chromium fonts-dejavu-core clang clang-format clang-tidy libclang-rt-14-dev cppcheck patch
radosgw ceph-mon ceph-osd ceph-common"
# Debian's own Node.js is 18; one that is there already stays
command -v node > /dev/null 2>&1 || packages="$packages nodejs"
command -v npm > /dev/null 2>&1 || packages="$packages npm"

missing=
for p in $packages; do
    case $(dpkg-query -W -f '${Status}' "$p" 2> /dev/null || true) in
    "install ok installed") ;;
    *) missing="$missing $p" ;;
    esac
done

case ${1:-} in
check)
    [ -z "$missing" ] && exit 0
    echo "missing Debian packages:$missing" >&2
    exit 1
    ;;
install)
    [ -z "$missing" ] && { echo "all packages are there"; exit 0; }
    sudo=
    if [ "$(id -u)" -ne 0 ]; then
        sudo=$(command -v sudo) || { echo "deps: run 'make deps' as root, or install:$missing" >&2; exit 1; }
    fi
    $sudo apt-get update -q
    # shellcheck disable=SC2086
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
    ;;
*)
    echo "usage: deps.sh check|install" >&2
    exit 2
    ;;
esac
