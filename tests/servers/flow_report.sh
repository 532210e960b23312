#!/usr/bin/env bash
# What is told afterwards: the report in its three forms, of a running migration and of one that has ended; what "delete" and
# "cancel" would take back; what a lost migration has left behind, found and removed.
. "$(dirname "$0")/flow_tools.sh"
cluster_start source fsync=off || exit 1
cluster_start target fsync=off || exit 1

on source postgres -c 'CREATE DATABASE shop' -c 'CREATE DATABASE lost' -c "CREATE ROLE keeper LOGIN PASSWORD 'very-secret-word'"
on source shop <<'SQL'
CREATE TABLE "T<b>" (id int PRIMARY KEY, v text);
CREATE TABLE other (id int PRIMARY KEY, v text);
CREATE TABLE keyless (n int);
CREATE INDEX other_v ON other (v);
ALTER TABLE other OWNER TO keeper;
INSERT INTO "T<b>" SELECT i, 'v' || i FROM generate_series(1, 1000) i;
INSERT INTO other SELECT i, 'v' || i FROM generate_series(1, 500) i;
INSERT INTO keyless SELECT 1 FROM generate_series(1, 10);
SQL
on source lost -c 'CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 10)'

report() { # NAME ARGS...: into $PGC_DIR/report
    local name=$1
    shift
    "$PGC_PROGRAM" report "$name" "$@" --state-dir "$STATE" >"$PGC_DIR/report" 2>"$PGC_DIR/report.err"
    status=$?
    err=$(cat "$PGC_DIR/report.err")
}
report_value() { # SQL over doc
    document_of "$PGC_DIR/report" "$1"
}

# --- of a running migration

plan shop '[{"name": "shop", "keylessTables": "full"}]'
run --batch "$PGC_DIR/shop.json" --until ready
assert_run "batch" 0
on source shop -c "UPDATE other SET v = 'changed' WHERE id <= 50"
applied() { [ "$(status_of shop "SELECT item->>'appliedChanges' FROM output WHERE type = 'DatabaseLevelOutput'")" = 50 ]; }
wait_until 20 applied || fail "the changes did not arrive"
run verify shop
assert_run "verify" 0
report shop --format json
assert_equal "report of a running one: exit code" "$status" 0
assert_equal "report of a running one: state" "$(report_value "SELECT doc->>'state' FROM document")" Running
assert_equal "report of a running one: equal tables" "$(report_value "SELECT count(*) FROM document, json_array_elements(doc->'databases'->0->'tables') t
    WHERE (t->'comparison'->>'equal')::bool AND t->'comparison'->>'lsn' <> '' AND t->'comparison'->>'sourceChecksum' = t->'comparison'->>'targetChecksum'")" 3
assert_equal "report: what is there now" "$(report_value "SELECT string_agg(x->>'kind', ' ' ORDER BY x->>'kind' COLLATE \"C\") FROM document, json_array_elements(doc->'left') x")" \
    "database ddl-log publication replica-identity slot state-schema"

run delete shop --dry-run
assert_run "delete --dry-run" 0
assert_contains "delete --dry-run: slot" "$out" "pg_drop_replication_slot"
assert_contains "delete --dry-run: publication" "$out" "DROP PUBLICATION"
assert_contains "delete --dry-run: replica identity" "$out" "REPLICA IDENTITY DEFAULT"
assert_contains "delete --dry-run: state" "$out" "DROP SCHEMA IF EXISTS pgcutover CASCADE"
assert_contains "delete --dry-run: directory" "$out" "$STATE/shop"
run cancel shop --dry-run --json
assert_run "cancel --dry-run" 0
printf '%s' "$out" >"$PGC_DIR/undo.json"
assert_equal "cancel --dry-run --json" "$(document_of "$PGC_DIR/undo.json" "SELECT count(*) FROM document, json_array_elements(doc) x WHERE x->>'statement' IS NOT NULL")" 5
assert_equal "the dry runs changed nothing" "$(on source shop -c "SELECT count(*) FROM pg_replication_slots")" 1

run residue "$PGC_DIR/shop.json"
assert_run "residue of a running one" 0
assert_contains "residue of a running one" "$out" "needed by a migration of this host: shop"
run residue "$PGC_DIR/shop.json" --remove
assert_run "residue --remove of a running one" 0
assert_equal "nothing that is needed was removed" "$(on source shop -c "SELECT count(*) FROM pg_replication_slots, pg_publication")" 1

# --- of one that has ended

run_when_ready cutover shop
assert_run "cutover" 0
report shop
assert_equal "report: exit code" "$status" 0
text=$(cat "$PGC_DIR/report")
for part in "Migration shop: Succeeded" "3 of 3 tables are equal" "Downtime  " "public.T<b>" "CREATE_REPLICATION_SLOT" "CREATE PUBLICATION" \
    "read-only        shop: " "IS STILL THERE" "CREATE INDEX other_v" "unchanged until" "REPLICA IDENTITY FULL"; do
    assert_contains "report" "$text" "$part"
done
if grep -rq very-secret-word "$STATE" "$PGC_DIR/report" || ! grep -q "PASSWORD '\*\*\*'" "$PGC_DIR/report"; then
    fail "a password is in the report or in the state directory, or the role's statement is not there"
else
    pass "the role's password is in no file"
fi
report shop --format json
assert_equal "report: downtime" "$(report_value "SELECT (doc->'databases'->0->>'downtimeSeconds')::numeric BETWEEN 0.001 AND 60 FROM document")" t
assert_equal "report: steps of the cutover" "$(report_value "SELECT count(*) > 5 AND bool_and(s->>'state' = 'done') FROM document, json_array_elements(doc->'databases'->0->'cutoverSteps') s")" t
assert_equal "report: the last state" "$(report_value "SELECT t->>'what' FROM document, json_array_elements(doc->'timeline') WITH ORDINALITY AS x (t, n) ORDER BY n DESC LIMIT 1")" "done"
assert_equal "report: history" "$(report_value "SELECT json_array_length(doc->'history') > 1 FROM document")" t
assert_equal "report: nothing is incomplete" "$(report_value "SELECT json_array_length(doc->'incomplete') FROM document")" 0
report shop --format html
html=$(cat "$PGC_DIR/report")
assert_contains "html" "$html" "public.T&lt;b&gt;"
assert_contains "html: chart" "$html" "<svg"
if command -v xmllint >/dev/null; then
    xmllint --html --noout "$PGC_DIR/report" 2>"$PGC_DIR/lint"
    assert_equal "html: xmllint" "$(grep -v "Tag \(svg\|path\|text\|line\|title\|details\|summary\) invalid\|^<\|^ *\^\|^$" "$PGC_DIR/lint" | grep -c error)" 0
fi
report shop --format xml
assert_equal "report --format xml" "$status" 2
report nobody
assert_equal "report of nobody" "$status" 5

run delete shop
assert_run "delete" 0
assert_equal "delete: nothing is left" "$(on source shop -c "SELECT (SELECT count(*) FROM pg_replication_slots) + (SELECT count(*) FROM pg_publication)
    + (SELECT count(*) FROM pg_db_role_setting) + (SELECT count(*) FROM pg_event_trigger)")" 0

# --- one that is lost: its state directory is gone while it ran

plan lost '[{"name": "lost"}]'
run --batch "$PGC_DIR/lost.json" --until ready
assert_run "batch" 0
rm -rf "$STATE/lost"
run residue "$PGC_DIR/lost.json" --json
assert_run "residue" 0
slot_is_free() { [ "$(on source lost -c "SELECT active FROM pg_replication_slots")" = f ]; }
wait_until 30 slot_is_free || fail "the engine of a lost migration goes on"
# What a DBA may have set is told, and left alone.
on source lost -c "CREATE TABLE whole (n int); ALTER TABLE whole REPLICA IDENTITY FULL"
run residue "$PGC_DIR/lost.json"
assert_run "residue" 0
for part in "slot pgcutover_lost" "publication pgcutover_lost" "event trigger pgcutover_lost" "target lost: schema pgcutover: left behind" \
    "FULL of table public.whole: perhaps"; do
    assert_contains "residue" "$out" "$part"
done
# A role that may not remove some of it: these are named, and do not keep the others.
on source postgres -c "CREATE ROLE weak LOGIN REPLICATION" -c "GRANT pg_read_all_stats TO weak"
on target postgres -c "CREATE ROLE weak LOGIN"
sed 's/"userName": "postgres"/"userName": "weak"/g' "$PGC_DIR/lost.json" >"$PGC_DIR/weak.json"
run residue "$PGC_DIR/weak.json" --remove
assert_run "residue --remove as a role that may not" 1 "publication pgcutover_lost" "SQLSTATE 42501" "must be owner"
assert_contains "what it may remove is told" "$out" "slot pgcutover_lost"
assert_contains "what it may not look at is told, with who may" "$err" "Look as the role that made schema"
assert_equal "what it may remove is removed" "$(on source lost -c "SELECT count(*) FROM pg_replication_slots")" 0
assert_equal "what it may not remove stays" "$(on source lost -c "SELECT count(*) FROM pg_publication")" 1
run residue "$PGC_DIR/lost.json" --remove
assert_run "residue --remove" 0
run residue "$PGC_DIR/lost.json" --json
printf '%s' "$out" >"$PGC_DIR/residue.json"
assert_equal "residue --remove has removed all but the DBA's" "$(document_of "$PGC_DIR/residue.json" "SELECT string_agg(x->>'name', ' ') FROM document, json_array_elements(doc) x")" \
    "FULL of table public.whole"
assert_equal "the source has none of it" "$(on source lost -c "SELECT (SELECT count(*) FROM pg_replication_slots) + (SELECT count(*) FROM pg_publication)
    + (SELECT count(*) FROM pg_event_trigger) + (SELECT count(*) FROM pg_namespace WHERE nspname ~ '^pgcutover')")" 0

finish
