#!/usr/bin/env bash
# The cutover's budget and hooks: rehearsed and measured without a freeze; refused before the freeze where it would not hold;
# undone, with the source writable again at once, where the clock says so; hooks run, and what their failing does.
. "$(dirname "$0")/flow_tools.sh"
cluster_start source fsync=off || exit 1
cluster_start target fsync=off || exit 1

on source postgres -c "CREATE DATABASE shop"
on source shop <<'SQL'
CREATE TABLE hot (id int PRIMARY KEY, n bigint DEFAULT 0);
CREATE TABLE cold (id serial PRIMARY KEY, v text);
CREATE UNLOGGED TABLE memo (id int PRIMARY KEY, v text);
CREATE MATERIALIZED VIEW summary AS SELECT count(*) FROM cold;
INSERT INTO hot SELECT i FROM generate_series(1, 500) i;
INSERT INTO cold (v) SELECT md5(i::text) FROM generate_series(1, 100000) i;
INSERT INTO memo SELECT i, 'm' FROM generate_series(1, 1000) i;
SQL
echo "UPDATE hot SET n = n + 1 WHERE id = (SELECT 1 + floor(random() * 500)::int); SELECT pg_sleep(0.002);" >"$PGC_DIR/shop.sql"
before=$(footprint source shop)
workload_begin shop "$PGC_DIR/shop.sql"
lock=$PGC_DIR/lock.sh # a session that keeps the target's table from being read, as an application that came too early would
cat >"$lock" <<SH
#!/bin/sh
[ "\$PGCUTOVER_DATABASE" = shop ] && [ "\$PGCUTOVER_NAME" = shop ] || { echo "no names" >&2; exit 1; }
[ -e "$PGC_DIR/fails" ] && { echo "the balancer does not answer" >&2; exit 7; }
if [ -e "$PGC_DIR/locks" ]; then
    rm "$PGC_DIR/locks"
    "$PGC_BIN/psql" -X -h "$PGC_DIR/target" -U postgres shop -c "BEGIN" -c "LOCK TABLE cold" -c "SELECT pg_sleep(8)" >/dev/null 2>&1 &
    sleep 0.5
fi
echo "maintenance page is up"
SH
chmod +x "$lock"
after="[ ! -e $PGC_DIR/fails_after ] && echo switched > $PGC_DIR/switched"
hooks="\"hooks\": {\"before\": \"$lock\", \"after\": \"$after\"}"

plan shop '[{"name": "shop"}]' "\"verify\": {\"when\": \"continuous\"}, \"cutover\": {\"maxDowntime\": \"3s\", $hooks}"
run --batch "$PGC_DIR/shop.json" --dry-run
assert_run "dry run" 0
assert_contains "dry run: the hooks" "$out$err" "before writes are stopped: $lock"
run --batch "$PGC_DIR/shop.json"
assert_run "ready" 0

is_compared() { [ "$(status_of shop "SELECT count(*) FROM output WHERE type = 'TableLevelOutput' AND item->>'verifyState' = 'equal'")" = 2 ]; }
wait_until 20 is_compared && pass "compared without being asked" || fail "not compared: $(status_of shop "SELECT item->>'tableName', item->>'verifyState' FROM output WHERE type = 'TableLevelOutput'")"
run cutover shop --rehearse
assert_run "rehearsal" 0
assert_contains "rehearsal: what it takes" "$out" 'Database "shop": about '
assert_contains "rehearsal: by step" "$out" "verify "
assert_equal "rehearsal: nothing is frozen" "$(on source shop -c "SHOW default_transaction_read_only")" off
run cutover shop --rehearse --json
assert_equal "rehearsal as JSON" "$(document_of "$PGC_DIR/out" "SELECT d->>'databaseName' || coalesce(d->>'error', '') FROM document, json_array_elements(doc) d")" shop

is_writable() { on source shop -c "UPDATE hot SET n = n + 1 WHERE id = 1" >/dev/null 2>&1; }
frozen_ms() { # how long the source refuses writes, from when it begins to
    local began
    wait_until 60 is_frozen || { echo "it was not frozen" >&2; return; }
    began=$(date +%s%N)
    wait_until 30 is_writable
    echo $((($(date +%s%N) - began) / 1000000))
}
is_frozen() { ! is_writable; }

touch "$PGC_DIR/fails"
run cutover shop
assert_run "hook before fails" 1 "the balancer does not answer"
is_writable && pass "hook before fails: the source is writable" || fail "hook before fails: the source is frozen"
rm "$PGC_DIR/fails"

touch "$PGC_DIR/locks"
frozen_ms >"$PGC_DIR/frozen" &
frozen=$!
run cutover shop
assert_run "the budget is used up" 1 "writes were stopped for longer than cutover.maxDowntime (3.0 s) allows"
assert_contains "the budget is used up: at which step" "$err" 'the cutover was at "materialized views"'
wait $frozen
ms=$(cat "$PGC_DIR/frozen")
[ -n "$ms" ] && [ "$ms" -lt 5000 ] && pass "the source was writable again after $ms ms" || fail "the source was frozen for $ms ms"
assert_contains "how long is said" "$(cat "$STATE/shop/log.jsonl")" "writes had been stopped for 3."
sleep 8 # the session that was in the way

touch "$PGC_DIR/fails_after"
run cutover shop
assert_run "hook after fails" 1 "hook"
assert_contains "hook after fails: what to do" "$err" "The target is open"
rm "$PGC_DIR/fails_after"
run resume shop
assert_run "resumed" 0
wait_until 30 in_state shop shop COMPLETE && pass "cut over" || fail "not cut over: $(state_of shop shop)"
assert_equal "the hook ran" "$(cat "$PGC_DIR/switched")" switched
workload_end shop
assert_finished shop shop "$before"

# What would take too long is not begun.
on source postgres -c "CREATE DATABASE large"
on source large -c "CREATE TABLE t (id int PRIMARY KEY, v text)" -c "INSERT INTO t SELECT i, repeat(md5(i::text), 10) FROM generate_series(1, 200000) i"
plan large '[{"name": "large"}]' '"cutover": {"maxDowntime": "100ms"}'
run --batch "$PGC_DIR/large.json"
assert_run "large: ready" 0
run cutover large
assert_run "large: refused" 1 "more than cutover.maxDowntime (0.1 s): nothing was frozen"
assert_equal "large: nothing was frozen" "$(on source large -c "SHOW default_transaction_read_only")" off
run cancel large
assert_run "large: cancelled" 0
finish
