#!/usr/bin/env bash
# remove: tables leave a migration under constant writes, one that is stopped by a conflict, one that cannot be loaded; the
# engine killed in between. The others are equal at the end, and the source is as it was.
. "$(dirname "$0")/flow_tools.sh"
cluster_start source fsync=off || exit 1
cluster_start target fsync=off || exit 1

fill() { # DATABASE
    on source postgres -c "CREATE DATABASE $1"
    on source "$1" <<'SQL'
CREATE TABLE parent (id int PRIMARY KEY, n int DEFAULT 0);
CREATE TABLE child (id serial PRIMARY KEY, parent int NOT NULL REFERENCES parent, v text);
CREATE TABLE other (id int PRIMARY KEY, n bigint);
CREATE TABLE whole (k int, v text);
INSERT INTO parent SELECT i FROM generate_series(1, 2000) i;
INSERT INTO child (parent, v) SELECT 1 + i % 2000, 'c' || i FROM generate_series(1, 3000) i;
INSERT INTO other SELECT i, 0 FROM generate_series(1, 500) i;
INSERT INTO whole SELECT i % 200, 'w' || i % 100 FROM generate_series(1, 400) i;
SQL
    cat >"$PGC_DIR/$1.sql" <<'SQL'
UPDATE parent SET n = n + 1 WHERE id = (SELECT 1 + floor(random() * 2000)::int);
INSERT INTO child (parent, v) SELECT 1 + floor(random() * 2000)::int, 'new' FROM generate_series(1, 3);
UPDATE other SET n = n + 1 WHERE id = (SELECT 1 + floor(random() * 500)::int);
UPDATE whole SET v = left(v || '.', 50) WHERE ctid = (SELECT ctid FROM whole OFFSET floor(random() * 400)::int LIMIT 1);
SELECT pg_sleep(0.01);
SQL
}

published() { # DATABASE
    on source "$1" -c "SELECT string_agg(tablename, ' ' ORDER BY tablename) FROM pg_publication_tables WHERE schemaname = 'public'"
}

tables_of() { # NAME
    status_of "$1" "SELECT string_agg(tbl, ' ' ORDER BY tbl) FROM output WHERE type = 'TableLevelOutput'"
}

ready() { # NAME WHAT
    wait_until 90 in_state "$1" "$1" READY_TO_COMPLETE && pass "$2: ready" || fail "$2: not ready: $(state_of "$1" "$1"): $(tail -n 3 "$STATE/$1/log.jsonl")"
}

begin() { # DATABASE [MORE OF THE PLAN]
    fill "$1"
    before=$(footprint source "$1")
    workload_begin "$1" "$PGC_DIR/$1.sql"
    plan "$1" "[{\"name\": \"$1\", \"keylessTables\": \"full\"}]" "${2:-}"
    run --batch "$PGC_DIR/$1.json"
    assert_run "$1: ready" 0
}

# What was removed is nobody's promise: out of the way on both sides before the rest is compared.
end() { # DATABASE TABLES
    run_when_ready cutover "$1"
    assert_run "$1: cutover" 0
    workload_end "$1"
    PGOPTIONS='-c default_transaction_read_only=off' on source "$1" -c "DROP TABLE ${2// /, }"
    on target "$1" -c "DROP TABLE ${2// /, }"
    assert_finished "$1" "$1" "$before"
}

stream() {
    local kept
    begin shop
    run remove shop nothing
    assert_run "remove of no table" 2 '"nothing" is no table of this migration'
    run remove shop 'public.*'
    assert_run "remove of all" 2 'no table would be left'
    run remove shop parent
    assert_run "remove of what others refer to" 2 'child_parent_fkey of public.child to public.parent'
    assert_equal "refused: all are published" "$(published shop)" "child other parent whole"
    ready shop "refused"

    run remove shop whole
    assert_run "remove" 0 'Their rows on the target stay as they are now'
    assert_equal "removed: published" "$(published shop)" "child other parent"
    assert_equal "removed: replica identity is as before" "$(on source shop -c "SELECT relreplident FROM pg_class WHERE relname = 'whole'")" d
    assert_equal "removed: the others in the status" "$(tables_of shop)" "public.child public.other public.parent"
    ready shop "removed"
    kept=$(on target shop -c "SELECT md5(string_agg(k || v, ',' ORDER BY k, v)) FROM whole")
    on source shop -c "UPDATE whole SET v = 'changed'; ALTER TABLE whole ADD COLUMN more int DEFAULT 7; ALTER TABLE other ADD COLUMN more int DEFAULT 8"
    wait_until 30 on target shop -c "SELECT 1 / count(*) FROM pg_attribute WHERE attrelid = 'other'::regclass AND attname = 'more'" ||
        fail "a schema change of a table that stays is not followed"
    ready shop "changed"
    assert_equal "removed: its rows on the target stay" "$(on target shop -c "SELECT md5(string_agg(k || v, ',' ORDER BY k, v)) FROM whole")" "$kept"
    assert_equal "removed: its definition too" "$(on target shop -c "SELECT count(*) FROM pg_attribute WHERE attrelid = 'whole'::regclass AND attname = 'more'")" 0

    run add shop whole
    assert_run "add of what holds rows" 1 '"whole" holds rows on the target'
    on target shop -c "TRUNCATE whole"
    run add shop whole
    assert_run "add again" 0
    ready shop "added again"
    assert_equal "added again: published" "$(published shop)" "child other parent whole"
    assert_equal "added again: as it is now" "$(on target shop -c "SELECT DISTINCT more FROM whole")" 7

    # Somebody's row on the target stops a table; without it the others can be cut over.
    on target shop -c "DELETE FROM other WHERE id <= 250"
    wait_until 30 in_conflict shop || fail "the table is not stopped"
    run cutover shop
    assert_run "no cutover with a stopped table" 2 'other is stopped'
    run remove shop other
    assert_run "remove of a stopped table" 0
    ready shop "the stopped table is removed"
    run cutover shop --rehearse
    assert_run "rehearsal without it" 0
    on source shop -c "DROP TABLE other"
    on source shop -c "CREATE TABLE other (id int PRIMARY KEY, n bigint)"
    sleep 1
    assert_equal "dropped and made anew on the source: the target's stays" "$(on target shop -c "SELECT count(*) FROM other WHERE id > 250")" 250
    end shop other
}

in_conflict() { # NAME
    status_of "$1" "SELECT 'stopped' FROM output WHERE item::text LIKE '%hit no rows%'" | grep -q stopped
}

# A table that the target does not take holds all others up.
load() {
    fill hard
    before=$(footprint source hard)
    on target postgres -c "CREATE DATABASE hard"
    dump_schema source hard | on target hard -o /dev/null
    on target hard -c "ALTER TABLE other ADD CHECK (id < 400)"
    workload_begin hard "$PGC_DIR/hard.sql"
    plan hard '[{"name": "hard", "keylessTables": "full"}]' '"schema": {"mode": "existing"}'
    run --batch "$PGC_DIR/hard.json" --detach
    assert_run "detached" 0
    wait_until 60 is_stopped hard || fail "the load is not stopped"
    run remove hard parent
    assert_run "remove of what others refer to" 2 'child_parent_fkey'
    run remove hard other
    assert_run "remove of what cannot be loaded" 0
    ready hard "without it"
    assert_equal "published" "$(published hard)" "child parent whole"
    assert_equal "nothing of it is there" "$(on target hard -c "SELECT count(*) FROM other")" 0
    end hard other
}

is_stopped() { # NAME
    [ "$(status_of "$1" "SELECT item->>'hold' FROM output WHERE type = 'DatabaseLevelOutput'")" = stopped ]
}

# kill -9 of the engine around it: removed or not, but never half.
kills() {
    local i asked was
    begin hurt
    for i in 1 2 3 4 5; do
        "$PGC_PROGRAM" remove hurt whole --state-dir "$STATE" >"$PGC_DIR/asked" 2>&1 &
        asked=$!
        sleep "0.$((RANDOM % 4))$((RANDOM % 10))"
        kill -9 "$(engine_pid hurt)"
        wait_until 10 engine_gone hurt || fail "the engine is still there"
        wait "$asked"
        run resume hurt
        assert_run "kill $i: resume" 0
        ready hurt "kill $i"
        was=$(tables_of hurt)
        case "$was" in *whole*) run remove hurt whole; assert_run "kill $i: remove" 0 ;; esac
        assert_equal "kill $i: published" "$(published hurt)" "child other parent"
        assert_equal "kill $i: identity" "$(on source hurt -c "SELECT relreplident FROM pg_class WHERE relname = 'whole'")" d
        ready hurt "kill $i: removed"
        [ "$i" = 5 ] && break
        on target hurt -c "TRUNCATE whole"
        run add hurt whole
        assert_run "kill $i: add" 0
        ready hurt "kill $i: added"
    done
    end hurt whole
}

# The way back has nothing to do with what was removed from the way there.
back() {
    begin home '"cutover": {"fallback": true}'
    workload_end home
    run remove home other
    assert_run "remove before a way back" 0
    run_when_ready cutover home
    assert_run "cutover with a way back" 0
    on target home -c "INSERT INTO other VALUES (-1, 1); INSERT INTO parent VALUES (-1, 1)"
    run_when_ready fallback home
    assert_run "the way back" 0
    assert_equal "back: the stream's row" "$(on source home -c 'SELECT count(*) FROM parent WHERE id = -1')" 1
    assert_equal "back: not the removed table's" "$(on source home -c 'SELECT count(*) FROM other WHERE id = -1')" 0
    run delete home-back
    assert_run "back: delete" 0
    run delete home
    assert_run "back: delete" 0
    assert_equal "back: left on the source" "$(footprint source home | grep -v read_only)" "$before"
}

for part in ${PGC_TESTS:-stream load kills back}; do $part; done
