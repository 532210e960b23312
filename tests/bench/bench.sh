#!/usr/bin/env bash
# How fast it is, side by side with its peers, on this machine, in one run: `make bench`. Makes its own data on two
# clusters of its own; every pgcutover run that is measured is also compared with the source, by plain SQL. Writes
# a table in Markdown ($PGC_BENCH_TABLE, bench.md). Takes hours whole; sections can be picked.
#   PGC_BENCH         "load uneven tables schema drain verify receive latency lanes memory ssh": these sections (all)
#   PGC_BENCH_RUNS    runs of each (5)
#   PGC_BENCH_SCALE   per cent of the amounts of data (100)
#   PGC_BENCH_DRAIN   "T I U D M X": these kinds of work
# A peer that is not installed (pgcopydb) is left out.
. "$(dirname "$0")/bench_lib.sh"
[ -x "$PGCUTOVER" ] || { echo "SKIP: no ./pgcutover here"; exit 77; }
. "$bench_source/load.sh"
. "$bench_source/drain.sh"
. "$bench_source/schema.sh"
. "$bench_source/verify.sh"
. "$bench_source/machine.sh"
. "$bench_source/ssh.sh"

# No engine outlives the run.
trap 'status=$?; for name in load large drain compare lanes tunnel; do forget "$name"; done; (exit $status); finish' EXIT

servers_start
{ echo "# Measured"; echo; machine; } | tee "$TABLE"
for section in ${PGC_BENCH:-load uneven tables schema drain verify receive latency lanes memory ssh}; do
    if "section_$section"; then pass "section $section"; else fail "section $section"; fi
done
echo "written to $TABLE"
