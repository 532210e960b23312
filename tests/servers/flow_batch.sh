#!/usr/bin/env bash
# --batch: real databases under a writing workload, as far as each --until says, with --detach and --json,
# from a plan and from the three files of Azure DMS; into an empty server and into a schema that is there.
. "$(dirname "$0")/flow_tools.sh"
cluster_start source fsync=off || exit 1
cluster_start target fsync=off || exit 1

# --- dvdrental: checked, schema, then on to the end

cat >"$PGC_DIR/dvdrental.sql" <<'SQL'
BEGIN; INSERT INTO rental (rental_date, inventory_id, customer_id, staff_id) SELECT now(), 1 + floor(random() * 4000)::int, 1 + floor(random() * 590)::int, 1;
UPDATE film SET rental_rate = rental_rate + 0.01, fulltext = to_tsvector(title || now()) WHERE film_id = (SELECT 1 + floor(random() * 1000)::int); COMMIT;
BEGIN; INSERT INTO payment (customer_id, staff_id, rental_id, amount, payment_date) SELECT customer_id, staff_id, rental_id, 1.99, now() FROM rental ORDER BY rental_id DESC LIMIT 1;
DELETE FROM payment WHERE payment_id = (SELECT payment_id FROM payment OFFSET floor(random() * 1000)::int LIMIT 1);
UPDATE customer SET email = NULL WHERE customer_id = (SELECT 1 + floor(random() * 590)::int); COMMIT;
SELECT pg_sleep(0.05);
SQL

dvdrental() {
    local before
    on source postgres -c 'CREATE DATABASE dvdrental'
    "$PGC_BIN/pg_restore" -h "$PGC_DIR/source" -U postgres -d dvdrental "$PGC_SHARED/data/dvdrental.tar" || fail "pg_restore of dvdrental"
    on source dvdrental -c ANALYZE
    before=$(footprint source dvdrental)
    workload_begin dvdrental "$PGC_DIR/dvdrental.sql"
    plan dvdrental '[{"name": "dvdrental"}]'

    run --batch "$PGC_DIR/dvdrental.json" --until checked
    assert_run "until checked" 0 'pgcutover resume dvdrental'
    assert_equal "until checked: on the source" "$(footprint source dvdrental)" "$before"
    assert_equal "until checked: on the target" "$(on target postgres -c "SELECT datname FROM pg_database WHERE datname = 'dvdrental'")" ""
    wait_until 10 engine_gone dvdrental || fail "until checked: the engine still runs"
    run cancel dvdrental
    assert_run "cancel what was checked" 0
    run delete dvdrental
    assert_run "delete what was checked" 0
    assert_deleted dvdrental dvdrental "$before"

    run --batch "$PGC_DIR/dvdrental.json" --until schema
    assert_run "until schema" 0
    assert_equal "until schema: on the source" "$(footprint source dvdrental)" "$before"
    assert_equal "until schema: tables on the target" "$(on target dvdrental -c "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")" 15
    assert_equal "until schema: rows on the target" "$(on target dvdrental -c "SELECT count(*) FROM film")" 0
    wait_until 10 engine_gone dvdrental || fail "until schema: the engine still runs"
    run resume dvdrental
    assert_run "resume from the schema" 0
    wait_until 60 in_state dvdrental dvdrental READY_TO_COMPLETE || fail "resumed from the schema, not ready: $(state_of dvdrental dvdrental)"
    run cutover dvdrental
    assert_run "dvdrental: cutover" 0
    workload_end dvdrental
    assert_finished dvdrental dvdrental "$before"
}

# --- chinook: loaded, ready

chinook() {
    local before
    sed '/^ *\(DROP\|CREATE\) DATABASE/d; /^\\c /d' "$PGC_SHARED/data/chinook.sql" >"$PGC_DIR/chinook.sql"
    on source postgres -c 'CREATE DATABASE chinook'
    on source chinook -o /dev/null -f "$PGC_DIR/chinook.sql" || fail "chinook does not load"
    before=$(footprint source chinook)
    cat >"$PGC_DIR/chinook_work.sql" <<'SQL'
UPDATE invoice_line SET quantity = quantity + 1 WHERE invoice_line_id = (SELECT 1 + floor(random() * 2000)::int);
DELETE FROM playlist_track WHERE (playlist_id, track_id) IN (SELECT playlist_id, track_id FROM playlist_track LIMIT 1);
INSERT INTO playlist_track SELECT 1, 1 + floor(random() * 3000)::int ON CONFLICT DO NOTHING;
SELECT pg_sleep(0.05);
SQL
    workload_begin chinook "$PGC_DIR/chinook_work.sql"
    plan chinook '[{"name": "chinook"}]'
    run --batch "$PGC_DIR/chinook.json" --until loaded
    assert_run "until loaded" 0 'pgcutover cutover chinook'
    assert_equal "until loaded: initializationCompleted" "$(status_of chinook "SELECT item->>'initializationCompleted' FROM output WHERE type = 'DatabaseLevelOutput'")" true
    wait_until 60 in_state chinook chinook READY_TO_COMPLETE || fail "chinook: not ready after it was loaded"
    run cutover chinook
    assert_run "chinook: cutover" 0
    workload_end chinook
    assert_finished chinook chinook "$before"
}

# --- the sample: ready (what a plan says when it says nothing), --json

shop() {
    local before
    on source postgres -c 'CREATE DATABASE shop'
    on source shop -o /dev/null -f "$flow_tree/src/demo/sample.sql" || fail "the sample does not load"
    before=$(footprint source shop)
    workload_begin shop "$flow_tree/src/demo/workload.sql"
    plan shop '[{"name": "shop"}]'
    run --batch "$PGC_DIR/shop.json" --dry-run
    assert_run "dry run" 0
    assert_contains "dry run: names the database" "$out" 'CREATE DATABASE "shop"'
    assert_equal "dry run: on the source" "$(footprint source shop)" "$before"
    run --batch "$PGC_DIR/shop.json" --json
    assert_run "no --until: ready" 0 'READY_TO_COMPLETE' 'pgcutover cutover shop'
    assert_equal "--json: result lines" "$(lines_of "$PGC_DIR/out" "SELECT doc->>'databaseName', doc->>'migrationState' FROM lines WHERE doc->>'type' = 'result'")" "shop|READY_TO_COMPLETE"
    assert_equal "--json: kinds of lines" "$(lines_of "$PGC_DIR/out" "SELECT string_agg(DISTINCT doc->>'type', ' ') FROM lines")" "event progress result"
    run cutover shop --json
    assert_run "shop: cutover" 0
    assert_equal "cutover --json: result" "$(lines_of "$PGC_DIR/out" "SELECT doc->>'migrationState', json_array_length(doc->'cutoverSteps') > 5 FROM lines WHERE doc->>'type' = 'result'")" "COMPLETE|t"
    workload_end shop
    [ "$(on target shop -c 'SELECT count(*) FROM shop.takings')" -gt 0 ] && pass "the materialized view is filled" || fail "the materialized view is empty"
    assert_finished shop shop "$before"
}

# --- done, --detach, and the files of Azure DMS

azure() {
    local before
    on source postgres -c 'CREATE DATABASE stock'
    on source stock <<'SQL'
CREATE TABLE public.place (place_id int PRIMARY KEY, name text);
CREATE TABLE public.item (item_id serial PRIMARY KEY, place_id int REFERENCES place, name text);
CREATE TABLE public.scratch (id int PRIMARY KEY);
INSERT INTO place SELECT i, 'place ' || i FROM generate_series(1, 500) i;
INSERT INTO item (place_id, name) SELECT 1 + i % 500, 'item ' || i FROM generate_series(1, 20000) i;
INSERT INTO scratch SELECT generate_series(1, 100);
SQL
    cat >"$PGC_DIR/azure_source.json" <<JSON
{
    "userName": "postgres",    // if this is missing or null, you will be prompted
    "password": "",            // none is needed
    "serverName": " $PGC_DIR/source",
    "databaseName": "stock",   // if this is missing, it will default to the 'postgres' database
    "port": 5432,              // if this is missing, it will default to 5432
}
JSON
    cat >"$PGC_DIR/azure_target.json" <<JSON
{
    "userName": " postgres",
    "password": "",
    "serverName": "$PGC_DIR/target",
    "databaseName": "warehouse",
}
JSON
    cat >"$PGC_DIR/azure_options.json" <<JSON
[
    {
        "name": "stock",
        "target_database_name": "warehouse",
        "selectedTables": [
            "public.item",
            "public.place",
        ]
    },
]
JSON
    echo "INSERT INTO item (place_id, name) SELECT 1 + random() * 499, 'new'; UPDATE place SET name = name || '.' WHERE place_id = (SELECT 1 + floor(random() * 500)::int);
        DELETE FROM item WHERE item_id = (SELECT floor(random() * 20000)::int); INSERT INTO scratch SELECT max(id) + 1 FROM scratch; SELECT pg_sleep(0.05)" >"$PGC_DIR/stock.sql"
    before=$(footprint source stock)
    workload_begin stock "$PGC_DIR/stock.sql"
    run --batch --source-connection-json "$PGC_DIR/azure_source.json" --target-connection-json "$PGC_DIR/azure_target.json" \
        --database-options-json "$PGC_DIR/azure_options.json" --name azure --until done --detach --json
    assert_run "--detach" 0 "pgcutover status azure" "trimmed"
    assert_equal "--detach --json" "$(lines_of "$PGC_DIR/out" "SELECT doc->>'type', doc->>'name', (doc->>'pid')::int > 1 FROM lines")" "started|azure|t"
    wait_until 90 in_state azure stock COMPLETE || fail "until done, detached: $(state_of azure stock)"
    workload_end stock
    for table in item place; do
        assert_equal "azure: $table" "$(on target warehouse -c "SELECT md5(string_agg(t::text, ',' ORDER BY t::text COLLATE \"C\")) FROM public.$table t")" \
            "$(on source stock -c "SELECT md5(string_agg(t::text, ',' ORDER BY t::text COLLATE \"C\")) FROM public.$table t")"
    done
    assert_equal "azure: what was not selected has no rows" "$(on target warehouse -c 'SELECT count(*) FROM public.scratch')" 0
    assert_same_schema azure source/stock target/warehouse
    assert_equal "azure: left on the target" "$(footprint target warehouse)" ""
    run delete azure
    assert_run "azure: delete" 0
    assert_deleted azure stock "$before"
}

# --- schema mode existing: what somebody's pg_dump -s made, with foreign keys and triggers

existing() {
    local before
    on source postgres -c 'CREATE DATABASE made'
    on source made <<'SQL'
CREATE TABLE parent (id int PRIMARY KEY, parent int REFERENCES parent DEFERRABLE, n int);
CREATE TABLE child (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, parent int REFERENCES parent ON DELETE CASCADE, t text);
CREATE TABLE log (id bigserial PRIMARY KEY, what text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO log (what) VALUES (TG_OP || ' ' || NEW.id); RETURN NEW; END$$;
CREATE TRIGGER note AFTER INSERT OR UPDATE ON child FOR EACH ROW EXECUTE FUNCTION note();
INSERT INTO parent SELECT i, i - 1 + (i = 1)::int, i FROM generate_series(1, 2000) i;
INSERT INTO child (parent, t) SELECT 1 + i % 2000, repeat('t', 100) FROM generate_series(1, 5000) i;
SQL
    echo "INSERT INTO child (parent, t) SELECT 1 + floor(random() * 100), 'new'; UPDATE child SET t = t || '.' WHERE id = (SELECT floor(random() * 5000)::int);
        DELETE FROM child WHERE id = (SELECT floor(random() * 5000)::int);
        BEGIN; INSERT INTO parent SELECT max(id) + 1, max(id), 0 FROM parent; DELETE FROM parent WHERE id = (SELECT max(id) FROM parent); COMMIT; SELECT pg_sleep(0.05)" >"$PGC_DIR/made.sql"
    before=$(footprint source made)
    on target postgres -c 'CREATE DATABASE made'
    dump_schema source made | on target made -o /dev/null
    on target made -c "INSERT INTO parent VALUES (1, NULL, 77), (999999, NULL, 78); INSERT INTO child (parent, t) VALUES (1, 'old')"
    plan made '[{"name": "made"}]' '"schema": {"mode": "existing"}'
    run --batch "$PGC_DIR/made.json"
    assert_run "existing: rows on the target" 3 public.parent 'load.prepare to "truncate"'
    assert_equal "existing, refused: on the source" "$(footprint source made)" "$before"
    assert_equal "existing, refused: on the target" "$(footprint target made)" ""
    assert_equal "existing, refused: rows of the target" "$(on target made -c 'SELECT count(*) FROM parent')" 2
    workload_begin made "$PGC_DIR/made.sql"
    plan made '[{"name": "made"}]' '"schema": {"mode": "existing"}, "load": {"prepare": "truncate"}'
    run --batch "$PGC_DIR/made.json" --until done
    assert_run "existing: truncate" 0
    workload_end made
    assert_finished made made "$before"
}

have() { # PART FILE
    [ -r "$PGC_SHARED/data/$2" ] && return 0
    echo "SKIPPED: $1: there is no $PGC_SHARED/data/$2"
    return 1
}

for part in ${*:-dvdrental chinook shop azure existing}; do
    case $part in
        dvdrental) have dvdrental dvdrental.tar || continue ;;
        chinook) have chinook chinook.sql || continue ;;
    esac
    $part
done
