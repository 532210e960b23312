#!/usr/bin/env bash
# What checks find is mended in place, on the operator's word and only then: as an ordinary role with REPLICATION alone on the
# source, as which the checks ask for what is missing, it is granted by another role, the migration runs, and all of it is
# taken back when it ends. Settings come back to what postgresql.auto.conf had.
. "$(dirname "$0")/flow_tools.sh"
cluster_start source || exit 1
cluster_start target || exit 1
version=$(on source postgres -c 'SHOW server_version_num')

on source postgres -c 'CREATE ROLE mover LOGIN' -c 'CREATE ROLE boss' -c 'CREATE DATABASE shop OWNER boss'
on target postgres -c 'CREATE ROLE mover LOGIN CREATEDB CREATEROLE' -c 'CREATE ROLE boss'
on source shop <<'SQL'
SET ROLE boss;
CREATE TABLE t (id int PRIMARY KEY, v text);
CREATE TABLE "O'dd ""name" (id int NOT NULL UNIQUE, v text);
CREATE SEQUENCE q;
INSERT INTO t SELECT i, i FROM generate_series(1, 100) i;
INSERT INTO "O'dd ""name" SELECT i, i FROM generate_series(1, 100) i;
SQL
rights() { # SERVER: everything that a fix could have changed
    on "$1" postgres -c "SELECT 'role ' || rolname || ' ' || rolreplication || rolsuper || rolcreatedb FROM pg_roles WHERE rolname !~ '^pg_'
        UNION ALL SELECT 'member ' || roleid::regrole || ' ' || member::regrole FROM pg_auth_members WHERE roleid::regrole::text !~ '^pg_(read|monitor|stat)'
        UNION ALL SELECT 'database ' || datname || array_to_string(coalesce(datacl, acldefault('d', datdba)), ' ') FROM pg_database WHERE datname <> 'template0'
        UNION ALL SELECT 'setting ' || name || ' ' || setting FROM pg_file_settings WHERE sourcefile ~ 'auto.conf' ORDER BY 1"
    on "$1" shop -c "SELECT 'table ' || relname || ' ' || relreplident::text || array_to_string(coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner)), ' ')
        FROM pg_class WHERE relkind IN ('r', 'S') AND relnamespace = 'public'::regnamespace ORDER BY 1" 2>/dev/null
}
mended() { # WHAT ID [OPTIONS]
    local what=$1 id=$2
    shift 2
    run check "$PGC_DIR/shop.json" --fix "$id" --as postgres --yes "$@"
    assert_run "$what" 0
    assert_contains "$what: said" "$out" "$id is mended."
}

plan shop '[{"name": "shop"}]' '"schema": {"mode": "existing"}'
sed -i 's/"userName": "postgres"/"userName": "mover"/' "$PGC_DIR/shop.json"
on target postgres -c 'CREATE DATABASE shop OWNER mover'
on target shop <<'SQL'
SET ROLE mover; CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE "O'dd ""name" (id int NOT NULL UNIQUE, v text); CREATE SEQUENCE q;
SQL
before=$(rights source) before_target=$(rights target)

# --- what is not agreed to is not done

run check "$PGC_DIR/shop.json" --fix repl-role --as postgres
assert_run "without a word" 2 "nothing was run" "--yes"
assert_contains "it is shown first" "$out" "    ALTER ROLE mover REPLICATION;"
assert_contains "so is what takes it back" "$out" "    ALTER ROLE mover NOREPLICATION;"
run check "$PGC_DIR/shop.json" --fix repl-role --as postgres --dry-run
assert_run "--dry-run" 0
assert_equal "nothing was done" "$(rights source)" "$before"
[ ! -e "$STATE/.fixes" ] && pass "nothing is in the store" || fail "the store: $(ls -A "$STATE/.fixes")"
run check "$PGC_DIR/shop.json" --fix repl-role --yes
assert_run "the plan's role may not" 1 "ALTER ROLE mover REPLICATION" "42501" "--as ROLE"
assert_equal "nothing was done by it" "$(rights source)" "$before"
[ ! -e "$STATE/.fixes" ] && pass "a refused one is not in the store" || fail "the store: $(cat "$STATE"/.fixes/*)"
run check "$PGC_DIR/shop.json" --fix repl-rol --yes
assert_run "no such check" 2 'no check is called "repl-rol"' 'Did you mean "repl-role"?'
run check "$PGC_DIR/shop.json" --fix clock --yes
assert_run "nothing to mend" 0
assert_contains "nothing to mend: said" "$out" "clock finds nothing to mend."
run check "$PGC_DIR/shop.json" --fix repl-role --side below
assert_run "no side" 2 '--side takes source or target, not "below"'
run status --fix repl-role
assert_run "not an option of every command" 2 "has no option --fix"

# --- everything that the checks ask for, one by one

run check "$PGC_DIR/shop.json"
assert_run "as an ordinary role" 3
for id in repl-role select-priv table-owner db-create k-owner no-ri; do
    run check "$PGC_DIR/shop.json"
    if grep -q "^FAIL *source *$id " <<<"$out"; then
        mended "$id" "$id" --side source
    elif [ $id != k-owner ] && [ $id != db-create ]; then # the owner's role was granted with table-owner
        fail "$id was not found: $out"
    fi
done
if [ "$version" -ge 150000 ]; then
    mended srr srr
else # that would take a superuser, which nobody is made
    run check "$PGC_DIR/shop.json" --fix srr --as postgres --yes
    assert_run "srr before 15" 3
    assert_contains "srr before 15: said" "$out" "Nothing of what mends it can be run from here"
    on target postgres -c 'ALTER ROLE mover SUPERUSER'
    before_target=$(rights target)
fi
assert_equal "the odd name's identity is its index" "$(on source shop -c "SELECT relreplident FROM pg_class WHERE relname LIKE 'O''dd \"name'")" i

# --- settings: what the file had comes back, and what somebody changed since stays

on source postgres -c "ALTER SYSTEM SET max_slot_wal_keep_size = '1GB'" -c 'SELECT pg_reload_conf()' >/dev/null 2>&1 && limits=yes
if [ "${limits:-}" ]; then
    before=$(rights source | grep '^setting'; grep -v '^setting' <<<"$before")
    before=$(sort <<<"$before")
    wait_until 10 eval '[ "$(on source postgres -c "SHOW max_slot_wal_keep_size")" = 1GB ]'
    mended slot-wal-limit slot-wal-limit
    assert_equal "the setting counts" "$(on source postgres -c 'SHOW max_slot_wal_keep_size')" -1
    run check "$PGC_DIR/shop.json" --undo slot-wal-limit --as postgres --yes
    assert_run "taken back by hand" 0
    assert_contains "what is run is shown" "$out" "ALTER SYSTEM SET max_slot_wal_keep_size = '1GB';"
    wait_until 10 eval '[ "$(on source postgres -c "SHOW max_slot_wal_keep_size")" = 1GB ]' && pass "it has its value again" || fail "the limit"
    mended "slot-wal-limit once more" slot-wal-limit
fi
run check "$PGC_DIR/shop.json" --fix t-tuning --as postgres --yes --json
assert_run "a setting of the target" 0
assert_contains "as JSON" "$out" '"outcome": "mended"'
on target postgres -c "ALTER SYSTEM SET max_wal_size = '5GB'"

# --- nothing else is wanted: it runs, and takes all of it back

run check "$PGC_DIR/shop.json"
assert_run "all is granted" 0
run --batch "$PGC_DIR/shop.json" --until ready
assert_run "ready" 0
assert_contains "what was mended before stands in the migration's record" "$(cat "$STATE/shop/log.jsonl")" "mended before it began, repl-role on the source, as postgres"
on source shop -c "INSERT INTO t VALUES (1000, 'x')" -c 'UPDATE "O'"'"'dd ""name" SET v = '"'y'" 2>/dev/null
run_when_ready cutover shop
assert_run "cutover" 0
assert_same_data "migrated" source/shop target/shop
on source postgres -c 'ALTER DATABASE shop RESET default_transaction_read_only'
wait_until 10 engine_gone shop
closed=$(cat "$STATE/shop/log.jsonl")
run delete shop
assert_run "delete" 0
log=$closed$err
assert_contains "what another role did cannot be taken back by the plan's, and is told" "$log" "done as postgres, was not taken back"
assert_contains "with what to do" "$log" "--undo all"
run check "$PGC_DIR/shop.json" --undo all --as postgres --yes
assert_run "taken back by who did it" 0
assert_contains "somebody's own change stays" "$log $err" "somebody has changed this setting since"
wait_until 10 eval '[ "$(rights source | sort)" = "$(sort <<<"$before")" ]'
assert_equal "the source is as it was" "$(rights source | sort)" "$(sort <<<"$before")"
on target postgres -c 'ALTER SYSTEM RESET max_wal_size'
assert_equal "so is the target" "$(rights target)" "$before_target"
[ ! -e "$STATE/.fixes" ] && pass "nothing is in the store any more" || fail "the store: $(cat "$STATE"/.fixes/*)"

# --- done as the plan's own role, it is taken back by the engine: at the end, and with "cancel"

if [ "${limits:-}" ]; then
    for end in cutover cancel; do
        plan "own-$end" '[{"name": "shop", "target_database_name": "'$end'"}]'
        run check "$PGC_DIR/own-$end.json" --fix slot-wal-limit --yes
        assert_run "$end: as the plan's role" 0
        run check "$PGC_DIR/own-$end.json" --fix no-ri --yes
        assert_run "$end: no-ri" 0
        run --batch "$PGC_DIR/own-$end.json" --until ready
        assert_run "$end: ready" 0
        run_when_ready $end "own-$end"
        assert_run "$end" 0
        wait_until 10 engine_gone "own-$end"
        wait_until 10 eval '[ "$(on source postgres -c "SHOW max_slot_wal_keep_size")" = 1GB ]' && pass "$end: the engine took it back" || fail "$end: the limit is $(on source postgres -c 'SHOW max_slot_wal_keep_size')"
        assert_contains "$end: told" "$(cat "$STATE/own-$end/log.jsonl")" "slot-wal-limit on the source was taken back"
        [ ! -e "$STATE/.fixes" ] && pass "$end: the store is empty" || fail "$end: the store: $(cat "$STATE"/.fixes/*)"
        on source postgres -c 'ALTER DATABASE shop RESET default_transaction_read_only'
        run check "own-$end" --fix decode-mem --yes
        assert_run "$end: by the migration's name" 0
        assert_contains "$end: a right" "$out" "It is taken back when the migration is deleted or cancelled:"
        run delete "own-$end"
        assert_equal "$end: a right's end" "$(on source postgres -c "SELECT setconfig FROM pg_db_role_setting")" ""
        assert_run "$end: delete" 0
    done
    # one that fails at its checks keeps what was mended for the next try
    on source shop -c 'CREATE TABLE keyless (v int)'
    plan again '[{"name": "shop", "target_database_name": "again"}]'
    run check "$PGC_DIR/again.json" --fix slot-wal-limit --yes
    run --batch "$PGC_DIR/again.json"
    assert_run "it fails at its checks" 3 no-ri
    assert_equal "what was mended stays" "$(on source postgres -c 'SHOW max_slot_wal_keep_size')" -1
    run delete again
    assert_run "delete of one that failed" 0
    wait_until 10 eval '[ "$(on source postgres -c "SHOW max_slot_wal_keep_size")" = 1GB ]' && pass "delete took it back" || fail "delete: the limit"
    # what counts after a restart only is written, and said
    on source postgres -c 'ALTER SYSTEM SET wal_level = replica'
    cluster_stop source && cluster_again source
    run check "$PGC_DIR/again.json" --fix wal-level --yes
    assert_run "wal_level" 0
    assert_contains "wal_level: said" "$out" "Restart the source, then check again."
    assert_contains "wal_level: it stays" "$out" "It stays when the migration ends"
    assert_equal "nobody restarted it" "$(on source postgres -c 'SHOW wal_level')" replica
    # a server that does not come up again: the end of its log says why
    cp "$PGC_DIR/source/data/postgresql.conf" "$PGC_DIR/conf.before"
    echo 'no_such_setting = 1' | as_server tee -a "$PGC_DIR/source/data/postgresql.conf" >/dev/null
    cluster_stop source
    cluster_again source >/dev/null 2>&1 && fail "it came up"
    run check "$PGC_DIR/again.json"
    assert_run "it does not come up" 1 "on this host: tail -n 10 -- '" 'unrecognized configuration parameter "no_such_setting"'
    as_server tee "$PGC_DIR/source/data/postgresql.conf" <"$PGC_DIR/conf.before" >/dev/null
    cluster_again source
    assert_equal "after the restart" "$(on source postgres -c 'SHOW wal_level')" logical
fi
