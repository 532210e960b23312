#!/usr/bin/env bash
# What change data capture of other tools loses: through the whole program, from load to cutover, compared by
# plain SQL (L1-L6, L8-L11, L16).
. "$(dirname "$0")/flow_lib.sh"
cluster_start source max_prepared_transactions=5 logical_decoding_work_mem=1MB && cluster_start target || exit 1

on source postgres -c 'CREATE DATABASE cdc' || exit 1
on source cdc <<'SQL' || exit 1
CREATE TABLE copied (id int PRIMARY KEY, t text);
CREATE TABLE planted (id int PRIMARY KEY, t text);
CREATE TABLE raised (id int PRIMARY KEY, t text);
CREATE TABLE inter (id serial PRIMARY KEY, client int, n int);
CREATE TABLE cut_a (id serial PRIMARY KEY, t text);
CREATE TABLE cut_b (id serial PRIMARY KEY, a int REFERENCES cut_a, t text);
CREATE TABLE twins (a int, b text);
ALTER TABLE twins REPLICA IDENTITY FULL;
CREATE TABLE toast (id int PRIMARY KEY, n int, big text, other text);
ALTER TABLE toast ALTER big SET STORAGE EXTERNAL;
CREATE TABLE keys (id int PRIMARY KEY, t text);
CREATE TABLE part (id int, region text, t text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE part_n PARTITION OF part FOR VALUES IN ('n');
CREATE TABLE part_s PARTITION OF part FOR VALUES IN ('s');
CREATE TABLE saves (id int PRIMARY KEY, t text);
CREATE TABLE big (id int PRIMARY KEY, t text);
CREATE TABLE "Odd "" name" ("Key.1" int PRIMARY KEY, "select" text);
INSERT INTO copied SELECT i, 'before ' || i FROM generate_series(1, 100) i;
INSERT INTO planted SELECT i, 'p' || i FROM generate_series(1, 100) i;
INSERT INTO raised SELECT i, 'r' || i FROM generate_series(1, 10) i;
INSERT INTO cut_a (t) SELECT 'a' || i FROM generate_series(1, 50) i;
INSERT INTO cut_b (a, t) SELECT i, 'b' || i FROM generate_series(1, 50) i;
INSERT INTO twins SELECT i / 3, 'same' FROM generate_series(1, 30) i;
INSERT INTO toast SELECT i, 0, repeat(md5(i::text), 1000), 'o' FROM generate_series(1, 20) i;
INSERT INTO keys SELECT i, 'k' || i FROM generate_series(1, 50) i;
INSERT INTO part SELECT i, CASE WHEN i % 2 = 0 THEN 'n' ELSE 's' END, 'p' FROM generate_series(1, 50) i;
INSERT INTO saves SELECT i, 's' FROM generate_series(1, 50) i;
INSERT INTO "Odd "" name" VALUES (1, 'one');
SQL
# L10: rows change while their tables are being loaded.
echo "UPDATE keys SET t = t || '.' WHERE id = 1 + floor(random() * 40)::int;
INSERT INTO inter (client, n) VALUES (0, 1);
UPDATE toast SET n = n + 1 WHERE id = 1 + floor(random() * 20)::int;" >"$PGC_DIR/during.sql"
workload_start cdc "$PGC_DIR/during.sql" -R 50
flow_plan cdc cdc ', "cutover": {"maxLag": "10s"}'
pgc --batch "$PGC_DIR/cdc.json" --until ready -q || { fail "ready"; exit 1; }
pass "ready under load"
workload_stop

target_has() { # SQL WANT
    [ "$(on target cdc -c "$1")" = "$2" ]
}

# L1
seq 1001 2000 | sed 's/.*/&\tcopied/' >"$PGC_DIR/rows"
on source cdc -c "COPY copied FROM STDIN" <"$PGC_DIR/rows"
wait_until 20 target_has "SELECT count(*) FROM copied" 1100 && pass "L1: a COPY of 1,000 rows" || fail "L1"

# L3: 100 interleaved transactions that end in another order than they began.
for k in 0 1 2 3 4 5 6 7 8 9; do
    {
        for j in 0 1 2 3 4 5 6 7 8 9; do
            echo "BEGIN; INSERT INTO inter (client, n) VALUES ($k, $j); SELECT pg_sleep(random() * 0.02);
                UPDATE inter SET n = n + 100 WHERE client = $k AND n < 100; COMMIT;"
        done
    } | on source cdc -o /dev/null &
done
wait $(jobs -p | grep -v "^$workload_pid$") 2>/dev/null

# L5, L6, L9, L11, L16: one session's worth each.
on source cdc -o /dev/null <<'SQL' || fail "the changes on the source"
TRUNCATE cut_a, cut_b RESTART IDENTITY CASCADE;
INSERT INTO cut_a (t) VALUES ('new'); INSERT INTO cut_b (a, t) VALUES (1, 'new');
TRUNCATE cut_a CASCADE; INSERT INTO cut_a (t) VALUES ('newer');
DELETE FROM twins WHERE ctid = (SELECT min(ctid) FROM twins WHERE a = 3);
UPDATE twins SET b = 'one of them' WHERE ctid = (SELECT min(ctid) FROM twins WHERE a = 4);
UPDATE toast SET n = n + 1 WHERE id = 1;
UPDATE toast SET big = repeat('x', 50000) WHERE id = 2;
UPDATE toast SET id = 1000 + id, other = NULL WHERE id = 3;
UPDATE toast SET big = NULL WHERE id = 4;
INSERT INTO toast VALUES (100, 1, repeat(md5('z'), 300000), 'large');
UPDATE toast SET other = 'beside the large one' WHERE id = 100;
UPDATE keys SET id = id + 1000 WHERE id BETWEEN 10 AND 20;
BEGIN; UPDATE keys SET id = -1 WHERE id = 1; UPDATE keys SET id = 1 WHERE id = 2; UPDATE keys SET id = 2 WHERE id = -1; COMMIT;
BEGIN; DELETE FROM keys WHERE id = 5; INSERT INTO keys VALUES (5, 'again'); UPDATE keys SET t = 'and again' WHERE id = 5; COMMIT;
UPDATE part SET region = CASE region WHEN 'n' THEN 's' ELSE 'n' END WHERE id < 20;
BEGIN; INSERT INTO saves VALUES (101, 'kept'); SAVEPOINT a; INSERT INTO saves VALUES (102, 'lost'); UPDATE saves SET t = 'lost';
SAVEPOINT b; DELETE FROM saves; ROLLBACK TO a; INSERT INTO saves VALUES (103, 'kept'); SAVEPOINT c; UPDATE saves SET t = 'kept' WHERE id < 10;
RELEASE c; COMMIT;
BEGIN; DELETE FROM saves; ROLLBACK;
BEGIN; INSERT INTO saves VALUES (200, 'prepared'); UPDATE saves SET t = 'by prepared' WHERE id = 50; PREPARE TRANSACTION 'p1';
BEGIN; INSERT INTO saves VALUES (201, 'prepared, not kept'); PREPARE TRANSACTION 'p2';
UPDATE "Odd "" name" SET "select" = E'\\.\t\n"' WHERE "Key.1" = 1;
INSERT INTO saves VALUES (300, 'between');
SQL
on source cdc -c "COMMIT PREPARED 'p1'" && on source cdc -c "ROLLBACK PREPARED 'p2'" || fail "prepared transactions"

# L4: what concerns nobody is passed, so that the slot does not hold it; and the next change arrives.
on source cdc -c "CREATE TABLE stranger (t text); INSERT INTO stranger SELECT repeat('x', 1000) FROM generate_series(1, 5000); DROP TABLE stranger"
on source cdc -c "INSERT INTO saves VALUES (301, 'after strangers')"
wait_until 20 target_has "SELECT count(*) FROM saves WHERE id IN (200, 300, 301)" 3 && pass "L4, L16: savepoints, prepared transaction, idle stretches" ||
    fail "L4, L16: $(on target cdc -c 'SELECT id FROM saves WHERE id > 100')"

# L16: a transaction of 300,000 rows; the memory of all our processes stays bounded.
memory_kb() { # PSS of the engine and its workers
    local total=0 pid pss
    for pid in $(engine_pid cdc) $(worker_pids cdc | cut -d' ' -f1); do
        pss=$(sed -n 's/^Pss: *\([0-9]*\) kB/\1/p' "/proc/$pid/smaps_rollup" 2>/dev/null)
        total=$((total + ${pss:-0}))
    done
    echo $total
}
on source cdc -c "INSERT INTO big SELECT i, repeat(md5(i::text), 10) FROM generate_series(1, 300000) i"
most=0
big_is_there() {
    local now
    now=$(memory_kb)
    [ "$now" -gt $most ] && most=$now
    target_has "SELECT count(*) FROM big" 300000
}
wait_until 90 big_is_there && pass "L16: a transaction of 300,000 rows" || fail "L16: 300,000 rows"
[ $most -gt 0 ] && [ $most -lt 200000 ] && pass "memory of all processes: at most $most kB" || fail "memory of all processes: $most kB"

# A trigger of the target's own must not fire for what is applied.
on target cdc <<'SQL'
CREATE FUNCTION public.raises() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'must not fire'; END $$;
CREATE TRIGGER raises BEFORE INSERT OR UPDATE OR DELETE ON raised FOR EACH ROW EXECUTE FUNCTION public.raises();
SQL
on source cdc -c "INSERT INTO raised VALUES (100, 'x'); UPDATE raised SET t = 'y' WHERE id = 1; DELETE FROM raised WHERE id = 2"
wait_until 20 target_has "SELECT count(*) FROM raised WHERE id IN (1, 2, 100)" 2 && pass "a trigger planted on the target is inert" || fail "trigger on the target"
on target cdc -c "DROP TRIGGER raises ON raised; DROP FUNCTION public.raises()"

# L2: a row that is there already. Nothing after it is applied to its table, all others go on, and after mending
# nothing is lost. Several transactions at once, so that they meet the planted row in the middle of a group.
planted_is() { # PHASE of the table in the stream
    [ "$(table_field cdc public.planted streamPhase)" = "$1" ]
}
on target cdc -c "INSERT INTO planted VALUES (1005, 'planted')"
{
    for i in $(seq 1001 1040); do echo "INSERT INTO planted VALUES ($i, 'from the source');"; done
    echo "UPDATE planted SET t = 'later' WHERE id < 5; DELETE FROM planted WHERE id = 6;"
} | on source cdc || fail "the source's changes"
wait_until 30 planted_is stopped && pass "L2: stopped" || fail "L2: did not stop: $(pgc status cdc 2>&1)"
assert_equal "L2: the table is in error" "$(table_field cdc public.planted state) $(table_field cdc public.planted dataErrorsCount)" "ERROR 1"
shown=$(pgc status cdc --json | tr -d '\n')
assert_contains "L2: the SQLSTATE is named" "$shown" 23505
assert_contains "L2: the row is named" "$shown" 1005
case "$shown" in *'"hint": "'*) pass "L2: there is a hint" ;; *) fail "L2: no hint" ;; esac
on source cdc -c "INSERT INTO saves VALUES (400, 'beside a stopped table')"
wait_until 20 target_has "SELECT count(*) FROM saves WHERE id = 400" 1 && pass "L2: other tables go on" || fail "L2: other tables"
assert_equal "L2: the conflict is kept" "$(on target cdc -c "SELECT kind, key, row_values -> 'new' ->> 't', sqlstate FROM pgcutover.conflicts")" "INSERT|(id)=(1005)|from the source|23505"
assert_equal "L2: nothing after it is applied" "$(on target cdc -c "SELECT count(*), max(id) FROM planted WHERE id > 1000 AND t <> 'planted'")" "4|1004"
inserted=$(table_field cdc public.planted cdcInsertCounter)
[ "$inserted" -le 4 ] && pass "L17: counted $inserted" || fail "L17: $inserted inserts counted, 4 are there"
pgc cutover cdc -q 2>/dev/null && fail "a stopped migration was cut over" || pass "a stopped migration is not cut over"
pgc resume cdc -q || fail "resume without mending"
wait_until 30 target_has "SELECT count(*) FROM pgcutover.conflicts" 2 && wait_until 30 planted_is stopped && pass "L2: stops again while it is not mended" ||
    fail "L2: went on over the planted row"
kill_engine cdc && pgc resume cdc -q || fail "resume after a kill with a stopped table"
wait_until 30 target_has "SELECT count(*) FROM pgcutover.conflicts" 3 && wait_until 30 planted_is stopped && pass "L2: a killed engine knows it" || fail "L2: after a kill"
on target cdc -c "DELETE FROM planted WHERE id = 1005"
pgc resume cdc -q && pass "resume after mending" || fail "resume after mending"
wait_until 30 target_has "SELECT count(*) FROM planted WHERE id > 1000" 40 && pass "L2: goes on without loss" || fail "L2: lost"

# A connection ended by the administrator in mid-stream.
on source cdc -c "INSERT INTO saves SELECT i, 'x' FROM generate_series(1000, 60000) i"
on target postgres -o /dev/null -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgcutover:apply'"
on source cdc -c "INSERT INTO saves VALUES (70000, 'after it')"
wait_until 60 target_has "SELECT count(*) FROM saves WHERE id BETWEEN 1000 AND 70000" 59002 && pass "applied after the administrator ended the applier" || fail "applied after"
# Idle now: that the connection ends is noticed all the same.
before=$(worker_pids cdc apply)
on target postgres -o /dev/null -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgcutover:apply'"
another_applier() {
    local now
    now=$(worker_pids cdc apply)
    [ -n "$now" ] && [ "$now" != "$before" ]
}
wait_until 5 another_applier && pass "an idle connection's end is noticed" || fail "an idle connection's end"
wait_until 60 in_state cdc READY_TO_COMPLETE && pass "ready again" || { fail "not ready"; pgc status cdc; }
pgc cutover cdc -q && pass "cut over" || { fail "cutover"; pgc status cdc; }
assert_equal "L2: conflicts can still be read" "$(grep -c '"key":"(id)=(1005)"' "$STATE/cdc/db-0/conflicts.jsonl" 2>/dev/null)" 3
finish_flow cdc cdc

# L8: row-level security and a role that it applies to: refused, before anything is made.
on source postgres -c 'CREATE DATABASE rls' && on source rls <<'SQL'
CREATE ROLE mover LOGIN REPLICATION;
CREATE TABLE seen (id int PRIMARY KEY, owner text);
INSERT INTO seen SELECT i, CASE WHEN i % 2 = 0 THEN 'mover' ELSE 'other' END FROM generate_series(1, 10) i;
ALTER TABLE seen ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON seen USING (owner = current_user);
GRANT SELECT ON seen TO mover; GRANT CREATE ON DATABASE rls TO mover;
SQL
flow_plan rls rls
sed -i "s#\"source\": {\"uri\": \"[^\"]*\"}#\"source\": {\"uri\": \"postgresql://mover@/rls?host=$PGC_DIR/source\"}#" "$PGC_DIR/rls.json"
out=$(pgc --batch "$PGC_DIR/rls.json" --until ready -q 2>&1)
assert_equal "L8: refused" "$?" 3
assert_contains "L8: says why" "$out" "row"
assert_equal "L8: nothing on the source" "$(leftovers_source source rls)" ""
assert_equal "L8: nothing on the target" "$(on target postgres -c "SELECT datname FROM pg_database WHERE datname = 'rls'")" ""
took
