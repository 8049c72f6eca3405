#!/bin/sh
# SPDX-License-Identifier: MIT
# Links an application for both slots, and makes of it NAME.a.elf (slot A, for the debugger), NAME.b.elf, NAME.bin (the code with its relocation
# table, not signed) and, with a key, the signed package NAME.fota.
#
# usage: post-build.sh [--key KEY.pem] NAME -- LINK COMMAND without -o and without fota_code
set -eu
usage() { echo "usage: post-build.sh [--key KEY.pem] NAME -- LINK COMMAND" >&2; exit 2; }
kit=$(dirname "$0")
key=
if [ "${1:-}" = --key ]; then
    [ -f "${2:-}" ] || { echo "post-build.sh: --key ${2:-}: there is no such file" >&2; exit 1; }
    key=$2
    shift 2
fi
[ $# -ge 3 ] && [ "$2" = -- ] || usage
name=$1
shift 2
command -v fota > /dev/null || { echo "post-build.sh: the program fota is not in PATH: install the package fota" >&2; exit 1; }
rm -f "$name.bin" "$name.fota" # none of an older link stays
for slot in A B; do
    file=$name.$(echo $slot | tr AB ab).elf
    "$@" -Wl,--emit-relocs -Wl,--defsym=fota_code="$(sed -n "s/^FOTA_SLOT_$slot = //p" "$kit/sources.mk")" -o "$file"
done
fota bin "$name.a.elf" "$name.b.elf" -o "$name.bin"
if [ -n "$key" ]; then
    fota pack "$name.a.elf" "$name.b.elf" --key "$key" -o "$name.fota"
else
    echo "post-build.sh: no key, so $name.bin is not signed: fota pack $name.bin --key KEY.pem -o $name.fota" >&2
fi
