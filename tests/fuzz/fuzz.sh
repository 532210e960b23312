#!/usr/bin/env bash
# `make fuzz`: builds every target of this directory with clang's libFuzzer and the sanitizers, beside the
# build, and runs each for FUZZ_SECONDS (600) on its corpus, FUZZ_JOBS (a processor each) at a time. What is found
# lies in fuzz/TARGET/; a finding joins tests/fuzz/corpus/TARGET together with the mend.
#   FUZZ_TARGETS  some of them ("decode plan"); FUZZ_CFLAGS, FUZZ_LIBS: what the Makefile knows
set -u
here=$(cd "$(dirname "$0")" && pwd)
top=$here/../..
clang=${CLANG:-clang}
seconds=${FUZZ_SECONDS:-600}
jobs=${FUZZ_JOBS:-$(nproc)}
layers="base pg plan cdc control catalog check schema load cutover verify engine"
flags="-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=all"
flags="$flags -std=gnu11 -Isrc -I$top/src -I$here ${FUZZ_CFLAGS:--D_GNU_SOURCE}"
libs=${FUZZ_LIBS:--lpq -lcjson -lz -lm}
targets=${FUZZ_TARGETS:-$(cd "$here" && ls fuzz_*.c | sed 's/^fuzz_\(.*\)\.c$/\1/')}

echo 'int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n); int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n) { return d && n > 9; }' |
    "$clang" -x c -fsanitize=fuzzer -o /dev/null - 2>/dev/null ||
    { echo "make fuzz wants clang with libFuzzer (Debian: clang, libclang-rt-dev); CLANG names another one"; exit 1; }

mkdir -p fuzz/obj
compile() { # SOURCE
    local object
    object=fuzz/obj/$(echo "${1#"$top"/}" | tr / _).o
    [ "$object" -nt "$1" ] && [ -z "$(find "$top/src" -name '*.h' -newer "$object" -print -quit)" ] && return
    "$clang" $flags -fsanitize=fuzzer-no-link -c -o "$object" "$1" || rm -f "$object"
}
export clang flags top
export -f compile
{
    for layer in $layers; do ls "$top/src/$layer"/*.c; done
    ls src/sql/sql.c
} | xargs -P "$jobs" -I{} bash -c 'compile {}'
rm -f fuzz/libs.a
ar cr fuzz/libs.a fuzz/obj/*.o

for target in $targets; do
    "$clang" $flags -fsanitize=fuzzer -o "fuzz/fuzz_$target" "$here/fuzz_$target.c" fuzz/libs.a $libs || exit 1
done

run() { # TARGET
    local dir=fuzz/$1 status
    mkdir -p "$dir/found"
    "fuzz/fuzz_$1" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$dir/" "$dir/found" "$here/corpus/$1" >"$dir/log" 2>&1
    status=$?
    echo "$1: exit status $status, $(sed -n 's/^stat::number_of_executed_units: *//p' "$dir/log") inputs"
    [ $status = 0 ] || { grep -a -A 25 -m 1 'ERROR\|runtime error' "$dir/log"; ls "$dir"; }
    return $status
}
export seconds here
export -f run
echo "$targets" | tr ' ' '\n' | xargs -P "$jobs" -I{} bash -c 'run {}' && echo "no findings"
