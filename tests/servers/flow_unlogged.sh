#!/usr/bin/env bash
# Tables that no stream carries, unlogged ones and (by the plan) those without a key: loaded with the others, brought
# up to date by difference inside the freeze.
. "$(dirname "$0")/flow_tools.sh"
cluster_start source fsync=off || exit 1
cluster_start target fsync=off || exit 1

on source postgres -c 'CREATE DATABASE aside'
on source aside <<'SQL'
CREATE UNLOGGED TABLE cache (id int PRIMARY KEY, v text, f float8, n numeric, b bytea, up text GENERATED ALWAYS AS (upper(v)) STORED);
CREATE UNLOGGED TABLE calm (id int PRIMARY KEY, v text);
CREATE UNLOGGED TABLE rewritten (id int UNIQUE, v text);
CREATE TABLE heap (k int, v text, m money);
CREATE TABLE "no column" ();
CREATE TABLE "Odd ""filtered" (k int, v text);
CREATE TABLE streamed (id int PRIMARY KEY);
INSERT INTO cache SELECT i, md5(i::text), i / 3.0, i::numeric / 7, decode(md5(i::text), 'hex') FROM generate_series(1, 20000) i;
INSERT INTO calm SELECT i, md5(i::text) FROM generate_series(1, 5000) i;
INSERT INTO rewritten SELECT i, md5(i::text) FROM generate_series(1, 3000) i;
INSERT INTO heap SELECT i % 300, CASE WHEN i % 7 = 0 THEN NULL ELSE 'v' || i % 50 END, (i % 100)::money FROM generate_series(1, 9000) i;
INSERT INTO "no column" DEFAULT VALUES; INSERT INTO "no column" DEFAULT VALUES;
INSERT INTO "Odd ""filtered" SELECT i, 'f' || i FROM generate_series(1, 4000) i;
INSERT INTO streamed SELECT generate_series(1, 10);
SQL
before=$(footprint source aside)
plan aside '[{"name": "aside", "keylessTables": "at-cutover", "tableMappings": [{"table": "\"Odd \"\"filtered\"", "where": "k > 100"}]}]'
sed -i 's/"table": "\\"Odd \\"\\"filtered\\""/"table": "public.\\"Odd \\"\\"filtered\\""/' "$PGC_DIR/aside.json"
run --batch "$PGC_DIR/aside.json"
assert_run "ready" 0
assert_equal "loaded before it is ready" "$(on target aside -c 'SELECT (SELECT count(*) FROM cache), (SELECT count(*) FROM heap), (SELECT count(*) FROM "Odd ""filtered")')" "20000|9000|3900"
on source aside <<'SQL'
UPDATE cache SET v = 'changed' WHERE id % 2000 = 5;
DELETE FROM cache WHERE id % 5000 = 77;
INSERT INTO cache SELECT i, 'new', i, i, NULL FROM generate_series(30001, 30020) i;
UPDATE cache SET id = 40000 - id WHERE id IN (3, 39997);
UPDATE heap SET v = 'changed' WHERE ctid IN (SELECT ctid FROM heap WHERE k = 7 LIMIT 3);
DELETE FROM heap WHERE ctid IN (SELECT ctid FROM heap WHERE k = 8 LIMIT 2);
INSERT INTO heap SELECT k, v, m FROM heap WHERE k = 9;
UPDATE rewritten SET v = v || '.';
INSERT INTO "no column" DEFAULT VALUES;
UPDATE "Odd ""filtered" SET k = k + 3000 WHERE k BETWEEN 95 AND 105;
SQL
on target aside -c "DELETE FROM calm WHERE id = 4; UPDATE calm SET v = 'damaged' WHERE id = 5; UPDATE calm SET v = md5('5') WHERE id = 5; INSERT INTO calm VALUES (4, md5('4'))"
run cutover aside
assert_run "cutover" 0
assert_contains "only what differs was copied" "$(grep 'outside of the stream: done' "$STATE/aside/log.jsonl")" "5 of 6 tables had changed"
rows=$(sed -n 's/.*tables had changed, \([0-9]*\) rows copied.*/\1/p' "$STATE/aside/log.jsonl")
[ "${rows:-0}" -gt 3000 ] && [ "${rows:-0}" -lt 12000 ] && pass "$rows rows were copied of 41900" || fail "$rows rows were copied"
PGOPTIONS="-c default_transaction_read_only=off" on source aside -c "DELETE FROM \"Odd \"\"filtered\" WHERE NOT k > 100"
assert_finished aside aside "$before"

# Only their definitions, where the plan says so.
on source postgres -c 'CREATE DATABASE hollow'
on source hollow -c "CREATE UNLOGGED TABLE cache (id int PRIMARY KEY); INSERT INTO cache SELECT generate_series(1, 100); CREATE TABLE kept (id int PRIMARY KEY); INSERT INTO kept SELECT generate_series(1, 100)"
plan hollow '[{"name": "hollow"}]' '"load": {"unlogged": "empty"}'
run --batch "$PGC_DIR/hollow.json" --until done
assert_run "empty: done" 0
assert_equal "empty: rows" "$(on target hollow -c 'SELECT (SELECT count(*) FROM cache), (SELECT count(*) FROM kept)')" "0|100"
