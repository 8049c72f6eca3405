#!/bin/sh
# The version, from git: 1.2.3 on the tag v1.2.3, 1.2.3+4.gabc1234 four commits later, with .dirty when something is not committed.
# A tarball of `make dist` has no git; its file VERSION says it.
set -eu
cd "$(dirname "$0")/.."
base=0.1.0 # before the first tag
if [ -e .git ] && describe=$(git describe --tags --match 'v[0-9]*' --long --dirty=.dirty 2> /dev/null); then
    hash=${describe##*-}
    rest=${describe%-*}
    count=${rest##*-}
    base=${rest%-*}
    base=${base#v}
    case $count$hash in
    0*.dirty) echo "$base+dirty" ;;
    0*) echo "$base" ;;
    *) echo "$base+$count.$hash" ;;
    esac
elif [ -e .git ] && hash=$(git describe --always --dirty=.dirty --exclude '*' 2> /dev/null); then
    echo "$base+g$hash"
elif [ -f VERSION ]; then
    cat VERSION
else
    echo "$base"
fi
