#!/usr/bin/env bash
# What an operator does with findings: they are waived on the command line and in the plan, which is told wherever they are
# shown, and the migration begins all the same.
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
