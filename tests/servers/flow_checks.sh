#!/usr/bin/env bash
# What an operator does with findings: they are waived on the command line and in the plan, which is told wherever they are
# shown, and the migration begins all the same; or the DBA is given a script that mends them, with what takes it back.
. "$(dirname "$0")/flow_tools.sh"
cluster_start source fsync=off || exit 1
cluster_start target fsync=off || exit 1

on source postgres -c 'CREATE DATABASE shop'
on source shop <<'SQL'
CREATE DOMAIN pos AS int;
CREATE TABLE t (id int PRIMARY KEY, v pos);
ALTER DOMAIN pos ADD CONSTRAINT pos_c CHECK (VALUE > 0) NOT VALID;
INSERT INTO t SELECT i, i FROM generate_series(1, 100) i;
SQL

checked() { # WHAT CODE PART...: of the findings
    local what=$1 part
    assert_run "$what" "$2"
    shift 2
    for part in "$@"; do assert_contains "$what" "$out" "$part"; done
}

# --- waived on the command line

plan shop '[{"name": "shop"}]' '"sync": {"mode": "load-only"}'
run check "$PGC_DIR/shop.json"
checked "a failure" 3 "FAIL     source  domain-notvalid" "1 to be fixed"
run --batch "$PGC_DIR/shop.json"
assert_run "a failure keeps the migration from beginning" 3 "domain-notvalid"
rm -rf "${STATE:?}/shop"
run check --waive domain-notvalid "$PGC_DIR/shop.json"
checked "waived" 0 "waived   source  domain-notvalid" "0 to be fixed" "1 waived"
run check --waive pooler --waive wal-level "$PGC_DIR/shop.json"
checked "others waived" 3 "FAIL     source  domain-notvalid"
run check --json --waive tls --waive domain-notvalid "$PGC_DIR/shop.json"
assert_run "waived, as JSON" 0
assert_equal "waived, as JSON: the finding" \
    "$(on source shop -v doc="$out" <<<"SELECT f->>'id', f->>'severity', f->>'waived' FROM json_array_elements(:'doc'::json) f WHERE f->>'severity' = 'F'")" \
    "domain-notvalid|F|true"

# --- an id that no check has

run check --waive domain-valid "$PGC_DIR/shop.json"
assert_run "an unknown id" 2 'no check is called "domain-valid"' 'Did you mean "domain-notvalid"?'
run --batch --waive x "$PGC_DIR/shop.json"
assert_run "an unknown id of --batch" 2 'no check is called "x"' pgcutover-checks
plan wrong '[{"name": "shop"}]' '"waive": ["pooler", "Pooler"]'
run check "$PGC_DIR/wrong.json"
assert_run "what is no id" 2 'waive[1]' 'wrong.json:'
plan unknown '[{"name": "shop"}]' '"waive": ["pooler", "poolers"]'
run check "$PGC_DIR/unknown.json"
assert_run "an unknown id in the plan" 2 'no check is called "poolers"'
run status --waive pooler
assert_run "not an option of every command" 2 "has no option --waive"

# --- a migration with it, by the command line and by the plan

run --batch --waive domain-notvalid "$PGC_DIR/shop.json"
assert_run "migrated, waived on the command line" 0
assert_same_data "migrated, waived on the command line" source/shop target/shop
run report shop --format json
assert_equal "the report says what was waived" \
    "$(on source shop -v doc="$out" <<<"SELECT f->>'waived' FROM json_array_elements(:'doc'::json->'checks'->0->'findings') f WHERE f->>'id' = 'domain-notvalid'")" "true"
run report shop
assert_contains "the report, as text" "$out" "waived, source"
plan again '[{"name": "shop", "target_database_name": "again"}]' '"sync": {"mode": "load-only"}, "waive": ["domain-notvalid"]'
run --batch "$PGC_DIR/again.json"
assert_run "migrated, waived in the plan" 0

# --- what went stale since is found before the load, and before the cutover stops anything

says() { # NAME TEXT: status
    "$PGC_PROGRAM" status "$1" --json --state-dir "$STATE" 2>/dev/null | grep -q "$2"
}
read_only() { # on|off: new sessions of the target database
    on target postgres -c "ALTER DATABASE stale SET default_transaction_read_only = $1"
}
cron_is_there() {
    [ "$(on target postgres -c "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'cron'")" = 1 ]
}
plan stale '[{"name": "shop", "target_database_name": "stale"}]' '"waive": ["domain-notvalid"]'
run --batch "$PGC_DIR/stale.json" --until schema
assert_run "until schema" 0
wait_until 10 engine_gone stale
read_only on
run resume stale
wait_until 20 says stale 'read-only (target): default_transaction_read_only is on' || fail "before the load: $("$PGC_PROGRAM" status stale --json --state-dir "$STATE")"
assert_equal "before the load: no slot" "$(on source postgres -c 'SELECT count(*) FROM pg_replication_slots')" 0
read_only off
run resume stale
wait_until 30 in_state stale shop READY_TO_COMPLETE || fail "resumed: $(state_of stale shop)"
read_only on
on target stale -c "SET application_name = 'cron'; SELECT pg_sleep(20)" >/dev/null 2>&1 &
sleeper=$!
wait_until 10 cron_is_there || fail "the session on the target"
run cutover stale
assert_run "before the cutover" 1 "read-only (target): default_transaction_read_only is on" "The source was not stopped"
on source shop -c 'INSERT INTO t VALUES (1000, 1)' || fail "the source was stopped"
assert_contains "before the cutover: others on the target" "$err" "t-writers: target: others are connected to the target database: 1 of postgres (cron)"
kill $sleeper
read_only off
run cutover stale
assert_run "cutover" 0
assert_same_data "cut over" source/shop target/stale
on source postgres -c 'ALTER DATABASE shop RESET default_transaction_read_only'

# --- a script for the DBA

version=$(on source postgres -c 'SHOW server_version_num')
keeps= mended="select-priv repl-role t-createdb table-owner db-create repl-conn"
[ "$version" -ge 130000 ] && keeps="ALTER SYSTEM SET max_slot_wal_keep_size = '1GB'" mended="$mended slot-wal-limit"
[ "$version" -ge 150000 ] && mended="$mended srr" # before, that takes a superuser, which the script makes nobody

for side in source target; do
    on $side postgres -c 'CREATE ROLE mover LOGIN'
done
on source postgres -c 'CREATE DATABASE "The ""shop"' -c 'CREATE DATABASE other'
for database in 'The "shop' other; do
    on source "$database" -c 'CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE "It'"'"'s" (id int PRIMARY KEY); CREATE SCHEMA s; CREATE TABLE s.u (v text)' \
        -c 'CREATE SEQUENCE s.q' -c "SELECT pg_create_physical_replication_slot('idle')" >/dev/null 2>&1
done
on source other -c 'ALTER DATABASE other SET work_mem = '"'7MB'"
on source postgres -c "ALTER SYSTEM SET synchronous_standby_names = 'nobody, *'" -c "ALTER SYSTEM SET synchronous_commit = local" -c "$keeps" -c 'SELECT pg_reload_conf()' >/dev/null
as_mover() { # NAME: the plan as mover
    sed -i 's/"userName": "postgres"/"userName": "mover"/' "$PGC_DIR/$1.json"
}
plan mend '[{"name": "The \"shop"}, {"name": "other"}]' '"cutover": {"stopWrites": "operator"}'
as_mover mend
script=$PGC_DIR/fixes.sql
run check --fixes "$script" "$PGC_DIR/mend.json"
checked "much to mend" 3 "FAIL     source  select-priv" "FAIL     source  repl-role" "FAIL     target  t-createdb" "FAIL     source  sync-star" "FAIL     source  no-ri" ${keeps:+"warning  source  slot-wal-limit"}
assert_contains "the script is named" "$err" "$script"
before=$(grep -c '^FAIL' <<<"$out")
on source postgres -f "$script" >"$PGC_DIR/script.out" 2>&1 || fail "psql takes the script: $(cat "$PGC_DIR/script.out")"
assert_equal "without a side the script does nothing" "$(on source postgres -c "SELECT rolreplication FROM pg_roles WHERE rolname = 'mover'")" f
for side in source target; do
    if on $side postgres -v $side=1 -f "$script" >"$PGC_DIR/script.out" 2>&1; then pass "psql takes the script on the $side"; else fail "the script on the $side: $(cat "$PGC_DIR/script.out")"; fi
done
run check "$PGC_DIR/mend.json"
checked "what is left for people" 3 "FAIL     source  no-ri" "FAIL     source  sync-star"
for id in $mended; do
    if grep -Eq "^(FAIL|warning) .* $id " <<<"$out"; then fail "the script mends $id: $out"; else pass "the script mends $id"; fi
done
assert_equal "nobody was made a superuser" "$(on source postgres -c "SELECT rolsuper FROM pg_roles WHERE rolname = 'mover'")" f
assert_equal "nothing that cannot be taken back was run" "$(on source postgres -c 'SELECT slot_name FROM pg_replication_slots')" idle
# the undos, where they stand in the script, take it back
for side in source target; do
    sed -n "/^-- undo: /{s/^-- undo: //;p}; /^\\\\/p" "$script" >"$PGC_DIR/undo.sql"
    on $side postgres -v $side=1 -f "$PGC_DIR/undo.sql" >"$PGC_DIR/script.out" 2>&1 || fail "the undos on the $side: $(cat "$PGC_DIR/script.out")"
done
on source postgres -c 'SELECT pg_reload_conf()' >/dev/null
sleep 0.3
run check "$PGC_DIR/mend.json"
assert_equal "as before once it is taken back" "$(grep -c '^FAIL' <<<"$out")" "$before"
run check --fixes /nowhere/at/all "$PGC_DIR/shop.json"
assert_run "a script that cannot be written" 1 /nowhere/at/all
