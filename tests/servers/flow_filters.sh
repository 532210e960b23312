#!/usr/bin/env bash
# tableMappings: row filters, column lists and other names, streamed and copied at the cutover; what the
# check says of those that cannot be kept.
. "$(dirname "$0")/flow_tools.sh"
cluster_start source fsync=off || exit 1
cluster_start target fsync=off || exit 1
streamed=$(on source postgres -c "SELECT current_setting('server_version_num')::int >= 150000")

schema() { # DATABASE
    on source postgres -c "CREATE DATABASE $1"
    on source "$1" <<'SQL'
CREATE SCHEMA sales;
CREATE TYPE mood AS ENUM ('bad', 'good');
CREATE TABLE sales.payment (id serial, region text, amount numeric NOT NULL, secret text DEFAULT 'hidden', twice numeric GENERATED ALWAYS AS (amount * 2) STORED, PRIMARY KEY (id, region));
CREATE INDEX payment_amount ON sales.payment (amount);
CREATE TABLE sales.bill (id int PRIMARY KEY, payment int, region text, CONSTRAINT bill_to FOREIGN KEY (payment, region) REFERENCES sales.payment);
CREATE VIEW sales.dear AS SELECT payment.id, payment.amount FROM sales.payment WHERE payment.amount > 50;
CREATE TABLE public.a (id int PRIMARY KEY, "Odd ""c" text, unused text);
CREATE TABLE public.b (id int PRIMARY KEY, t text);
CREATE TABLE public.whole (k int, v text);
ALTER TABLE public.whole REPLICA IDENTITY FULL;
CREATE TABLE public.plain (k int, v text, m mood);
CREATE TABLE public.part (k int PRIMARY KEY, v text) PARTITION BY RANGE (k);
CREATE TABLE public.part_1 PARTITION OF public.part FOR VALUES FROM (0) TO (1000);
CREATE TABLE public.part_2 PARTITION OF public.part FOR VALUES FROM (1000) TO (2000);
CREATE FUNCTION public.noted() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$;
CREATE TRIGGER noted BEFORE INSERT ON sales.payment FOR EACH ROW EXECUTE FUNCTION public.noted();
INSERT INTO sales.payment (region, amount) SELECT (ARRAY['eu', 'us'])[1 + i % 2], i FROM generate_series(1, 2000) i;
INSERT INTO sales.bill SELECT id, id, region FROM sales.payment WHERE region = 'eu' AND id < 500;
INSERT INTO public.a SELECT i, 'a' || i, 'unused' FROM generate_series(1, 300) i;
INSERT INTO public.b SELECT i, 'b' || i FROM generate_series(1, 300) i;
INSERT INTO public.whole SELECT i, 'w' || i FROM generate_series(1, 300) i;
INSERT INTO public.plain SELECT i, 'p' || i, 'good' FROM generate_series(1, 300) i;
INSERT INTO public.part SELECT i, 'p' || i FROM generate_series(0, 1999) i;
SQL
    cat >"$PGC_DIR/$1.sql" <<'SQL'
INSERT INTO sales.payment (region, amount) SELECT (ARRAY['eu', 'us'])[1 + i % 2], random() * 100 FROM generate_series(1, 4) i;
UPDATE sales.payment SET amount = amount + 1, secret = 'new' WHERE id = (SELECT 1 + floor(random() * 2000)::int);
UPDATE sales.payment SET region = CASE region WHEN 'eu' THEN 'us' ELSE 'eu' END WHERE id = (SELECT 600 + floor(random() * 1400)::int);
DELETE FROM sales.payment WHERE id = (SELECT 600 + floor(random() * 1400)::int);
UPDATE public.a SET "Odd ""c" = "Odd ""c" || '.', unused = now()::text WHERE id = (SELECT 1 + floor(random() * 300)::int);
UPDATE public.b SET t = t || '.' WHERE id = (SELECT 1 + floor(random() * 300)::int);
UPDATE public.whole SET k = k + 7, v = v || '.' WHERE k = (SELECT 1 + floor(random() * 300)::int);
UPDATE public.plain SET k = k + 1, m = (ARRAY['bad', 'good'])[1 + k % 2]::mood WHERE k = (SELECT 1 + floor(random() * 300)::int);
BEGIN; DELETE FROM public.part WHERE k = 999; INSERT INTO public.part VALUES (999, 'new'); UPDATE public.part SET v = v || '.' WHERE k % 500 = 7; COMMIT;
SELECT pg_sleep(0.02);
SQL
}

# The same digest of a query on both sides.
same() { # WHAT DATABASE SOURCE-QUERY TARGET-QUERY
    local a b
    a=$(on source "$2" -c "SELECT count(*), md5(string_agg(t::text, ',' ORDER BY t::text COLLATE \"C\")) FROM ($3) t")
    b=$(on target "$2" -c "SELECT count(*), md5(string_agg(t::text, ',' ORDER BY t::text COLLATE \"C\")) FROM ($4) t")
    assert_equal "$1" "$b" "$a"
    [ "${a%%|*}" -gt 0 ] || fail "$1: there are no rows to compare"
}

same_all() { # DATABASE
    same "filter and columns" "$1" "SELECT id, region, amount, twice FROM sales.payment WHERE region = 'eu'" "SELECT id, region, amount, twice FROM billing.receipt"
    assert_equal "what was left out has its default" "$(on target "$1" -c 'SELECT DISTINCT secret FROM billing.receipt')" hidden
    same "excluded column, changed places" "$1" 'SELECT id, "Odd ""c" FROM public.a' 'SELECT id, "Odd ""c" FROM public.b'
    assert_equal "the excluded column is empty" "$(on target "$1" -c 'SELECT count(unused) FROM public.b')" 0
    same "changed places" "$1" 'SELECT * FROM public.b' 'SELECT * FROM public.a'
    same "filter under REPLICA IDENTITY FULL" "$1" 'SELECT * FROM public.whole WHERE k % 2 = 0' 'SELECT * FROM public.whole'
    same "filter at the cutover" "$1" "SELECT k, m FROM public.plain WHERE m = 'good'" 'SELECT k, m FROM public.plain'
    same "filter of partitions" "$1" 'SELECT * FROM public.part WHERE k < 1500' 'SELECT * FROM public.part'
    same "no filter" "$1" 'SELECT * FROM sales.bill' 'SELECT * FROM sales.bill'
}

good='"keylessTables": "at-cutover", "tableMappings": [
  {"table": "sales.payment", "to": "billing.receipt", "where": "region = '"'eu'"' -- only these", "columns": ["id", "region", "amount", "twice"]},
  {"table": "public.a", "to": "public.b", "excludedColumns": ["unused"]}, {"table": "public.b", "to": "public.a"},
  {"table": "public.whole", "where": "k % 2 = 0"}, {"table": "public.part", "where": "k < 1500"},
  {"table": "public.plain", "where": "plain.m = '"'good'"'", "columns": ["k", "m"]}]'

keep() {
    schema kept
    before=$(footprint source kept)
    plan kept "[{\"name\": \"kept\", $good}]"
    workload_begin kept "$PGC_DIR/kept.sql"
    run --batch "$PGC_DIR/kept.json"
    assert_run "filters: ready" 0
    assert_equal "until the opening the source's names" "$(on target kept -c "SELECT to_regclass('sales.payment') IS NOT NULL, to_regclass('billing.receipt') IS NULL")" "t|t"
    sleep 1
    run cutover kept
    assert_run "filters: cutover" 0
    workload_end kept
    assert_equal "no statement of the application failed but for the freeze" "$(grep -v 'read-only transaction\|terminating connection\|server closed\|before or while\|connection to server was lost\|^psql:.*FATAL' "$PGC_DIR/workload.kept" | grep ERROR)" ""
    same_all kept
    assert_equal "index, key, trigger and sequence followed" "$(on target kept -c "SELECT (SELECT count(*) FROM pg_index WHERE indrelid = 'billing.receipt'::regclass),
        (SELECT confrelid::regclass FROM pg_constraint WHERE conname = 'bill_to'), (SELECT tgrelid::regclass FROM pg_trigger WHERE tgname = 'noted'),
        pg_get_serial_sequence('billing.receipt', 'id'), (SELECT relacl IS NULL FROM pg_class WHERE oid = 'billing.receipt'::regclass)")" "2|billing.receipt|billing.receipt|billing.payment_id_seq|t"
    assert_equal "the view followed" "$(on target kept -c "SELECT count(*) > 0 FROM sales.dear")" t
    run delete kept
    assert_deleted kept kept "$before"
}

refuse() {
    schema refused
    before=$(footprint source refused)
    plan refused '[{"name": "refused", "excludedTables": ["public.b"], "keylessTables": "at-cutover", "tableMappings": [
      {"table": "sales.payment", "where": "amount > 5", "columns": ["id", "secret"]}, {"table": "sales.bill", "to": "public.b", "where": "id < random() * 10"},
      {"table": "public.a", "where": "idd > 1"}, {"table": "public.whole", "columns": ["k"]}, {"table": "public.plain", "where": "k < random()"},
      {"table": "public.part", "where": "k <"}]}]'
    run check "$PGC_DIR/refused.json"
    assert_run "check of what cannot be kept" 3
    for part in 'sales.payment: the filter looks at amount, outside of the replica identity' 'SQLSTATE 42703' 'SQLSTATE 42601' 'SQLSTATE 42P17' \
        'with REPLICA IDENTITY FULL the source takes no column list' 'region of the replica identity must be in it' 'amount must be filled' 'belong to others: public.b' \
        'functions in index predicate must be marked IMMUTABLE' 'column "idd" does not exist'; do
        assert_contains "check of what cannot be kept" "$out" "$part"
    done
    assert_equal "refused: on the source" "$(footprint source refused)" "$before"
    plan unknown '[{"name": "refused", "tableMappings": [{"table": "public.a", "columns": ["id", "odd"]}]}]'
    run check "$PGC_DIR/unknown.json"
    assert_run "an unknown column" 2 'table public.a has no column odd, which columns names' 'It has id, "Odd ""c", unused'
}

# Before 15 the stream cannot filter: said before anything is made. What is copied at the cutover may.
old() {
    schema old
    plan old "[{\"name\": \"old\", $good}]"
    run check "$PGC_DIR/old.json"
    assert_run "filters before 15" 3
    assert_contains "filters before 15" "$out" 'a source before 15 cannot filter what it streams'
}

existing() {
    schema made
    on target postgres -c 'CREATE DATABASE made'
    on target made -c 'CREATE SCHEMA billing; CREATE TABLE billing.receipt (amount numeric, region text, id int, more int DEFAULT 5, PRIMARY KEY (id, region)); CREATE TABLE bill (id int PRIMARY KEY, payment int, region text)'
    plan made '[{"name": "made", "selectedTables": ["sales.payment", "sales.bill"], "tableMappings": [
      {"table": "sales.payment", "to": "billing.receipt", "where": "region = '"'us'"'", "columns": ["id", "region", "amount"]}, {"table": "sales.bill", "to": "public.bill"}]}]' '"schema": {"mode": "existing"}'
    workload_begin made "$PGC_DIR/made.sql"
    run --batch "$PGC_DIR/made.json" --until done
    assert_run "existing: done" 0
    workload_end made
    same "existing: filter and columns" made "SELECT id, region, amount, 5 FROM sales.payment WHERE region = 'us'" "SELECT id, region, amount, more FROM billing.receipt"
    same "existing: mapped" made 'SELECT * FROM sales.bill' 'SELECT * FROM public.bill'
}

if [ "$streamed" = t ]; then
    for part in ${*:-keep refuse existing}; do $part; done
else
    old
fi
