#!/bin/bash
# SPDX-License-Identifier: MIT
# Make targets one after the other, and at the end how long each took and all together, against what they should take.
# That is only said: time makes nothing fail. The first target that fails ends it.
#
#     scripts/parts.sh MINUTES TARGET[=MINUTES] ...     MINUTES: for all; make's variables come by its environment
set -u
aim=$1
shift
began=$SECONDS
report=""
status=0

line() { # name, seconds, minutes or nothing
    printf '  %-16s %3d:%02d%s\n' "$1" $(($2 / 60)) $(($2 % 60)) "${3:+   (at most $3:00$([ "$2" -gt $(($3 * 60)) ] && echo ', TOO SLOW'))}"
}

for part in "$@"; do
    name=${part%%=*} minutes=""
    [ "$name" = "$part" ] || minutes=${part#*=}
    start=$SECONDS
    ${MAKE:-make} "$name" || status=$?
    report+=$(line "$name" $((SECONDS - start)) "$minutes")$'\n'
    [ $status -eq 0 ] || { report+="  $name failed"$'\n'; break; }
done
printf '%s' "$report"
line "in all" $((SECONDS - began)) "$aim"
exit $status
