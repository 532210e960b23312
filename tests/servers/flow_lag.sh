#!/usr/bin/env bash
# Why the target is behind is said with who holds things up; what the slot keeps is shown against its limits, watched
# while the migration is paused too, and given up rather than fill the source's disk (H4).
. "$(dirname "$0")/flow_lib.sh"
cluster_start source && cluster_start target || exit 1

on source postgres -c 'CREATE DATABASE shop'
on source shop -c 'CREATE TABLE t (id int PRIMARY KEY, note text)' -c 'ALTER TABLE t ALTER note SET STORAGE EXTERNAL' -c "INSERT INTO t SELECT i, 'x' FROM generate_series(1, 1000) i"
flow_plan lag shop ', "limits": {"sourceSlotWal": "300MB"}'
pgc --batch "$PGC_DIR/lag.json" --until ready -q || { fail "not ready"; exit 1; }

cause_is() { # CAUSE
    [ "$(field lag lagCause)" = "$1" ]
}

write_some() { # MEGABYTES of WAL
    on source shop -c "UPDATE t SET note = repeat(md5(random()::text), 1000) WHERE id <= $(($1 * 30))" -c 'SELECT pg_switch_wal()' >/dev/null
}

# A lock on the target.
(PGAPPNAME=blocker on target shop -c "BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)" >/dev/null 2>&1) &
wait_until 20 sh -c "[ \"\$(psql -XAtq -h '$PGC_DIR/target' -U postgres shop -c \"SELECT count(*) FROM pg_locks WHERE relation = 't'::regclass AND mode = 'AccessExclusiveLock'\")\" = 1 ]"
on source shop -c "UPDATE t SET note = 'y' WHERE id = 1"
wait_until 30 cause_is lock && pass "a lock on the target is named as the cause" || fail "cause $(field lag lagCause)"
text=$(pgc status lag)
assert_contains "the holder's application and statement are shown" "$text" '(blocker), in its transaction for'
assert_contains "the holder's statement is shown" "$text" 'LOCK TABLE t IN ACCESS EXCLUSIVE MODE'
on target shop -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'blocker'" >/dev/null
wait_until 30 sh -c "[ \"\$(psql -XAtq -h '$PGC_DIR/target' -U postgres shop -c 'SELECT note FROM t WHERE id = 1')\" = y ]" ||
    fail "the change did not arrive after the lock was gone"
wait_until 30 cause_is null && pass "the cause goes with the lock" || fail "cause $(field lag lagCause)"

# A walsender that does not get on.
walsender=$(on source shop -c "SELECT active_pid FROM pg_replication_slots WHERE slot_name = '$(field lag slotName)'")
kill -STOP "$walsender"
write_some 10
wait_until 30 cause_is decoding && pass "decoding is named as the cause" || fail "cause $(field lag lagCause)"
assert_contains "the WAL that waits is shown" "$(pgc status lag)" 'of WAL still to be decoded'
kill -CONT "$walsender"
wait_until 60 in_state lag READY_TO_COMPLETE || fail "not ready again"

# The slot's limits, while it is paused.
pgc pause lag -q
write_some 20
wait_until 30 sh -c "[ \"\$('$PGCUTOVER' status lag --json --state-dir '$STATE' | sed -n 's/.*\"slotRetainedBytes\": *\([0-9]*\).*/\1/p')\" -gt 10000000 ]" &&
    pass "what the slot keeps is watched during a pause" || fail "slotRetainedBytes $(field lag slotRetainedBytes)"
assert_equal "the plan's limit is the nearest" "$(field lag slotLimit)" limits.sourceSlotWal
on source shop -c "ALTER SYSTEM SET max_slot_wal_keep_size = '250MB'" -c 'SELECT pg_reload_conf()' >/dev/null
wait_until 30 sh -c "'$PGCUTOVER' status lag --json --state-dir '$STATE' | grep -q '\"slotLimit\": *\"max_slot_wal_keep_size\"'" &&
    pass "the server's limit is the nearest" || fail "slotLimit $(field lag slotLimit)"
left=$(field lag slotBytesLeft)
write_some 40
wait_until 30 sh -c "[ \"\$('$PGCUTOVER' status lag --json --state-dir '$STATE' | sed -n 's/.*\"slotBytesLeft\": *\([0-9]*\).*/\1/p')\" -lt $((left - 20000000)) ]" &&
    pass "less is left" || fail "slotBytesLeft $(field lag slotBytesLeft), before $left"
assert_contains "status shows what the slot keeps" "$(pgc status lag)" 'more until max_slot_wal_keep_size'
on source shop -c "ALTER SYSTEM RESET max_slot_wal_keep_size" -c 'SELECT pg_reload_conf()' >/dev/null
for _ in 1 2 3 4 5 6 7 8; do write_some 33; done # 264 MB more
wait_until 60 in_state lag FAILED && pass "past the plan's limit the slot is given up" || fail "state $(field lag migrationState), $(field lag slotRetainedBytes) bytes"
assert_contains "it says why" "$(pgc status lag 2>&1)" 'more than limits.sourceSlotWal (300 MB): it is given up'
wait_until 20 sh -c "[ -z \"\$(psql -XAtq -h '$PGC_DIR/source' -U postgres shop -c 'SELECT slot_name FROM pg_replication_slots')\" ]"
assert_equal "nothing is left on the source" "$(leftovers_source source shop)" ""
took
