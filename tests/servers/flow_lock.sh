#!/usr/bin/env bash
# cutover.stopWrites "lock": tables are locked instead of making the database read-only. Writers wait, readers go on; a cutover that is
# undone lets them go on; a transaction that holds a table refuses it and is named; locks that are lost undo it, or, behind the point of
# no return, stop it; those who still wait at the end are ended; afterwards both sides are equal and the source can be written to.
. "$(dirname "$0")/flow_tools.sh"
cluster_start source fsync=off || exit 1
cluster_start target fsync=off || exit 1

on source postgres -c "CREATE ROLE mover LOGIN REPLICATION" -c "CREATE ROLE owner LOGIN" -c "CREATE DATABASE shop OWNER owner" \
    -c "GRANT CREATE ON DATABASE shop TO mover" -c "GRANT owner TO mover" -c "GRANT pg_signal_backend TO mover"
on source shop -o /dev/null <<'SQL'
SET ROLE owner;
CREATE TABLE item (id int PRIMARY KEY, n int, "odd col" text);
CREATE TABLE "Odd ""part" (id int, k int, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
CREATE TABLE part_1 PARTITION OF "Odd ""part" FOR VALUES IN (1);
CREATE TABLE part_2 PARTITION OF "Odd ""part" FOR VALUES IN (2);
INSERT INTO item SELECT i, i, 'x' FROM generate_series(1, 1000) i;
INSERT INTO "Odd ""part" SELECT i, 1 + i % 2 FROM generate_series(1, 1000) i;
SQL
footprint_before=$(footprint source shop)
cutover_plan='"cutover": {"stopWrites": "lock"'
begin() { # MORE
    plan shop '[{"name": "shop"}]' "$cutover_plan${1:+, $1}}"
    sed -i '/"source"/s/"userName": "postgres"/"userName": "mover"/' "$PGC_DIR/shop.json"
    run_when_ready --batch "$PGC_DIR/shop.json"
    assert_run "ready" 0
}
forget() {
    "$PGC_PROGRAM" cancel shop --state-dir "$STATE" >/dev/null 2>&1
    "$PGC_PROGRAM" delete shop --state-dir "$STATE" >/dev/null 2>&1
    on target postgres -c 'DROP DATABASE IF EXISTS shop' 2>/dev/null
}
same() { # WHAT
    local t
    for t in item '"Odd ""part"'; do
        assert_equal "$1: $t" "$(on target shop -c "SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM $t t")" \
            "$(on source shop -c "SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM $t t")"
    done
}
writes() { on source shop -c "SET lock_timeout = '300ms'" -c "UPDATE item SET n = n + 1 WHERE id = 1" >/dev/null 2>&1; }
two_wait() { [ "$(on source shop -c "SELECT count(*) FROM pg_locks WHERE locktype = 'relation' AND NOT granted")" = 2 ]; }
is_locked() { ! writes; }
step_is() { # STEP STATE
    status_of shop "SELECT s->>'state' FROM output, json_array_elements(item->'cutoverSteps') s WHERE type = 'DatabaseLevelOutput' AND s->>'name' = '$1'" | grep -qx "$2"
}
holder() { on source shop -c "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgcutover:lock'"; }
hold_target() { # whoever compares waits for this one
    on target shop -o /dev/null -c "BEGIN; LOCK TABLE item IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(60)" 2>/dev/null &
    held=$!
    wait_until 10 target_is_held
}
target_is_held() { [ "$(on target shop -c "SELECT count(*) FROM pg_locks WHERE granted AND mode = 'AccessExclusiveLock' AND relation = 'item'::regclass")" = 1 ]; }
let_target_go() { on target postgres -o /dev/null -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'BEGIN; LOCK%'"; wait "$held"; }

plan shop '[{"name": "shop"}]' "$cutover_plan, \"fallback\": true}"
run --batch "$PGC_DIR/shop.json"
assert_run "with a way back" 2 'cutover.fallback and stopWrites "lock" do not go together'

# A transaction that holds a table: refused, and it is named; nobody waits for the locks meanwhile for longer than a try takes.
begin '"maxDowntime": "4s"'
run --batch "$PGC_DIR/shop.json" --dry-run
assert_contains "dry run" "$out" "LOCK TABLE ... IN EXCLUSIVE MODE of all tables"
PGAPPNAME=nightly on source shop -o /dev/null -c "BEGIN; UPDATE item SET n = 0 WHERE id = 500; SELECT pg_sleep(30)" 2>/dev/null &
wait_until 10 eval '[ "$(on source shop -c "SELECT count(*) FROM pg_stat_activity WHERE application_name = '"'nightly'"' AND backend_xid IS NOT NULL")" = 1 ]'
run_when_ready cutover shop
[ "$status" != 0 ] && pass "held: refused" || fail "held: the cutover was done"
assert_contains "held: why" "$err" 'the tables of database "shop" could not be locked within 2 s'
assert_contains "held: who, as far as this role may see" "$err" 'application "nightly": what it does may not be seen by this role; GRANT pg_read_all_stats'
wait_until 10 writes || fail "held: the source is not writable"
assert_equal "held: the locks are gone" "$(holder)" 0
on source postgres -o /dev/null -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'nightly'"
forget
begin
PGAPPNAME=nightly on source shop -o /dev/null -c "BEGIN; UPDATE item SET n = 0 WHERE id = 500; SELECT pg_sleep(2.5); COMMIT" &
run_when_ready cutover shop
assert_run "held for a while: done at a later try" 0
same "held for a while"
assert_contains "held for a while: it waited" "$(status_of shop "SELECT s->>'text' FROM output, json_array_elements(item->'cutoverSteps') s WHERE type = 'DatabaseLevelOutput' AND s->>'name' = 'stop writes'")" "3 tables are locked against writing, after "
assert_equal "held for a while: nothing is left" "$(footprint source shop)" "$footprint_before"
wait
forget

# The locks are lost before the point of no return: back, and nobody was ended.
begin
PGAPPNAME=reader on source shop -o /dev/null -c "SELECT pg_sleep(0.1) FROM generate_series(1, 600)" 2>/dev/null &
hold_target
"$PGC_PROGRAM" cutover shop --state-dir "$STATE" >"$PGC_DIR/cutover.out" 2>&1 &
asked=$!
wait_until 20 step_is verify running || fail "lost: it does not compare"
is_locked && pass "frozen: a writer waits" || fail "frozen: the source can be written to"
assert_equal "frozen: readers go on" "$(on source shop -c "SELECT count(*) FROM item")" 1000
PGAPPNAME=patient on source shop -c "UPDATE item SET n = -1 WHERE id = 7" 2>"$PGC_DIR/patient" &
patient=$!
on source postgres -o /dev/null -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgcutover:lock'"
wait $asked && fail "lost: the cutover was done" || pass "lost: the cutover was undone"
assert_contains "lost: why" "$(cat "$PGC_DIR/cutover.out")" "terminating connection due to administrator command"
wait $patient && pass "lost: who waited has written" || fail "lost: who waited was ended: $(cat "$PGC_DIR/patient")"
wait_until 10 writes || fail "lost: the source is not writable"
assert_equal "lost: the reader was not ended" "$(on source shop -c "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'reader'")" 1
let_target_go

# Once more, now with somebody who waits until the end: ended, not written on the old side.
hold_target
"$PGC_PROGRAM" cutover shop --state-dir "$STATE" >"$PGC_DIR/cutover.out" 2>&1 &
asked=$!
wait_until 30 step_is verify running || { "$PGC_PROGRAM" cutover shop --state-dir "$STATE" >"$PGC_DIR/cutover.out" 2>&1 & asked=$!; wait_until 30 step_is verify running; }
PGAPPNAME=patient on source shop -U owner -c "UPDATE item SET n = -2 WHERE id = 7" >/dev/null 2>"$PGC_DIR/patient" &
patient=$!
PGAPPNAME=almighty on source shop -c "UPDATE item SET n = -3 WHERE id = 8" >/dev/null 2>&1 & # of a superuser: this role may not end it
wait_until 10 two_wait || fail "waited until the end: nobody waits"
let_target_go
wait $asked && pass "complete" || fail "complete: $(cat "$PGC_DIR/cutover.out")"
wait $patient && fail "waited until the end: has written on the old side" || pass "waited until the end: was ended"
assert_contains "waited until the end: says why" "$(cat "$PGC_DIR/patient")" "terminating connection due to administrator command"
assert_contains "waited until the end: is named" "$(status_of shop "SELECT s->>'text' FROM output, json_array_elements(item->'cutoverSteps') s WHERE type = 'DatabaseLevelOutput' AND s->>'name' = 'let the source go'")" 'application "patient"'
assert_equal "no write on the old side" "$(on source shop -c "SELECT n FROM item WHERE id = 7")" "-1"
assert_contains "who may not be ended is told" "$(grep 'may not be ended' "$STATE/shop/log.jsonl")" 'almighty'
on source shop -o /dev/null -c "UPDATE item SET n = 8 WHERE id = 8"
same "complete"
assert_equal "every step was told before" "$(status_of shop "SELECT string_agg(s->>'name', ', ') FROM output, json_array_elements(item->'cutoverSteps') s WHERE type = 'DatabaseLevelOutput'
    AND s->>'name' NOT IN (SELECT o->>'name' FROM json_array_elements(item->'cutoverOutline') o)")" ""
writes && pass "the source can be written to again" || fail "the source cannot be written to"
on source postgres -o /dev/null -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'reader'"
assert_equal "nothing is left" "$(footprint source shop)" "$footprint_before"
forget

# Behind the point of no return: it stops, says so, and goes on when told to.
begin "\"hooks\": {\"after\": \"psql -X -h $PGC_DIR/source -U postgres -o /dev/null -c \\\"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgcutover:lock'\\\" postgres; sleep 3\"}"
run_when_ready cutover shop
[ "$status" != 0 ] && pass "lost late: not done" || fail "lost late: exit 0"
assert_contains "lost late: why" "$err" "the locks on the source's tables were lost while the target was being opened"
run resume shop
wait_until 20 in_state shop shop COMPLETE && pass "lost late: resumed" || fail "lost late: $(state_of shop shop)"
assert_equal "lost late: nothing is left" "$(footprint source shop)" "$footprint_before"
forget

# The engine is killed there: the locks go with it, which is said; it goes forward, and still knows its tables.
# Before that, what is left to be applied is told: the hook writes to the source, and somebody holds the table on the target.
cat >"$PGC_DIR/busy.sh" <<SH
psql -X -q -h $PGC_DIR/target -U postgres shop -o /dev/null -c "BEGIN" -c "LOCK TABLE item" -c "SELECT pg_sleep(3)" -c COMMIT &
sleep 0.5
exec psql -X -q -h $PGC_DIR/source -U postgres shop -c "INSERT INTO item SELECT i, i, repeat('x', 500) FROM generate_series(1001, 5000) i"
SH
begin "\"hooks\": {\"before\": \"sh $PGC_DIR/busy.sh\", \"after\": \"sleep 5\"}"
wait_until 30 in_state shop shop READY_TO_COMPLETE
"$PGC_PROGRAM" cutover shop --state-dir "$STATE" >"$PGC_DIR/cutover.out" 2>&1 &
asked=$!
tells_left() { status_of shop "SELECT s->>'text' FROM output, json_array_elements(item->'cutoverSteps') s WHERE type = 'DatabaseLevelOutput' AND s->>'name' = 'last change applied' AND s->>'state' = 'running'" | grep -q '[0-9] [kM]B of WAL left'; }
wait_until 20 tells_left && pass "what is left is told" || fail "what is left is not told"
wait_until 20 step_is "hook after" running || fail "killed late: it does not come to the hook"
kill -9 "$(engine_pid shop)"
wait $asked
run resume shop
wait_until 30 in_state shop shop COMPLETE && pass "killed late: complete" || fail "killed late: $(state_of shop shop)"
assert_contains "killed late: the locks" "$(cat "$STATE/shop/log.jsonl")" "the locks on the source's tables went with the engine that was ended"
assert_equal "killed late: its tables" "$(status_of shop "SELECT string_agg(item->>'fullLoadTotalRows', ' ' ORDER BY tbl) FROM output WHERE type = 'TableLevelOutput'")" "1000 500 500"
assert_equal "killed late: nothing is left" "$(footprint source shop)" "$footprint_before"
forget
finish
