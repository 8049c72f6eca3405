#!/bin/sh
# clang-tidy over the host's C files.   usage: tidy.sh BUILD
set -eu
build=${1:?usage: tidy.sh BUILD}
git ls-files 'core/src/*.c' 'pack/src/*.c' 'gateway/core/src/*.c' 'gateway/linux/*.c' 'hub/src/*.c' 'cli/src/*.c' 'board/src/*.c' 'board/program/*.c' |
    grep -v _p256m | xargs -P "$(nproc)" -n 4 clang-tidy -p "$build" --quiet --extra-arg=-Wno-unknown-warning-option 2> /dev/null
