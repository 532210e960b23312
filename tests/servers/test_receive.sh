#!/usr/bin/env bash
# Receiving into the spool: the C program, with a small file system where one can be mounted; then a
# receiver that must not hold up the fast shutdown of its source.
. "$(dirname "$0")/lib.sh"
cluster_start source || exit 1
on source postgres -c 'CREATE DATABASE t' || exit 1
PGC_TEST_SOURCE=$(uri source t)
export PGC_TEST_SOURCE

small=$PGC_DIR/small
mkdir -p "$small"
if mount -t tmpfs -o size=2m none "$small" 2>/dev/null; then
    export PGC_TEST_SMALL_DIR=$small
    trap 'umount -l "$small"; finish' EXIT
fi
./test_receive_servers && pass test_receive_servers || fail "test_receive_servers: exit status $?"

on source t -c "SELECT pg_create_logical_replication_slot('follow', 'pgoutput')" >/dev/null
./test_receive_servers follow "$PGC_DIR/follow" >"$PGC_DIR/follow.out" &
follower=$!
wait_until 10 grep -q started "$PGC_DIR/follow.out"
on source t -c "INSERT INTO log (writer) VALUES (1)" -c "CREATE TABLE unseen AS SELECT generate_series(1, 1000)"
begun=$(date +%s%N)
cluster_stop source fast
took_ms=$((($(date +%s%N) - begun) / 1000000))
wait $follower && pass "the stream ended in good order" || fail "follower: $(cat "$PGC_DIR/follow.out")"
[ $took_ms -lt 5000 ] && pass "shutdown of the source took $took_ms ms" || fail "shutdown of the source took $took_ms ms"
