#!/usr/bin/env bash
# sync.mode sync-only: from a slot that somebody else has made, with a copy that somebody else has made at its position, while
# writes go on; and from now on, with both sides equal.
. "$(dirname "$0")/flow_tools.sh"
cluster_start source fsync=off || exit 1
cluster_start target fsync=off || exit 1
on source postgres -c 'CREATE DATABASE shop'
on source shop -c "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' FROM generate_series(1, 1000) i; CREATE SEQUENCE s; SELECT nextval('s')" -o /dev/null
sync='"schema": {"mode": "existing"}, "sync": {"mode": "sync-only", "ddl": "stop", "slot": "theirs"}'

plan shop '[{"name": "shop"}]' "$sync"
on target postgres -c 'CREATE DATABASE shop'
on target shop -c "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE SEQUENCE s"
run --batch "$PGC_DIR/shop.json"
assert_run "no such slot" 1 'the source has no replication slot "theirs" (sync.slot)'
run cancel shop
run delete shop
on source shop -o /dev/null -c "CREATE PUBLICATION theirs" -c "SELECT pg_create_logical_replication_slot('theirs', 'pgoutput')"
run --batch "$PGC_DIR/shop.json"
assert_run "a table that is not published" 1 'publication "theirs"' "does not have: public.t"
run cancel shop
run delete shop
on source shop -o /dev/null -c "SELECT pg_drop_replication_slot('theirs')" -c "DROP PUBLICATION theirs"

# As somebody with pg_dump would: slot, copy, and writes in between and after.
on source shop -c "CREATE PUBLICATION theirs FOR TABLE t" -c "SELECT pg_create_logical_replication_slot('theirs', 'pgoutput')" -o /dev/null
on source shop -c "COPY t TO STDOUT" | on target shop -c "COPY t FROM STDIN"
on source shop -c "INSERT INTO t SELECT i, 'later' FROM generate_series(2001, 2100) i; UPDATE t SET v = 'changed' WHERE id <= 10; DELETE FROM t WHERE id = 500"
run --batch "$PGC_DIR/shop.json"
assert_run "from the slot's position" 0
on source shop -c "INSERT INTO t VALUES (5000, 'last')"
run verify shop
assert_run "verify" 0
run_when_ready cutover shop
assert_run "cutover" 0
assert_equal "rows" "$(on target shop -c "SELECT md5(string_agg(t::text, ',' ORDER BY id)) || count(*) FROM t")" "$(on source shop -c "SELECT md5(string_agg(t::text, ',' ORDER BY id)) || count(*) FROM t")"
run delete shop
assert_equal "the slot is dropped, the publication stays" "$(footprint source shop)" "publication theirs"

# From now on. The source of before is the target now, and equal.
on source shop -c "DROP PUBLICATION theirs"
plan now '[{"name": "shop"}]' '"schema": {"mode": "existing"}, "sync": {"mode": "sync-only"}'
run --batch "$PGC_DIR/now.json" --dry-run
assert_contains "dry run" "$out" "only changes are applied"
run --batch "$PGC_DIR/now.json"
assert_run "from now on" 0
on source shop -c "UPDATE t SET v = 'again' WHERE id = 1"
run_when_ready cutover now
assert_run "from now on: cutover" 0
assert_same_data "from now on" source/shop target/shop
# Cancelled, a given slot is left as it is, and that is said.
run delete now
on source shop -c "CREATE PUBLICATION theirs FOR TABLE t" -c "SELECT pg_create_logical_replication_slot('theirs', 'pgoutput')" -o /dev/null
run --batch "$PGC_DIR/shop.json"
assert_run "from another slot" 0
run cancel shop
assert_run "cancel" 0
assert_equal "a given slot is left" "$(footprint source shop)" "publication theirs
slot theirs"
finish
