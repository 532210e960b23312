#!/usr/bin/env bash
# verify: source and target compared while changes are streamed: no false alarm under constant writes, one damaged value found
# among many, rows shown and copied again; what the stop of the stream depends on is taken away; what is known to be
# equal is not compared in the freeze, unless somebody wrote to it.
#   PGC_ROUNDS  comparisons under load (3)
. "$(dirname "$0")/flow_tools.sh"
cluster_start source fsync=off || exit 1
cluster_start target fsync=off || exit 1
rounds=${PGC_ROUNDS:-3}

on source postgres -c "CREATE DATABASE shop"
on source shop <<'SQL'
CREATE TABLE hot (id int PRIMARY KEY, n bigint DEFAULT 0, v text);
CREATE TABLE grows (id bigserial PRIMARY KEY, hot int REFERENCES hot, at timestamptz DEFAULT clock_timestamp(), x double precision);
CREATE TABLE keyless (k int, v text);
CREATE TABLE "Odd ""name" ("a key" text, "b'c" date, doc jsonb, raw bytea, PRIMARY KEY ("a key", "b'c"));
CREATE TABLE cold (id int PRIMARY KEY, v text, w numeric);
CREATE TABLE empty (id int PRIMARY KEY);
INSERT INTO hot SELECT i, 0, repeat(md5(i::text), 5) FROM generate_series(1, 5000) i;
INSERT INTO keyless SELECT i % 100, 'k' || i % 50 FROM generate_series(1, 300) i;
INSERT INTO "Odd ""name" SELECT 'it''s ' || i, date '2020-01-01' + i, jsonb_build_object('i', i), decode(md5(i::text), 'hex') FROM generate_series(1, 500) i;
INSERT INTO cold SELECT i, md5(i::text), i / 7.0 FROM generate_series(1, 60000) i;
SQL
cat >"$PGC_DIR/shop.sql" <<'SQL'
UPDATE hot SET n = n + 1, v = md5(v) WHERE id BETWEEN (SELECT 1 + floor(random() * 4990)::int) AND 5000 AND id % 500 = (SELECT floor(random() * 500)::int);
INSERT INTO grows (hot, x) SELECT 1 + floor(random() * 5000)::int, random() FROM generate_series(1, 5);
DELETE FROM grows WHERE id = (SELECT floor(random() * 2000)::bigint);
BEGIN; DELETE FROM hot WHERE id = 5000 AND NOT EXISTS (SELECT FROM grows WHERE hot = 5000); INSERT INTO hot VALUES (5000, 1, 'again') ON CONFLICT (id) DO UPDATE SET n = hot.n + 1; COMMIT;
UPDATE keyless SET v = v || '.' WHERE ctid = (SELECT ctid FROM keyless OFFSET floor(random() * 300)::int LIMIT 1);
UPDATE "Odd ""name" SET doc = doc || jsonb_build_object('at', clock_timestamp()) WHERE "a key" = 'it''s ' || (SELECT 1 + floor(random() * 500)::int);
SELECT pg_sleep(0.001);
SQL
before=$(footprint source shop)
workload_begin shop "$PGC_DIR/shop.sql"
plan shop '[{"name": "shop", "keylessTables": "full"}]' '"load": {"splitAbove": "1MB"}' # so that large tables are compared in pieces

run verify nobody
assert_run "no such migration" 5 'there is no migration "nobody"'
run --batch "$PGC_DIR/shop.json"
assert_run "ready" 0
moved() { status_of shop "SELECT item->>'appliedChanges' FROM output WHERE type = 'DatabaseLevelOutput'"; }

for i in $(seq "$rounds"); do
    run verify shop
    assert_run "comparison $i under load" 0
    assert_contains "comparison $i under load" "$out" "6 tables equal, 0 different."
done
run verify shop public.nothing
assert_run "no such table" 2 '"public.nothing" is no table of database "shop"'
run verify shop hot 'public.gr*' --json
assert_run "some tables" 0
assert_equal "some tables, as JSON" "$(document_of "$PGC_DIR/out" "SELECT string_agg(t->>'tableName' || ' ' || (t->>'state'), ', ' ORDER BY t->>'tableName') FROM document, json_array_elements(doc->'databases') d, json_array_elements(d->'tables') t")" \
    "public.grows equal, public.hot equal"
assert_equal "in the status" "$(status_of shop "SELECT count(*) FROM output WHERE type = 'TableLevelOutput' AND item->>'verifyState' = 'equal' AND item->>'verifiedLsn' ~ '^[0-9A-F]+/[0-9A-F]+\$'")" 6
assert_equal "no slot of it is left" "$(on source postgres -c "SELECT count(*) FROM pg_replication_slots WHERE slot_name LIKE '%epoch%'")" 0

# One byte of one value; a row that is gone, one that nobody has on the source, and a row without a key.
on target shop <<'SQL'
SET session_replication_role = replica;
UPDATE cold SET v = overlay(v PLACING '#' FROM 7 FOR 1) WHERE id = 34567;
DELETE FROM cold WHERE id = 77;
INSERT INTO cold VALUES (-5, 'nobody''s', 0);
UPDATE "Odd ""name" SET raw = '\x00' WHERE "a key" = 'it''s 5';
UPDATE keyless SET v = v || '#' WHERE ctid = (SELECT ctid FROM keyless LIMIT 1);
SQL
run verify shop
assert_run "damage is found" 4 "3 tables differ between source and target"
assert_contains "the tables" "$out" "3 tables equal, 3 different."
assert_contains "the rows are counted" "$out" "public.cold: different: source 60000 rows, target 60000 rows: 1 different, 1 missing on the target, 1 on the target only"
assert_contains "the key of the damaged row" "$out" "    id=34567
      source: v="
assert_contains "the column" "$out" "#"
assert_contains "the missing row" "$out" "    id=77
      source: id=77, v="
assert_contains "the row too many" "$out" "    id=-5
      source: there is no such row
      target: id=-5, v=nobody's, w=0"
assert_contains "the odd key" "$out" "    a key=it's 5, b'c=2020-01-06
      source: raw="
assert_contains "no key" "$out" "a row without a key"
run verify shop --repair
assert_run "repaired where there is a key" 4 "1 table differs between source and target"
assert_contains "what was repaired" "$out" "public.cold: equal, after 2 rows had been copied again"
assert_contains "what was not" "$out" "public.keyless: different"
run reload shop keyless
assert_run "the other is loaded again" 0
wait_until 60 in_state shop shop READY_TO_COMPLETE || fail "not ready after the reload"
run verify shop
assert_run "equal again" 0

# An open transaction on the source: no position is found, the stream goes on in between, and when it ends there is one.
mkfifo "$PGC_DIR/open"
on source shop <"$PGC_DIR/open" >/dev/null &
exec 7>"$PGC_DIR/open"
echo "BEGIN; INSERT INTO grows (hot, x) VALUES (1, 1);" >&7
is_open() { [ "$(on source postgres -c "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND backend_xid IS NOT NULL")" != 0 ]; }
wait_until 10 is_open || fail "no open transaction"
was=$(moved)
timeout -k 5 120 "$PGC_PROGRAM" verify shop --state-dir "$STATE" >"$PGC_DIR/late.out" 2>&1 &
late=$!
is_waiting() { grep -q "waits for transactions of the source to end" "$STATE/shop/log.jsonl"; }
wait_until 20 is_waiting && pass "it says what it waits for" || fail "it does not say what it waits for"
goes_on() { [ "$(moved)" -gt "$was" ]; }
wait_until 10 goes_on && pass "the stream goes on in between" || fail "the stream stands still"
echo "COMMIT;" >&7
exec 7>&-
wait $late
assert_equal "compared when it has ended: $(tail -n 3 "$PGC_DIR/late.out")" $? 0

# The worker, and the applier that stands still for it, are killed: the stream goes on, and the comparison too.
worker() { pgrep -P "$(engine_pid shop)" -x "pgc-$1" | head -n 1; }
is_at_work() { [ -n "$(worker "$1")" ]; }
for kind in verify apply; do
    timeout -k 5 120 "$PGC_PROGRAM" verify shop --state-dir "$STATE" >"$PGC_DIR/killed.out" 2>&1 &
    late=$!
    wait_until 5 is_at_work verify
    sleep "0.$((RANDOM % 4))"
    kill -9 $(worker $kind) 2>/dev/null
    wait $late
    code=$?
    case $code in
    0) pass "$kind killed: it is compared all the same" ;;
    1) grep -q "ended\|killed\|signal" "$PGC_DIR/killed.out" && pass "$kind killed: it is said" || fail "$kind killed: $(cat "$PGC_DIR/killed.out")" ;;
    *) fail "$kind killed: exit code $code: $(cat "$PGC_DIR/killed.out")" ;;
    esac
    was=$(moved)
    wait_until 20 goes_on && pass "$kind killed: the stream goes on" || fail "$kind killed: the stream stands still"
done

# Known to be equal, but somebody wrote to the target since: the cutover compares it all the same.
run verify shop
assert_run "equal before the cutover" 0
on target shop -c "SET session_replication_role = replica; UPDATE cold SET w = 1 WHERE id = 4"
run cutover shop
assert_run "what was written meanwhile is found in the freeze" 4
assert_contains "it is named" "$err" "table public.cold"
run verify shop cold --repair
assert_run "mended" 0
run cutover shop
assert_run "cutover" 0
workload_end shop
step=$(status_of shop "SELECT s->>'text' FROM output, json_array_elements(item->'cutoverSteps') s WHERE s->>'name' = 'verify' AND type = 'DatabaseLevelOutput'")
echo "verify: $step"
echo "$step" | grep -Eq '[1-9][0-9]* of them compared before the freeze and not changed since' && pass "what had not changed was not compared again" || fail "all was compared again: $step"
run verify shop
assert_run "after the cutover no engine is there to ask" 5
assert_finished shop shop "$before"
finish
