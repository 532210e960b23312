#!/usr/bin/env bash
# Schema changes on the source while it is synced: every kind of statement, under a workload, in several
# statements at once, in functions, in savepoints that are rolled back, with odd names and other search_paths,
# with the engine killed around them. At the end both sides hold the same rows and have the same pg_dump -s.
. "$(dirname "$0")/flow_tools.sh"
cluster_start source || exit 1
cluster_start target || exit 1
version=$(on source postgres -c 'SHOW server_version_num')

tables_ddl() {
    cat <<'SQL'
CREATE SCHEMA "Odd ""schema";
CREATE SCHEMA shop;
CREATE TYPE public.mood AS ENUM ('low', 'high');
CREATE TABLE public.busy (id serial PRIMARY KEY, a text, n numeric(10,2) DEFAULT 1.5, m public.mood DEFAULT 'low', changed timestamptz);
CREATE TABLE public.plain (id int PRIMARY KEY, v varchar(10), i int, t timestamp, gone text, z text NOT NULL DEFAULT 'z');
CREATE TABLE "Odd ""schema"."Ta.ble ' x" ("Id" int PRIMARY KEY, "the ""col" text, "USING" text);
CREATE TABLE shop.part (id int, k int, t text, PRIMARY KEY (id, k)) PARTITION BY RANGE (k);
CREATE TABLE shop.part_1 PARTITION OF shop.part FOR VALUES FROM (0) TO (100);
CREATE TABLE shop.part_2 PARTITION OF shop.part FOR VALUES FROM (100) TO (200);
CREATE TABLE public.parent (id int PRIMARY KEY, t text);
CREATE TABLE public.child (id int PRIMARY KEY, parent int REFERENCES public.parent, u text);
CREATE TABLE public.doomed (id int PRIMARY KEY, t text);
CREATE TABLE public.loses_key (id int PRIMARY KEY, t text);
CREATE TABLE public.filled (id int PRIMARY KEY, t text, s text DEFAULT 's');
CREATE TABLE public.converted (id int PRIMARY KEY, t text, n int);
DO $$BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'app') THEN GRANT ALL ON SCHEMA public TO app; END IF; END$$;
INSERT INTO public.busy (a) SELECT 'row ' || i FROM generate_series(1, 500) i;
INSERT INTO public.plain SELECT i, 'v' || i, i, '2020-01-01'::timestamp + i * '1 hour'::interval, 'gone' || i FROM generate_series(1, 300) i;
INSERT INTO "Odd ""schema"."Ta.ble ' x" SELECT i, 'c' || i, 'u' || i FROM generate_series(1, 100) i;
INSERT INTO shop.part SELECT i, i % 200, 't' || i FROM generate_series(1, 400) i;
INSERT INTO public.parent SELECT i, 'p' || i FROM generate_series(1, 50) i;
INSERT INTO public.child SELECT i, 1 + i % 50, 'u' || i FROM generate_series(1, 200) i;
INSERT INTO public.doomed SELECT i, 'd' || i FROM generate_series(1, 20) i;
INSERT INTO public.loses_key SELECT i, 'd' || i FROM generate_series(1, 20) i;
INSERT INTO public.filled SELECT i, 'd' || i FROM generate_series(1, 50) i;
INSERT INTO public.converted SELECT i, i::text, i FROM generate_series(1, 50) i;
SQL
}

for_version() { # 10 has no keys of partitioned tables, and moves no row between partitions
    if [ "$version" -ge 110000 ]; then
        cat
    else
        sed 's/, PRIMARY KEY (id, k)) PARTITION BY/) PARTITION BY/; s/PARTITION OF shop.part FOR/PARTITION OF shop.part (PRIMARY KEY (id, k)) FOR/
            /^UPDATE shop.part SET k = 250/d'
    fi
}

writes() {
    cat <<'SQL'
INSERT INTO busy (a, changed) VALUES ('new', clock_timestamp());
UPDATE busy SET n = n + 0.01, changed = clock_timestamp() WHERE id = (SELECT 1 + floor(random() * 400)::int);
DELETE FROM busy WHERE id = (SELECT floor(random() * 500)::int);
UPDATE plain SET i = i + 1 WHERE id = (SELECT 1 + floor(random() * 290)::int);
UPDATE shop.part SET t = t || '.' WHERE id = (SELECT 1 + floor(random() * 399)::int);
UPDATE child SET u = u || '.' WHERE id = (SELECT 1 + floor(random() * 190)::int);
SELECT pg_sleep(0.02);
SQL
}

begin_sync() { # NAME [MORE OF THE PLAN]
    on source postgres -c "CREATE DATABASE $1"
    tables_ddl | for_version | on source "$1" -o /dev/null || fail "$1: the tables"
    before=$(footprint source "$1")
    writes >"$PGC_DIR/$1.sql"
    workload_begin "$1" "$PGC_DIR/$1.sql"
    plan "$1" "[{\"name\": \"$1\"}]" "${2:-}"
    run --batch "$PGC_DIR/$1.json"
    assert_run "$1: ready" 0
}

applied() { # NAME: the position is past what was written by now
    local lsn
    lsn=$(on source "$1" -c "SELECT pg_current_wal_lsn()")
    on source "$1" -c "SELECT pg_logical_emit_message(true, 'test', 'x')" -o /dev/null
    wait_until 30 eval "[ \"\$(on target $1 -c \"SELECT count(*) FROM pgcutover.progress WHERE end_lsn >= '$lsn'\")\" = 1 ]"
}

cut_over() { # NAME
    if ! wait_until 60 in_state "$1" "$1" READY_TO_COMPLETE; then
        fail "$1: not ready: $(state_of "$1" "$1")"
        grep '"level":"error"' "$STATE/$1/log.jsonl" | tail -n 3 >&2
        workload_end "$1"
        return 1
    fi
    run_when_ready cutover "$1"
    assert_run "$1: cutover" 0
    workload_end "$1"
    assert_finished "$1" "$1" "$before"
}

# --- statements that are carried over as they are

statements() {
    cat <<'SQL'
ALTER TABLE busy ADD COLUMN plain_new int;
ALTER TABLE busy ADD COLUMN fixed int NOT NULL DEFAULT 7;
ALTER TABLE busy ADD COLUMN at timestamptz DEFAULT now();
ALTER TABLE busy ADD COLUMN words text[] DEFAULT '{a,"b,c"}', ADD COLUMN bytes bytea DEFAULT '\x00ff';
INSERT INTO busy (a, plain_new) VALUES ('after add', 5);
ALTER TABLE busy RENAME COLUMN a TO "A new name";
ALTER TABLE busy RENAME COLUMN "A new name" TO a;
ALTER TABLE busy ALTER COLUMN fixed DROP DEFAULT, ALTER COLUMN fixed DROP NOT NULL;
ALTER TABLE busy ALTER COLUMN n SET DEFAULT 2.5;
ALTER TABLE busy DROP COLUMN plain_new;
ALTER TABLE plain ALTER COLUMN v TYPE varchar(20);
ALTER TABLE plain ALTER COLUMN i TYPE bigint;
SET timezone = 'Asia/Tokyo';
ALTER TABLE plain ALTER COLUMN t TYPE timestamptz;
RESET timezone;
ALTER TABLE plain DROP COLUMN gone, ADD COLUMN gone int DEFAULT 3;
ALTER TABLE plain ADD COLUMN gen int;
ALTER TYPE mood ADD VALUE 'middle' BEFORE 'high';
ALTER TYPE mood ADD VALUE 'highest';
UPDATE busy SET m = 'middle' WHERE id % 7 = 0;
UPDATE busy SET m = 'highest' WHERE id % 11 = 0;
CREATE INDEX busy_changed ON busy (changed);
CREATE INDEX CONCURRENTLY busy_at ON busy (at) WHERE at IS NOT NULL;
CREATE UNIQUE INDEX "Plain, unique" ON plain (id, (lower(v)));
ALTER INDEX "Plain, unique" RENAME TO plain_unique;
DROP INDEX busy_changed;
ALTER TABLE plain ADD CONSTRAINT positive CHECK (id > 0);
ALTER TABLE plain ADD CONSTRAINT small CHECK (id < 100000) NOT VALID;
ALTER TABLE plain VALIDATE CONSTRAINT small;
ALTER TABLE plain RENAME CONSTRAINT positive TO "Positive";
ALTER TABLE child DROP CONSTRAINT child_parent_fkey;
ALTER TABLE child ADD CONSTRAINT child_again FOREIGN KEY (parent) REFERENCES parent ON DELETE CASCADE;
ALTER TABLE parent REPLICA IDENTITY FULL;
UPDATE parent SET t = t || '!' WHERE id < 10;
ALTER TABLE parent REPLICA IDENTITY DEFAULT;
UPDATE parent SET t = t || '?' WHERE id < 10;
ALTER TABLE "Odd ""schema"."Ta.ble ' x" RENAME COLUMN "the ""col" TO "an'other \ col";
ALTER TABLE "Odd ""schema"."Ta.ble ' x" ADD COLUMN "new; DROP" text DEFAULT 'it''s \ "so"';
INSERT INTO "Odd ""schema"."Ta.ble ' x" VALUES (1001, 'x', 'y', 'z');
ALTER TABLE "Odd ""schema"."Ta.ble ' x" RENAME TO "Ta,ble";
UPDATE "Odd ""schema"."Ta,ble" SET "USING" = 'changed' WHERE "Id" < 5;
ALTER SCHEMA "Odd ""schema" RENAME TO odd;
UPDATE odd."Ta,ble" SET "USING" = 'again' WHERE "Id" < 3;
ALTER TABLE odd."Ta,ble" SET SCHEMA shop;
DELETE FROM shop."Ta,ble" WHERE "Id" = 7;
SQL
}

several_at_once() {
    cat <<'SQL'
SET search_path = shop, public;
BEGIN;
INSERT INTO part VALUES (5000, 5, 'before');
ALTER TABLE part ADD COLUMN extra text DEFAULT 'x';
INSERT INTO part VALUES (5001, 6, 'behind', 'y');
SAVEPOINT a;
ALTER TABLE part ADD COLUMN never int DEFAULT 1;
ALTER TABLE part DROP COLUMN t;
CREATE TABLE never (id int PRIMARY KEY);
ROLLBACK TO a;
UPDATE part SET extra = 'z' WHERE id = 5000;
ALTER TABLE part RENAME COLUMN t TO text;
COMMIT;
ALTER TABLE part RENAME COLUMN text TO t;
DO $$BEGIN ALTER TABLE busy ADD COLUMN in_do int DEFAULT 4; UPDATE busy SET in_do = 5 WHERE id % 3 = 0; ALTER TABLE busy RENAME COLUMN in_do TO was_in_do; END$$;
CREATE FUNCTION pg_temp.change() RETURNS void LANGUAGE plpgsql AS $$BEGIN ALTER TABLE public.busy DROP COLUMN was_in_do; ALTER TABLE public.busy ADD COLUMN by_function text DEFAULT 'f'; END$$;
SELECT pg_temp.change();
SQL
}

partitions_and_tables() {
    cat <<'SQL'
CREATE TABLE shop.part_3 PARTITION OF shop.part FOR VALUES FROM (200) TO (300);
INSERT INTO shop.part (id, k, t) SELECT i, 200 + i % 100, 'third' FROM generate_series(6000, 6100) i;
CREATE TABLE shop.alone (id int NOT NULL, k int NOT NULL, t text, extra text DEFAULT 'x', PRIMARY KEY (id, k));
INSERT INTO shop.alone VALUES (7000, 301, 'alone', 'a');
ALTER TABLE shop.part ATTACH PARTITION shop.alone FOR VALUES FROM (300) TO (400);
INSERT INTO shop.part (id, k, t) VALUES (7001, 302, 'attached');
ALTER TABLE shop.part DETACH PARTITION shop.part_2;
INSERT INTO shop.part_2 (id, k, t) VALUES (8000, 900, 'detached');
UPDATE shop.part SET k = 250 WHERE id = 3;
CREATE TABLE public.fresh (id serial PRIMARY KEY, m mood DEFAULT 'high', parent int REFERENCES parent, t text UNIQUE);
INSERT INTO public.fresh (parent, t) SELECT 1 + i % 50, 't' || i FROM generate_series(1, 100) i;
UPDATE public.fresh SET m = 'low' WHERE id % 2 = 0;
BEGIN; CREATE TABLE public.in_transaction (id int PRIMARY KEY, t text); INSERT INTO public.in_transaction VALUES (1, 'x'); ALTER TABLE public.in_transaction ADD COLUMN u int DEFAULT 1; INSERT INTO public.in_transaction VALUES (2, 'y', 2); COMMIT;
CREATE TABLE public.key_later (id int, t text);
ALTER TABLE public.key_later ADD PRIMARY KEY (id);
INSERT INTO public.key_later VALUES (1, 'x');
CREATE TABLE public.keyless (a int, b text);
INSERT INTO public.keyless VALUES (1, 'x'), (1, 'x');
UPDATE public.keyless SET b = 'y';
CREATE TABLE public.as_query AS SELECT id, a FROM busy LIMIT 10;
UPDATE public.as_query SET a = 'changed' WHERE id > 0;
CREATE TYPE public.color AS ENUM ('red', 'green');
CREATE DOMAIN public.positive AS int CHECK (VALUE > 0);
CREATE TYPE public.pair AS (x int, y text);
CREATE TABLE public.typed (id positive PRIMARY KEY, c color, p pair, g int GENERATED BY DEFAULT AS IDENTITY, a int GENERATED ALWAYS AS IDENTITY);
INSERT INTO public.typed (id, c, p) VALUES (1, 'red', ROW(1, 'x')), (2, 'green', ROW(2, 'y'));
CREATE SEQUENCE public.loose START 100;
SELECT nextval('public.loose');
DROP TABLE public.doomed;
CREATE TABLE public.short (id int PRIMARY KEY);
INSERT INTO public.short VALUES (1);
DROP TABLE public.short;
CREATE TABLE public.doomed (id bigint PRIMARY KEY, other text);
INSERT INTO public.doomed VALUES (1, 'another table');
SQL
}

# What the stream does not carry: these tables are copied at the cutover.
values_of_its_own() {
    cat <<'SQL'
ALTER TABLE filled ADD COLUMN r float8 DEFAULT random();
ALTER TABLE filled ADD COLUMN n serial;
UPDATE filled SET t = 'changed' WHERE id < 5;
ALTER TABLE converted ALTER COLUMN t TYPE int USING length(t) * 1000, ALTER COLUMN n TYPE text USING 'n' || n;
INSERT INTO converted VALUES (1000, 5, 'new');
ALTER TABLE loses_key DROP CONSTRAINT loses_key_pkey;
UPDATE loses_key SET t = 'changed' WHERE id < 5;
DELETE FROM loses_key WHERE id = 10;
SQL
}

apply() {
    begin_sync apply
    statements | on source apply -o /dev/null || fail "apply: statements"
    [ "$version" -ge 100000 ] && on source apply -c "ALTER TYPE mood RENAME VALUE 'highest' TO 'top'; UPDATE busy SET m = 'top' WHERE id % 13 = 0"
    applied apply || { fail "apply: statements were not followed"; grep "\"level\":\"error\"" "$STATE/apply/log.jsonl" | tail -n 3; workload_end apply; exit 1; }
    several_at_once | on source apply -o /dev/null || fail "apply: several at once"
    partitions_and_tables | for_version | on source apply -o /dev/null || fail "apply: tables"
    values_of_its_own | on source apply -o /dev/null || fail "apply: values"
    cut_over apply
}

# --- the plan says stop: a table whose definition changes waits alone

stop() {
    begin_sync stop '"sync": {"ddl": "stop"}'
    assert_equal "stop: event triggers on the source" "$(on source stop -c 'SELECT count(*) FROM pg_event_trigger')" 0
    on source stop -c "ALTER TABLE plain ADD COLUMN added int DEFAULT 5; INSERT INTO plain (id, v, added) VALUES (1001, 'x', 6)"
    wait_until 30 table_stopped stop plain || fail "stop: public.plain is not stopped"
    assert_contains "stop: the statement for the target" "$(stopped_why stop plain)" 'ALTER TABLE public.plain ADD COLUMN \"added\" integer'
    on source stop -c "UPDATE parent SET t = 'others go on' WHERE id = 1"
    applied stop || fail "stop: the other tables do not go on"
    assert_equal "stop: the other tables go on" "$(on target stop -c "SELECT t FROM parent WHERE id = 1")" "others go on"
    on target stop -c "ALTER TABLE plain ADD COLUMN added int DEFAULT 5"
    run resume stop
    assert_run "stop: resume" 0
    # Columns change names among themselves: every name is there, and means another column.
    swap="ALTER TABLE filled RENAME COLUMN t TO x; ALTER TABLE filled RENAME COLUMN s TO t; ALTER TABLE filled RENAME COLUMN x TO s"
    on source stop -c "$swap" -c "INSERT INTO filled VALUES (1001, 's', 't')"
    wait_until 30 table_stopped stop filled || fail "stop: public.filled is not stopped"
    on target stop -c "$swap"
    run resume stop
    assert_run "stop: resume after columns were swapped" 0
    # Two columns change names: every name is there, and means another column.
    on source stop -c "ALTER TABLE child RENAME COLUMN u TO w; ALTER TABLE child ADD COLUMN u text; INSERT INTO child VALUES (1001, 1, 'w', 'u')"
    wait_until 30 table_stopped stop child || fail "stop: public.child is not stopped"
    on target stop -c "ALTER TABLE child RENAME COLUMN u TO w; ALTER TABLE child ADD COLUMN u text"
    run resume stop
    assert_run "stop: resume after a rename" 0
    # A table that nothing in the stream tells of: it is found before anything is frozen.
    on source stop -c 'CREATE TABLE "Came late" (id int PRIMARY KEY, v text)' -c "INSERT INTO \"Came late\" SELECT i, 'row ' || i FROM generate_series(1, 100) i"
    applied stop
    run cutover stop
    assert_run "stop: a table came" 1 '1 table that the plan picks came to the source and is not moved: public."Came late"' "pgcutover add stop 'public.\"Came late\"'"
    assert_equal "stop: nothing was frozen" "$(on source stop -c 'SHOW default_transaction_read_only')" off
    run add stop 'public."Came late"'
    assert_run "stop: the table is added" 0
    cut_over stop
}

stopped_why() { # DATABASE TABLE
    on target "$1" -c "SELECT stopped FROM pgcutover.tables WHERE source_table = '$2'"
}

table_stopped() { # DATABASE TABLE
    [ "$(on target "$1" -c "SELECT stopped IS NOT NULL FROM pgcutover.tables WHERE source_table = '$2'")" = t ]
}

# --- changes of tables that are not copied yet

loading() {
    [ "$version" -ge 140000 ] || return 0 # pg_stat_progress_copy
    on source postgres -c "CREATE DATABASE loading"
    tables_ddl | for_version | on source loading -o /dev/null || fail "loading: the tables"
    on source loading -c "CREATE TABLE large (id int PRIMARY KEY, t text); INSERT INTO large SELECT i, repeat(md5(i::text), 4) FROM generate_series(1, 30000) i"
    before=$(footprint source loading)
    writes >"$PGC_DIR/loading.sql"
    plan loading '[{"name": "loading"}]' '"load": {"jobs": 1}, "limits": {"bytesPerSecond": "400kB"}'
    run --batch "$PGC_DIR/loading.json" --detach
    assert_run "loading: begun" 0
    wait_until 30 eval '[ "$(on source loading -c "SELECT count(*) > 0 FROM pg_stat_progress_copy" 2>/dev/null)" = t ]'
    assert_equal "loading: nothing small is copied yet" "$(on target loading -c "SELECT count(*) FROM pgcutover.tables WHERE loaded AND source_table <> 'large'")" 0
    on source loading -o /dev/null <<'SQL' || fail "loading: statements"
ALTER TABLE busy ADD COLUMN soon int DEFAULT 3;
ALTER TABLE plain RENAME COLUMN gone TO stays;
ALTER TABLE plain DROP COLUMN v;
ALTER TABLE converted ALTER COLUMN n TYPE text USING 'n' || n, ALTER COLUMN t TYPE int USING t::int + 1;
ALTER TABLE filled ADD COLUMN r float8 DEFAULT random();
ALTER TABLE parent RENAME TO elder;
ALTER TABLE shop.part RENAME COLUMN t TO text;
ALTER TABLE shop.part RENAME COLUMN text TO t;
INSERT INTO elder VALUES (1001, 'new');
ALTER TABLE large ADD COLUMN later int DEFAULT 8;
SQL
    workload_begin loading "$PGC_DIR/loading.sql"
    cut_over loading
}

# --- the engine is killed around the changes

killed() {
    local i
    begin_sync killed
    for i in 1 2 3 4 5 6; do
        on source killed -o /dev/null <<SQL
BEGIN; INSERT INTO busy (a) VALUES ('before $i'); ALTER TABLE busy ADD COLUMN c$i int DEFAULT $i; UPDATE busy SET c$i = 0 WHERE id % 5 = 0;
ALTER TABLE busy RENAME COLUMN c$i TO d$i; COMMIT;
CREATE TABLE made_$i (id int PRIMARY KEY, t text); INSERT INTO made_$i SELECT g, 'x' FROM generate_series(1, 50) g;
ALTER TABLE made_$i ALTER COLUMN id TYPE bigint; ALTER TYPE mood ADD VALUE 'm$i'; UPDATE busy SET m = 'm$i' WHERE id % 17 = 0;
SQL
        sleep "0.$((RANDOM % 4))"
        kill -9 "$(engine_pid killed)"
        wait_until 10 engine_gone killed || fail "killed: the engine lives"
        run resume killed
        assert_run "killed: resume $i" 0
    done
    cut_over killed
}

# --- the application's statements never fail because of the log

harmless() {
    on source postgres -c "CREATE ROLE app"
    begin_sync harmless
    on source harmless -o /dev/null <<'SQL' || fail "harmless: a role without rights"
SET ROLE app;
CREATE TABLE public.of_app (id int PRIMARY KEY, t text);
INSERT INTO public.of_app VALUES (1, 'x');
ALTER TABLE public.of_app ADD COLUMN u int DEFAULT 4;
SET search_path = pg_temp;
CREATE TEMP TABLE ddl (entry text);
ALTER TABLE public.of_app DROP COLUMN t;
BEGIN ISOLATION LEVEL SERIALIZABLE; CREATE TABLE public.of_app_too (id int PRIMARY KEY); INSERT INTO public.of_app_too VALUES (3); COMMIT;
SQL
    applied harmless || fail "harmless: not followed"
    on source harmless -o /dev/null -c "SET client_min_messages = error" -c "$(on source harmless -c "SELECT format('DROP TABLE %I.ddl', nspname) FROM pg_namespace WHERE nspname LIKE 'pgcutover\_%'")"
    on source harmless -o /dev/null <<'SQL' || fail "harmless: the log is gone"
ALTER TABLE parent ADD COLUMN unseen int;
INSERT INTO parent VALUES (1001, 'x', 5);
SQL
    wait_until 30 table_stopped harmless parent || fail "harmless: an unseen change does not stop its table"
    on target harmless -c "ALTER TABLE parent ADD COLUMN unseen int"
    run resume harmless
    assert_run "harmless: resume" 0
    cut_over harmless
}

# --- cancelled: nothing is left

cancelled() {
    begin_sync cancelled
    on source cancelled -c "ALTER TABLE busy ADD COLUMN x int"
    workload_end cancelled
    run cancel cancelled
    assert_run "cancelled: cancel" 0
    assert_equal "cancelled: left on the source" "$(footprint source cancelled)" "$before"
    on source cancelled -c "ALTER TABLE busy ADD COLUMN y int" || fail "cancelled: a change afterwards"
}

for part in ${*:-apply loading stop killed harmless cancelled}; do
    $part
done
