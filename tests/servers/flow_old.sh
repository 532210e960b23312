#!/usr/bin/env bash
# What is particular to a source before 10: kills under load, a transaction larger than memory is to hold, text in
# another encoding, names that change, TRUNCATE, a second epoch, and what cancel leaves. Wants the server programs of 9.6
# (or those in PGC_OLD_BIN): PGC_VERSIONS_DIR as matrix.sh has it. Skipped, loudly, where there are none.
target_bin=${PGC_BIN:-}
for dir in ${PGC_OLD_BIN:-} ${PGC_VERSIONS_DIR:+"$PGC_VERSIONS_DIR/9.6/package/native/bin"} /usr/lib/postgresql/9.6/bin /usr/pgsql-9.6/bin; do
    [ -x "$dir/initdb" ] && old_bin=$dir && break
done
[ -n "${old_bin:-}" ] || { echo "SKIP: no server programs of 9.6 found (PGC_OLD_BIN, PGC_VERSIONS_DIR)"; exit 77; }
. "$(dirname "$0")/flow_lib.sh"
PGC_BIN=$old_bin cluster_start source && cluster_start target || exit 1

# While others are still loaded, a loaded table that is truncated is loaded again by itself.
during() {
    on source postgres -c "CREATE DATABASE during"
    on source during -c "CREATE TABLE cut (id serial PRIMARY KEY, t text); INSERT INTO cut (t) SELECT 'c' FROM generate_series(1, 100);
        CREATE TABLE slow (id int PRIMARY KEY, t text); INSERT INTO slow SELECT g, repeat(md5(g::text), 30) FROM generate_series(1, 30000) g"
    flow_plan during during ', "schema": {"roles": false}, "load": {"jobs": 2}, "limits": {"bytesPerSecond": "6MB"}'
    pgc --batch "$PGC_DIR/during.json" --detach -q || fail "during: start"
    cut_is_there() { [ "$(table_field during public.cut state)" = COMPLETED ] && in_phase during loading; }
    wait_until 30 cut_is_there || { fail "during: the small table is not there first"; pgc status during; }
    # No lock is left of its copy.
    on source during -c "SET lock_timeout = '2s'; TRUNCATE cut; INSERT INTO cut (t) VALUES ('after')"
    wait_until 60 in_state during READY_TO_COMPLETE || pgc status during
    grep -q 'cut was truncated or rewritten.*it is loaded again' "$STATE/during/log.jsonl" && pass "during: it is loaded again" || fail "during: not noticed"
    assert_equal "during: equal" "$(on target during -c "SELECT string_agg(t, ',') FROM cut")" after
    timeout 90 "$PGCUTOVER" cancel during --yes --state-dir "$STATE" -q
    assert_equal "during: cancel" $? 0
}
[ "${PGC_TESTS:-}" = during ] && { during; exit; }

on source postgres -c "CREATE DATABASE old ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
on target postgres -c "CREATE DATABASE old ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
on source old -o /dev/null <<'SQL'
SET client_encoding = 'UTF8';
CREATE TYPE "m]ood: '" AS ENUM ('low: ''', 'high]');
CREATE TABLE "Tä.b""l e" ("k y" int, "ü[text]:'x'" text, m "m]ood: '", a "m]ood: '"[], b bit(3), bo bool, n numeric, PRIMARY KEY ("k y", "ü[text]:'x'"));
INSERT INTO "Tä.b""l e" SELECT g, 'é' || g, 'high]', '{"low: ''",NULL}', '101', g % 2 = 0, g / 3.0 FROM generate_series(1, 2000) g;
CREATE TABLE large (id int PRIMARY KEY, t text);
CREATE TABLE moved (id int PRIMARY KEY, t text);
INSERT INTO moved SELECT g, 'm' || g FROM generate_series(1, 100) g;
CREATE TABLE cut (id serial PRIMARY KEY, t text);
INSERT INTO cut (t) SELECT 'c' FROM generate_series(1, 100);
CREATE TABLE whole (a int, t text);
ALTER TABLE whole REPLICA IDENTITY FULL;
INSERT INTO whole SELECT g % 5, repeat(md5(g::text), 200) FROM generate_series(1, 100) g;
ALTER TABLE whole ALTER t SET STORAGE EXTERNAL;
SQL
cat >"$PGC_DIR/work.sql" <<'SQL'
\set r random(1, 2000)
BEGIN;
UPDATE "Tä.b""l e" SET "ü[text]:'x'" = 'ß''' || :r || E'\n ]: new-tuple: ', bo = NOT bo, n = 'NaN' WHERE "k y" = :r;
UPDATE "Tä.b""l e" SET m = 'low: ''', a = a || m, b = NULL WHERE "k y" = :r + 1;
SAVEPOINT s;
DELETE FROM "Tä.b""l e" WHERE "k y" = :r + 2;
ROLLBACK TO s;
DELETE FROM "Tä.b""l e" WHERE "k y" = :r + 3;
COMMIT;
INSERT INTO "Tä.b""l e" VALUES (:r + 3, 'ÿ', 'high]', '{}', '000', NULL, 1e100) ON CONFLICT DO NOTHING;
UPDATE whole SET a = a + 1 WHERE ctid = (SELECT ctid FROM whole WHERE a = :r % 7 LIMIT 1);
UPDATE moved SET t = t || '+' WHERE id = :r % 100;
SQL
export PGCLIENTENCODING=UTF8
workload_start old "$PGC_DIR/work.sql" -R 60

flow_plan old old ', "schema": {"roles": false}, "load": {"jobs": 2}'
# The database is there already, and empty: the schema is copied into it.
timeout 120 "$PGCUTOVER" --batch "$PGC_DIR/old.json" --state-dir "$STATE" --until ready -q
assert_equal "ready" $? 0

on source old -c "INSERT INTO large SELECT g, repeat('x', 100) || chr(233) || g FROM generate_series(1, 100000) g"
for kill in receive apply engine; do
    if [ $kill = engine ]; then
        kill_engine old && pgc resume old -q
    else
        wait_until 20 test -n "$(worker_pids old $kill)"
        kill -9 "$(worker_pids old $kill | sed 's/ .*//' | head -1)" && echo "killed $kill"
    fi
    sleep 1
done
on source old -c "DELETE FROM large WHERE id % 3 = 0; UPDATE large SET t = t || 'y' WHERE id % 100 = 1"
on source old -c "ALTER TABLE moved RENAME TO moved_on"
on source old -c "UPDATE moved_on SET t = 'under another name' WHERE id = 50"
renamed_there() {
    [ "$(on target old -c 'SELECT count(*) FROM moved WHERE id = 50 AND t LIKE $$under another name%$$')" = 1 ]
}
wait_until 60 renamed_there && pass "a table that was renamed is the same"
on source old -c "ALTER TABLE moved_on RENAME TO moved"
wait_until 60 in_state old READY_TO_COMPLETE || pgc status old

large_there() {
    [ "$(on target old -c 'SELECT count(*) FROM large')" = 66667 ]
}
wait_until 60 large_there && pass "a large transaction has arrived"

stopped_by_truncate() {
    pgc status old --json | grep -q "servers before 11 do not send"
}
on source old -c "TRUNCATE cut; INSERT INTO cut (t) VALUES ('after')"
wait_until 30 stopped_by_truncate
assert_equal "TRUNCATE is seen" $? 0
others_go_on() {
    [ "$(on target old -c "SELECT count(*) FROM moved WHERE t = 'beside a stopped table'")" = 1 ]
}
on source old -c "UPDATE moved SET t = 'beside a stopped table' WHERE id = 51"
wait_until 30 others_go_on && pass "TRUNCATE: the other tables go on" || fail "TRUNCATE: the other tables do not go on"
is_held old && fail "TRUNCATE: the whole migration is stopped"
assert_contains "TRUNCATE: the table is named" "$(pgc status old --json)" "cut was truncated or rewritten"
pgc cutover old -q 2>/dev/null
assert_equal "TRUNCATE: no cutover" "$(($? != 0))" 1
pgc reload old public.cut -q
assert_equal "TRUNCATE: the table is loaded again" $? 0
wait_until 60 in_state old READY_TO_COMPLETE && pass "TRUNCATE: and it goes on" || { fail "TRUNCATE: not ready after the load"; pgc status old; }
assert_equal "TRUNCATE: with what came after it" "$(on target old -c 'SELECT string_agg(t, $$,$$) FROM cut')" after
for try in 1 2 3 4 5; do
    wait_until 60 in_state old READY_TO_COMPLETE
    timeout 90 "$PGCUTOVER" cutover old --state-dir "$STATE" -q
    status=$?
    [ $status = 2 ] || break
    sleep 1
done
assert_equal "cutover" $status 0
workload_stop
finish_flow old old

# Cancelled in the middle: nothing stays.
on source postgres -c "CREATE DATABASE again"
on source again -o /dev/null -c "CREATE TABLE t AS SELECT g AS id FROM generate_series(1, 1000) g; ALTER TABLE t ADD PRIMARY KEY (id)"
flow_plan again again
timeout 90 "$PGCUTOVER" --batch "$PGC_DIR/again.json" --state-dir "$STATE" --until ready -q
assert_equal "again: ready" $? 0
pgc cancel again -q
assert_equal "again: cancel" $? 0
assert_equal "again: leftovers on the source" "$(leftovers_source source again)" ""

during
took
