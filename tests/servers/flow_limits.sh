#!/usr/bin/env bash
# limits: shown, changed while tables are copied, effective at once, and kept when the engine is killed.
. "$(dirname "$0")/flow_tools.sh"
cluster_start source fsync=off || exit 1
cluster_start target fsync=off || exit 1

on source postgres -c 'CREATE DATABASE slow'
on source slow <<'SQL'
SELECT format('CREATE TABLE t%s (id int PRIMARY KEY, v text); INSERT INTO t%s SELECT i, repeat(md5(i::text), 30) FROM generate_series(1, 12000) i', n, n) FROM generate_series(1, 6) n \gexec
SQL
before=$(footprint source slow)

limit() { # KEY: as the program shows it
    "$PGC_PROGRAM" limits slow --json --state-dir "$STATE" >"$PGC_DIR/limits" && document_of "$PGC_DIR/limits" "SELECT doc->>'$1' FROM document"
}

copied() { # bytes of all tables that were sent so far
    status_of slow "SELECT sum((item->>'fullLoadTotalVolumeBytes')::numeric) FROM output WHERE type = 'TableLevelOutput'"
}

copying() { # sessions that copy on the source
    on source postgres -c "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgcutover:copy' AND datname = 'slow'"
}

copies() { [ "$(copying)" -eq "$1" ]; }

plan slow '[{"name": "slow"}]' '"load": {"jobs": 3}, "limits": {"bytesPerSecond": "300kB"}'
run --batch "$PGC_DIR/slow.json" --detach
assert_run "limited: begun" 0
wait_until 90 copies 3 || fail "three tables are not copied at a time: $(copying)"
sleep 1 # the first chunk of each goes before it is known how long it takes
first=$(copied)
sleep 4
second=$(copied)
rate=$(((second - first) / 4))
[ "$rate" -gt 60000 ] && [ "$rate" -lt 450000 ] && pass "the rate of the plan is kept: $rate bytes a second" || fail "the rate is $rate bytes a second, not about 300 kB"

run limits slow
assert_run "limits are shown" 0
assert_contains "limits are shown" "$out" "300 kB a second"
run limits slow --load-jobs 0
assert_run "a wrong number" 2 'load.jobs must be a whole number from 1 to 64'
run limits slow --load-jobs 5 --bytes-per-second fast
assert_run "a wrong size" 2 'limits.bytesPerSecond must be a size'
assert_equal "nothing of a wrong command is kept" "$(limit loadJobs)" 3
run limits slow --load-jobs 5
assert_run "more jobs" 0
wait_until 30 copies 5 && pass "more tables are copied at a time" || fail "five tables are not copied at a time: $(copying)"

kill -9 "$(engine_pid slow)"
wait_until 10 engine_gone slow || fail "the engine is still there"
assert_equal "without an engine: what is kept" "$(limit loadJobs) $(limit bytesPerSecond)" "5 307200"
run limits slow --load-jobs 2
assert_run "a change without an engine" 5 'pgcutover resume slow'
run resume slow
assert_run "resume" 0
wait_until 90 copies 5 && pass "kept over the engine's end" || fail "five tables are not copied at a time after resume: $(copying)"
run limits slow --load-jobs 1 --bytes-per-second none --source-slot-wal 5GB
assert_run "no limit" 0
assert_equal "no limit" "$(limit loadJobs) $(limit bytesPerSecond) $(limit sourceSlotWal)" "1  5368709120"
wait_until 90 in_state slow slow READY_TO_COMPLETE || fail "not ready soon after the limit was lifted: $(state_of slow slow)"
run limits slow --sync-jobs 3
assert_run "more connections that apply" 0
assert_equal "more connections that apply" "$(limit syncJobs)" 3
lanes() { [ "$(on target postgres -c "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'pgcutover:apply%' AND datname = 'slow'")" -ge 3 ]; }
on source slow -c "UPDATE t1 SET v = v || '.' WHERE id < 500"
wait_until 30 lanes && pass "there are three of them" || fail "there are not three connections that apply"
wait_until 30 in_state slow slow READY_TO_COMPLETE || fail "not ready with three connections: $(state_of slow slow)"
run cutover slow
assert_run "cutover" 0
assert_finished slow slow "$before"
