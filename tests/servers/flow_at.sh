#!/usr/bin/env bash
# A cutover at a set time: not before, by itself then, and not when the time is long past.
. "$(dirname "$0")/flow_tools.sh"
cluster_start source fsync=off || exit 1
cluster_start target fsync=off || exit 1
for db in soon past; do
    on source postgres -c "CREATE DATABASE $db"
    on source $db -c "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 100)"
done

at=$(date -u -d '+12 seconds' +%Y-%m-%dT%H:%M:%SZ)
plan soon '[{"name": "soon"}]' "\"cutover\": {\"at\": \"$at\"}"
run --batch "$PGC_DIR/soon.json" --dry-run
assert_contains "the dry run tells when" "$out" "the cutover begins by itself at $at"
run --batch "$PGC_DIR/soon.json"
assert_run "soon: batch stays until it is done" 0
assert_equal "soon: not before the time, and soon after it" "$(status_of soon "SELECT (item->>'writesStoppedOn')::timestamptz - '$at' BETWEEN '0 s' AND '20 s'
    FROM output WHERE type = 'DatabaseLevelOutput'")" t
assert_same_data "soon" source/soon target/soon

plan past '[{"name": "past"}]' '"cutover": {"at": "2020-01-01 03:00"}'
run --batch "$PGC_DIR/past.json" --until ready
assert_run "past: ready" 0
is_told() { grep -q 'the time set for the cutover (2020-01-01 03:00) has passed' "$STATE/past/log.jsonl"; }
wait_until 20 is_told && pass "past: it is told" || fail "past: nothing is told"
assert_equal "past: nothing is frozen" "$(on source past -c "SHOW default_transaction_read_only")" off
run_when_ready cutover past
assert_run "past: by hand" 0
finish
