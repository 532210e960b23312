#!/usr/bin/env bash
# Schema changes of the source that nothing in the stream tells of (sync.ddl "stop"): constraints and indexes too are noticed, and
# stop their own table until the same was done on the target; what was done there already stops nothing.
. "$(dirname "$0")/flow_tools.sh"
cluster_start source fsync=off || exit 1
cluster_start target fsync=off || exit 1

on source postgres -c "CREATE DATABASE defs"
on source defs <<'SQL'
CREATE TABLE "the T" (id int PRIMARY KEY, n int DEFAULT 0);
CREATE TABLE other (id int PRIMARY KEY, n int DEFAULT 0);
INSERT INTO "the T" SELECT i FROM generate_series(1, 1000) i;
INSERT INTO other SELECT i FROM generate_series(1, 1000) i;
SQL
cat >"$PGC_DIR/defs.sql" <<'SQL'
UPDATE "the T" SET n = n + 1 WHERE id = (SELECT 1 + floor(random() * 1000)::int);
UPDATE other SET n = n + 1 WHERE id = (SELECT 1 + floor(random() * 1000)::int);
SELECT pg_sleep(0.01);
SQL
before=$(footprint source defs)
workload_begin defs "$PGC_DIR/defs.sql"
plan defs '[{"name": "defs"}]' '"sync": {"ddl": "stop"}'
run --batch "$PGC_DIR/defs.json"
assert_run "ready" 0

kept() { [ "$(on target defs -c "SELECT count(*) FROM pgcutover.definitions")" = 2 ]; }
wait_until 30 kept && pass "the definitions are kept" || fail "the definitions are not kept"
error_of() { # TABLE
    status_of defs "SELECT item->>'lastError' FROM output WHERE tbl = '$1' AND item->>'lastError' IS NOT NULL"
}
is_stopped() { # TABLE
    error_of "$1" | grep -q 'which nothing in the stream tells of'
}
ready() { # WHAT
    wait_until 60 in_state defs defs READY_TO_COMPLETE && pass "$1: ready" || fail "$1: not ready: $(state_of defs defs): $(tail -n 3 "$STATE/defs/log.jsonl")"
}

# On the target first, as a careful DBA does it: nobody is stopped for that.
on target defs -c "CREATE INDEX other_n ON other (n)"
on source defs -c "CREATE INDEX other_n ON other (n)"
on source defs -c 'ALTER TABLE "the T" ADD CONSTRAINT not_less CHECK (n >= 0)'
wait_until 60 is_stopped 'public.the T' && pass "a constraint: the table is stopped" || { fail "a constraint is not noticed"; status_of defs "SELECT item FROM output"; }
assert_contains "a constraint: the statement for the target" "$(error_of 'public.the T')" 'ADD CONSTRAINT \"not_less\" CHECK'
assert_equal "an index that is there: not stopped" "$(error_of public.other)" ""
run cutover defs
assert_run "no cutover meanwhile" 2 'is stopped by an error'
on target defs -c 'ALTER TABLE "the T" ADD CONSTRAINT not_less CHECK (n >= 0)'
run resume defs
assert_run "resume" 0
ready "a constraint"
sleep 6 # more than a look
assert_equal "a constraint: told once" "$(error_of 'public.the T')" ""
assert_equal "a constraint: stopped once" "$(on target defs -c "SELECT count(*) || ' ' || min(kind) FROM pgcutover.conflicts")" "1 ALTER TABLE"

# Somebody does not want it on the target: resume alone goes on, and it is not told again.
on source defs -c "ALTER TABLE other ALTER n SET DEFAULT 7"
wait_until 60 is_stopped public.other && pass "a default: the table is stopped" || fail "a default is not noticed"
wait_until 30 on target defs -c "SELECT 1 / count(*) FROM pgcutover.definitions WHERE definition LIKE '%\"default\"%7%'" || fail "the new definition is not kept"
run resume defs
ready "a default"
sleep 6
assert_equal "a default: told once" "$(error_of public.other)" ""
on target defs -c "ALTER TABLE other ALTER n SET DEFAULT 7"

# Names count for nothing.
on source defs -c "ALTER TABLE other RENAME TO other_name"
sleep 6
assert_equal "another name: not stopped" "$(error_of public.other)$(error_of public.other_name)" ""
on source defs -c "ALTER TABLE other_name RENAME TO other"
run_when_ready cutover defs
assert_run "cutover" 0
workload_end defs
assert_finished defs defs "$before"
