#!/usr/bin/env bash
# The schema step in batch: the script of it before anything runs.
. "$(dirname "$0")/flow_tools.sh"
cluster_start source || exit 1
cluster_start target || exit 1

dump_of() { # CLUSTER DATABASE
    "$PGC_BIN/pg_dump" -s --no-publications -h "$PGC_DIR/$1" -U postgres "$2" | sed '/^\\\(un\)\?restrict /d'
}

# --- the script: psql takes it, and makes the same schema

test_script() {
    on source postgres -c "CREATE DATABASE \"o'dd \"\"name\"" -c "CREATE DATABASE small"
    on source "o'dd \"name" -o /dev/null -f "$flow_tree/tests/servers/schema_fixture.sql" || fail "the fixture"
    on source small -c "CREATE TABLE t (id int PRIMARY KEY)"
    plan script '[{"name": "o'\''dd \"name"}, {"name": "small", "target_database_name": "other"}]'

    run schema "$PGC_DIR/script.json"
    assert_run "without --script" 2 "schema takes --script"
    run schema --script "$PGC_DIR/script.json" --database-name none
    assert_run "of a database that is not in the plan" 2 'no database "none"'
    run schema --script "$PGC_DIR/script.json"
    assert_run "script" 0
    assert_equal "nothing is made on the target" "$(on target postgres -c "SELECT count(*) FROM pg_database WHERE datname IN ('other', 'o''dd \"name')")" 0
    assert_equal "no role is made on the target" "$(on target postgres -c "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'schema_%'")" 0
    case "$out" in *reader-secret* | *SCRAM-SHA*) fail "a password is in the script" ;; *) pass "no password is in the script" ;; esac
    held=$(echo "$out" | sed -n '/HELD BACK until the cutover/,/\\connect/p')
    assert_contains "held back at the end" "$held" "CREATE POLICY"
    assert_contains "held back at the end" "$held" "ENABLE ALWAYS TRIGGER"
    case "$held" in *"-- TABLE "*) fail "a table is held back" ;; *) pass "tables are not held back" ;; esac

    on target postgres -c "CREATE DATABASE \"o'dd \"\"name\"" -c "CREATE DATABASE other"
    on target postgres -o /dev/null <<<"$out" && pass "psql takes it" || fail "psql does not take it"
    for database in "o'dd \"name" small; do
        on_target=$([ "$database" = small ] && echo other || echo "$database")
        if diff <(dump_of source "$database") <(dump_of target "$on_target") >"$PGC_DIR/diff"; then
            pass "$database: the same pg_dump -s"
        else
            fail "$database: pg_dump -s differs: $(head -n 20 "$PGC_DIR/diff")"
        fi
    done
    run schema --script "$PGC_DIR/script.json" --database-name small
    assert_run "of one database" 0
    case "$out" in *'\connect'*) fail "one database needs no connect" ;; *) pass "one database needs no connect" ;; esac
    plan there '[{"name": "small"}]' '"schema": {"mode": "existing"}'
    run schema --script "$PGC_DIR/there.json"
    assert_run "of a plan that makes none" 2 'schema.mode is "existing"'
}

for t in ${PGC_TESTS:-script}; do
    "test_$t"
done
