#!/usr/bin/env bash
# Decode and spool alone: how fast a backlog on the source comes into the spool, beside pg_recvlogical that writes
# what it gets to /dev/null (the same plugin, the same server, medians of RUNS, taken in turns).
#   tests/bench/bench_receive.sh [CHANGES]     in the build directory; RUNS=5, CASES="T I U X" by default
# Prints a Markdown table; the exit status is 1 when a case is slower than pg_recvlogical.
. "$(dirname "$0")/../servers/lib.sh"
changes=${1:-1000000}
runs=${RUNS:-5}
cases=${CASES:-T I U X}
[ -x ./bench_receive ] || make -s bench_receive || exit 1

cluster_start source shared_buffers=1GB max_wal_size=8GB checkpoint_timeout=30min autovacuum=off synchronous_commit=off || exit 1
on source postgres -c 'CREATE DATABASE t' || exit 1
on source t -c 'CREATE PUBLICATION p FOR ALL TABLES' -c 'CREATE TABLE i (id bigint PRIMARY KEY, a int, b bigint, c text,
    d timestamptz, e float8, f text, g bool, h numeric, i date)' \
    -c 'CREATE TABLE u (id int PRIMARY KEY, n bigint, t text)' \
    -c "INSERT INTO u SELECT n, 0, 'some text of usual length' FROM generate_series(1, 200000) n" || exit 1

rows() { # FROM COUNT: rows for table i
    echo "INSERT INTO i SELECT n, n % 1000, n::bigint * 7919, 'customer number ' || n, now(), n + 0.25,
        'some more text that is a little longer', true, n % 10000 + 0.99, '2024-02-29' FROM generate_series($1, $1 + $2 - 1) n;"
}

write_case() { # CASE
    local n
    case $1 in
        T) pgbench -i -q -s 10 -h "$PGC_DIR/source" -U postgres t >/dev/null 2>&1
           make_slots T
           pgbench -n -c 4 -t $((changes / 16)) -h "$PGC_DIR/source" -U postgres t >/dev/null 2>&1 ;;
        I) make_slots I
           for ((n = 0; n < changes; n += 1000)); do rows $n 1000; done | on source t >/dev/null ;;
        U) make_slots U
           for ((n = 0; n < changes; n += 100)); do
               echo "UPDATE u SET n = n + 1 WHERE id BETWEEN $((n % 200000 + 1)) AND $((n % 200000 + 100));"
           done | on source t >/dev/null ;;
        X) make_slots X
           rows 100000000 "$changes" | on source t >/dev/null ;;
    esac
}

make_slots() { # CASE: one for each run of each program
    local n
    for ((n = 1; n <= runs; n++)); do
        on source t -c "SELECT pg_create_logical_replication_slot('peer_$n', 'pgoutput'),
            pg_create_logical_replication_slot('own_$n', 'pgoutput')" >/dev/null
    done
}

seconds() { # COMMAND...
    local begun
    begun=$(date +%s%N)
    "$@" || exit 1
    echo $((($(date +%s%N) - begun) / 1000000)) | sed 's/...$/.&/; s/^\./0./'
}

peer() { # SLOT END
    "$PGC_BIN/pg_recvlogical" -h "$PGC_DIR/source" -U postgres -d t --slot "$1" --start --endpos "$2" -f /dev/null \
        -o proto_version=1 -o publication_names=p 2>"$PGC_DIR/peer.log" || { cat "$PGC_DIR/peer.log" >&2; return 1; }
}

own() { # SLOT START END
    PGC_TEST_SOURCE=$(uri source t) ./bench_receive "$1" "$2" "$3" "$PGC_DIR/spool-$1" >>"$PGC_DIR/own.log" || return 1
}

median() { sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }

echo "$(nproc) cores, PostgreSQL $(on source t -c 'SHOW server_version'), $changes changes, medians of $runs (seconds), both ends on one machine"
echo
echo "| case | pg_recvlogical | pgcutover | ratio | changes a second |"
echo "| --- | --- | --- | --- | --- |"
for name in $cases; do
    write_case "$name"
    end=$(on source t -c 'SELECT pg_current_wal_flush_lsn()')
    : >"$PGC_DIR/peers"; : >"$PGC_DIR/owns"; : >"$PGC_DIR/own.log"
    for ((n = 1; n <= runs; n++)); do
        seconds peer "peer_$n" "$end" >>"$PGC_DIR/peers"
        start=$(on source t -c "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = 'own_$n'")
        seconds own "own_$n" "$start" "$end" >>"$PGC_DIR/owns"
        rm -rf "$PGC_DIR/spool-own_$n"
        on source t -c "SELECT pg_drop_replication_slot(s) FROM unnest(ARRAY['peer_$n', 'own_$n']) s" >/dev/null
    done
    [ "${VERBOSE:-}" ] && cat "$PGC_DIR/own.log" >&2
    peer=$(median <"$PGC_DIR/peers") own=$(median <"$PGC_DIR/owns")
    received=$(awk '{print $1}' "$PGC_DIR/own.log" | median)
    awk -v c="$name" -v p="$peer" -v o="$own" -v n="$received" \
        'BEGIN {printf "| %s | %.2f | %.2f | %.2f | %d k |\n", c, p, o, p / o, n / o / 1000}'
    awk -v p="$peer" -v o="$own" 'BEGIN {exit !(o < p)}' && pass "$name" || fail "$name: slower than pg_recvlogical"
done
