#!/usr/bin/env bash
# The way back: armed inside of the cutover, streaming what is written on the target to the source, taken with nothing lost; given
# up by "delete"; refused before anything is frozen where it cannot be; taken back with a cutover that fails.
. "$(dirname "$0")/flow_tools.sh"
# Other versions: PGC_SOURCE_BIN, PGC_TARGET_BIN.
PGC_BIN=${PGC_SOURCE_BIN:-$PGC_BIN} cluster_start source || exit 1
PGC_BIN=${PGC_TARGET_BIN:-$PGC_BIN} cluster_start target || exit 1

on source postgres -c 'CREATE DATABASE shop'
on source shop <<'SQL'
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE customer (id serial PRIMARY KEY, name text NOT NULL, mood mood DEFAULT 'ok');
CREATE TABLE sale (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer int NOT NULL REFERENCES customer, n int);
CREATE TABLE keyless (n int, v text);
CREATE UNLOGGED TABLE cart (id int PRIMARY KEY, v text);
CREATE TABLE log (what text, n bigserial PRIMARY KEY);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO public.log (what) VALUES (TG_OP); RETURN NULL; END$$;
CREATE TRIGGER note AFTER INSERT OR UPDATE ON sale FOR EACH ROW EXECUTE FUNCTION note();
ALTER TABLE sale ENABLE ALWAYS TRIGGER note;
CREATE MATERIALIZED VIEW total AS SELECT customer, sum(n) AS n FROM sale GROUP BY customer;
INSERT INTO customer (name) SELECT 'c' || i FROM generate_series(1, 200) i;
INSERT INTO sale (customer, n) SELECT 1 + i % 200, i FROM generate_series(1, 2000) i;
INSERT INTO keyless SELECT i % 7, 'x' FROM generate_series(1, 70) i;
INSERT INTO cart SELECT i, 'x' FROM generate_series(1, 50) i;
SQL
cat >"$PGC_DIR/work.sql" <<'SQL'
INSERT INTO customer (name, mood) VALUES ('new', 'sad');
INSERT INTO sale (customer, n) SELECT max(id), 1 FROM customer;
UPDATE sale SET n = n + 1 WHERE id % 97 = 3;
DELETE FROM sale WHERE id = (SELECT min(id) FROM sale);
UPDATE keyless SET v = v || '.' WHERE ctid = (SELECT ctid FROM keyless WHERE n = 3 LIMIT 1);
INSERT INTO cart SELECT max(id) + 1, 'y' FROM cart;
SQL
source_before=$(footprint source shop)

# --- refused before anything is frozen

shop='"cutover": {"fallback": true}, "verify": {"when": "before-cutover"}'
plan shop '[{"name": "shop", "keylessTables": "full"}]' "$shop"
run --batch "$PGC_DIR/shop.json"
assert_run "batch" 0
run fallback shop
assert_run "fallback before the cutover" 2 "has no way back" "armed by the cutover"
# No place for a slot on the target.
on target postgres -o /dev/null -c "SELECT pg_create_physical_replication_slot('taken_' || i) FROM generate_series(1, 20) i"
run cutover shop
assert_run "cutover without a slot for the way back" 1 "the way back (cutover.fallback)" "replication slot"
assert_equal "nothing was frozen" "$(on source shop -c "SHOW default_transaction_read_only")" off
on target postgres -o /dev/null -c "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name LIKE 'taken%'"

# --- armed

workload_begin shop "$PGC_DIR/work.sql"
sleep 1
run resume shop
cut_over() { run cutover shop; [ "$status" = 0 ]; }
wait_until 60 cut_over || fail "cutover: $err"
workload_end shop
assert_equal "the way back streams" "$(status_of shop-back "SELECT item->>'targetServer' LIKE '%source%' FROM output WHERE type = 'MigrationLevelOutput'")" t
steps=$(status_of shop "SELECT string_agg(s->>'name' || ' ' || (s->>'state'), ', ') FROM output, json_array_elements(item->'cutoverSteps') s WHERE type = 'DatabaseLevelOutput'")
assert_contains "the cutover's steps" "$steps" "nothing written since done, arm the way back done, open the target done"
echo "downtime: $(status_of shop "SELECT item->>'downtimeSeconds' FROM output WHERE type = 'DatabaseLevelOutput'") s"
on source shop -c "INSERT INTO customer (name) VALUES ('late')" >/dev/null 2>&1 && fail "the source is writable" || pass "the source is frozen for everybody else"

# The application goes on, on the target.
for i in 1 2 3 4 5; do on target shop -o /dev/null -f "$PGC_DIR/work.sql"; done
on target shop -c "TRUNCATE log"
on target shop -o /dev/null -f "$PGC_DIR/work.sql"
arrived() { [ "$(on source shop -c "SELECT count(*) FROM customer WHERE name = 'new'")" = "$(on target shop -c "SELECT count(*) FROM customer WHERE name = 'new'")" ]; }
wait_until 30 arrived && pass "what is written on the target arrives on the source" || fail "nothing arrives on the source"
wait_until 60 in_state shop-back shop READY_TO_COMPLETE && pass "the way back is ready" || fail "the way back is $(state_of shop-back shop)"
run fallback shop --rehearse
assert_run "fallback --rehearse" 0
kill -9 "$(engine_pid shop-back)"
wait_until 10 engine_gone shop-back
on target shop -o /dev/null -f "$PGC_DIR/work.sql"
run fallback shop
assert_run "fallback while its engine is gone" 5 "pgcutover resume shop-back"
run resume shop-back
assert_run "resume" 0
wait_until 60 in_state shop-back shop READY_TO_COMPLETE || fail "the way back is $(state_of shop-back shop)"

# --- taken

run_when_ready fallback shop
assert_run "fallback" 0
on source shop -c "INSERT INTO customer (name) VALUES ('home')" && pass "the source is writable" || fail "the source is not writable"
on target shop -c "INSERT INTO customer (name) VALUES ('late')" >/dev/null 2>&1 && fail "the target is writable" || pass "the target is frozen"
assert_equal "sequences went on" "$(on source shop -c "SELECT id = (SELECT max(id) FROM customer) FROM customer WHERE name = 'home'")" t
on source shop -c "DELETE FROM customer WHERE name = 'home'"
for t in customer sale keyless cart log; do
    key=$(on source shop -c "SELECT md5(coalesce(string_agg(t::text, ',' ORDER BY t::text), '')) || ' ' || count(*) FROM $t t")
    assert_equal "$t" "$key" "$(on target shop -c "SELECT md5(coalesce(string_agg(t::text, ',' ORDER BY t::text), '')) || ' ' || count(*) FROM $t t")"
done
assert_equal "the materialized view is refreshed" "$(on source shop -c "SELECT count(*) FROM (SELECT customer, sum(n) FROM sale GROUP BY 1 EXCEPT ALL TABLE total) x")" 0
[ "${PGC_SOURCE_BIN:-$PGC_BIN}" = "${PGC_TARGET_BIN:-$PGC_BIN}" ] && assert_same_schema "after the way back" source/shop target/shop
run delete shop
assert_run "delete" 0
run delete shop-back
assert_run "delete the way back" 0
assert_equal "nothing is left on the source" "$(footprint source shop)" "$source_before"
assert_equal "nothing is left on the target" "$(footprint target shop)" "$source_before"

# --- given up; and taken back with a cutover that fails

on target postgres -c 'DROP DATABASE shop'
plan shop '[{"name": "shop", "keylessTables": "full"}]' "$shop"
run --batch "$PGC_DIR/shop.json"
assert_run "batch" 0
# The engine dies with the way back armed and the target not open yet: it goes back.
killer() {
    until grep -q '"kind":"fallback"' "$STATE/shop/journal.jsonl" 2>/dev/null; do sleep 0.05; done
    kill -9 "$(engine_pid shop)"
}
killer &
run cutover shop
wait $!
run resume shop
assert_run "resume" 0
writable() { on source shop -c "INSERT INTO cart SELECT max(id) + 1, 'z' FROM cart" 2>/dev/null; }
if in_state shop shop COMPLETE; then
    echo "the engine was killed too late"
else
    wait_until 30 writable && pass "killed while it armed: the source is writable" || fail "killed while it armed: the source is not writable"
    given_up() { [ ! -e "$STATE/shop-back" ]; }
    wait_until 60 given_up && pass "the way back is given up" || fail "the way back is still there: $(state_of shop-back shop)"
    assert_equal "the target has no slot" "$(on target shop -c "SELECT count(*) FROM pg_replication_slots WHERE slot_name LIKE 'pgcutover_shop_back%'")" 0
    wait_until 60 cut_over || fail "cutover: $err"
fi
run delete shop --dry-run
assert_contains "delete --dry-run: the way back" "$out" "pgcutover cancel shop-back"
run delete shop
assert_run "delete gives the way back up" 0
assert_equal "the way back is gone" "$(ls "$STATE")" ""
assert_equal "nothing is left on the source" "$(footprint source shop)" "$source_before"
assert_equal "nothing is left on the target" "$(footprint target shop)" "$source_before"
finish
