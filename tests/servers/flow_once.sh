#!/usr/bin/env bash
# sync.mode load-only: a copy of one moment while the source goes on being written, from a server that has no logical
# decoding; the engine killed in the middle of it; verified against the snapshot.
. "$(dirname "$0")/flow_tools.sh"
cluster_start source fsync=off wal_level=replica max_replication_slots=0 || exit 1
cluster_start target fsync=off || exit 1

fill() { # DATABASE ROWS
    on source postgres -c "CREATE DATABASE $1"
    on source "$1" -o /dev/null <<SQL
CREATE TABLE giro (id int PRIMARY KEY, amount bigint NOT NULL);
CREATE TABLE savings (id int PRIMARY KEY REFERENCES giro, amount bigint NOT NULL);
CREATE TABLE keyless (k int, v text);
CREATE UNLOGGED TABLE cache (id serial PRIMARY KEY, v text);
CREATE MATERIALIZED VIEW total AS SELECT sum(amount) AS n FROM giro;
INSERT INTO giro SELECT i, 1000 FROM generate_series(1, $2) i;
INSERT INTO savings SELECT i, 1000 FROM generate_series(1, $2) i;
INSERT INTO keyless SELECT i % 10, 'k' FROM generate_series(1, 1000) i;
INSERT INTO cache (v) SELECT 'v' FROM generate_series(1, 500) i;
SELECT lo_from_bytea(4711, 'large');
SQL
    # What is in one is not in the other: a copy of two moments would show it.
    echo "BEGIN; UPDATE giro SET amount = amount - 1 WHERE id BETWEEN 1 AND 50; UPDATE savings SET amount = amount + 1 WHERE id BETWEEN 1 AND 50; COMMIT; INSERT INTO keyless VALUES (11, 'new'); SELECT pg_sleep(0.01)" >"$PGC_DIR/$1.sql"
}

fill busy 20000
before=$(footprint source busy)
workload_begin busy "$PGC_DIR/busy.sql"
plan busy '[{"name": "busy"}]' '"sync": {"mode": "load-only"}'
run --batch "$PGC_DIR/busy.json" --dry-run
assert_run "dry run" 0
assert_contains "dry run" "$out" "on the source: nothing"
run --batch "$PGC_DIR/busy.json"
assert_run "load-only" 0
assert_equal "ended" "$(state_of busy busy)" COMPLETE
assert_contains "compared with the snapshot" "$(cat "$STATE/busy/log.jsonl")" "4 tables are equal to the source's snapshot"
assert_equal "one moment" "$(on target busy -c 'SELECT (SELECT sum(amount) FROM giro) + (SELECT sum(amount) FROM savings), (SELECT count(*) FROM giro), (SELECT count(*) FROM cache)')" "40000000|20000|500"
assert_equal "large object" "$(on target busy -c "SELECT convert_from(lo_get(4711), 'UTF8')")" large
assert_equal "the source was written meanwhile" "$(on source busy -c "SELECT count(*) > 1000 FROM keyless")" t
workload_end busy
assert_same_schema busy source/busy target/busy
assert_equal "on the source" "$(footprint source busy)" "$before"
assert_equal "on the target" "$(footprint target busy)" ""
run cutover busy
assert_run "no cutover" 2
run delete busy
assert_deleted busy busy "$before"

# The engine dies while tables are copied: those that were are copied again, all under one snapshot.
fill killed 60000
before=$(footprint source killed)
workload_begin killed "$PGC_DIR/killed.sql"
plan killed '[{"name": "killed"}]' '"sync": {"mode": "load-only"}, "load": {"jobs": 1}, "limits": {"bytesPerSecond": "400kB"}'
run --batch "$PGC_DIR/killed.json" --detach
one_loaded() { [ "$(on target killed -c 'SELECT count(*) FROM pgcutover.tables WHERE loaded')" -ge 1 ]; }
wait_until 60 one_loaded || fail "no table is loaded"
kill -9 "$(engine_pid killed)"
wait_until 10 engine_gone killed || fail "the engine is still there"
[ "$(on target killed -c 'SELECT count(*) FROM pgcutover.tables WHERE loaded')" -lt 4 ] || fail "all tables were loaded already"
run resume killed
assert_run "resume" 0
run limits killed --bytes-per-second none
wait_until 60 in_state killed killed COMPLETE || fail "killed: $(state_of killed killed)"
assert_contains "copied again" "$(cat "$STATE/killed/log.jsonl")" "copied again, so that all are of one moment"
assert_equal "killed: one moment" "$(on target killed -c 'SELECT (SELECT sum(amount) FROM giro) + (SELECT sum(amount) FROM savings), (SELECT count(*) FROM giro)')" "120000000|60000"
workload_end killed
assert_same_schema killed source/killed target/killed

# Nobody writes: both are equal, and it is said when they are not.
fill still 500
plan still '[{"name": "still"}]' '"sync": {"mode": "load-only"}'
run --batch "$PGC_DIR/still.json"
assert_run "still" 0
refresh_source still
assert_same_data still source/still target/still
