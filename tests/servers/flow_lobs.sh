#!/usr/bin/env bash
# Large objects: bytes, holes, owners, privileges and comments; changed while the migration runs; verified.
. "$(dirname "$0")/flow_tools.sh"
cluster_start source fsync=off || exit 1
cluster_start target fsync=off || exit 1

# Everything about every large object, by plain SQL.
lobs_of() { # NAME
    on "$1" attic -c "SELECT m.oid, pg_get_userbyid(m.lomowner), (SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(coalesce(m.lomacl, acldefault('L', m.lomowner))) a),
        obj_description(m.oid, 'pg_largeobject'), length(lo_get(m.oid)), md5(lo_get(m.oid)) FROM pg_largeobject_metadata m ORDER BY m.oid"
}

on source postgres <<'SQL'
CREATE DATABASE attic;
CREATE ROLE keeper;
CREATE ROLE "Odd ""reader";
SQL
on source attic -o /dev/null <<'SQL'
CREATE TABLE picture (id serial PRIMARY KEY, lo oid);
INSERT INTO picture (lo) SELECT lo_from_bytea(0, convert_to(repeat(md5(i::text), i * 7 % 300), 'UTF8')) FROM generate_series(1, 700) i;
INSERT INTO picture (lo) SELECT lo_from_bytea(1000000 + i, decode(repeat(md5(i::text), 90000), 'hex')) FROM generate_series(1, 4) i;
SELECT lo_from_bytea(2000000, ''), lo_from_bytea(4294967295, 'the last oid');
SELECT lo_create(2000001); SELECT lo_put(2000001, 5000000, 'behind a hole'); SELECT lo_put(2000001, 10, 'before it');
ALTER LARGE OBJECT 2000000 OWNER TO keeper; GRANT SELECT ON LARGE OBJECT 2000000 TO "Odd ""reader" WITH GRANT OPTION;
GRANT UPDATE ON LARGE OBJECT 2000001 TO PUBLIC; REVOKE SELECT ON LARGE OBJECT 2000001 FROM postgres; GRANT SELECT ON LARGE OBJECT 2000001 TO keeper;
COMMENT ON LARGE OBJECT 2000000 IS 'it''s \ empty';
SQL
before=$(footprint source attic)

on target postgres -c 'CREATE DATABASE attic'
on target attic -o /dev/null -c "SELECT lo_create(77)"
plan attic '[{"name": "attic"}]'
run check "$PGC_DIR/attic.json"
assert_run "the target holds large objects" 3
assert_contains "the target holds large objects" "$out" 'the target database holds large objects: 1'
on target attic -o /dev/null -c "SELECT lo_unlink(77)"
run check "$PGC_DIR/attic.json"
assert_run "check" 0
assert_contains "check: predicted" "$out" '707 large objects'

run --batch "$PGC_DIR/attic.json"
assert_run "ready" 0
assert_equal "loaded before it is ready" "$(lobs_of target)" "$(lobs_of source)"
[ "$(lobs_of source | wc -l)" = 707 ] || fail "the source has not the large objects that it should have"

on source attic -o /dev/null <<'SQL'
SELECT lo_unlink(lo) FROM picture WHERE id % 50 = 0;
DELETE FROM picture WHERE id % 50 = 0;
SELECT lo_put(lo, 3, 'changed') FROM picture WHERE id % 100 = 7;
SELECT lo_put(1000002, 2000000, 'in the middle'), lo_put(1000003, 6000000, 'behind its end'), lo_unlink(1000004), lo_from_bytea(1000004, 'made again'), lo_from_bytea(123, 'new');
SELECT lo_truncate(lo_open(1000001, 393216), 100000);
COMMENT ON LARGE OBJECT 1000003 IS 'new comment'; ALTER LARGE OBJECT 123 OWNER TO keeper; REVOKE SELECT ON LARGE OBJECT 2000001 FROM keeper;
SQL
on target attic -o /dev/null -c "SELECT lo_put(2000001, 20, 'damaged'), lo_create(78)"
[ "$(lobs_of target)" != "$(lobs_of source)" ] || fail "the changes are not there"
run cutover attic
assert_run "cutover" 0
assert_equal "equal after the cutover" "$(lobs_of target)" "$(lobs_of source)"
assert_contains "only what differs was copied" "$(grep 'large objects: done' "$STATE/attic/log.jsonl")" "694, of which 13 were new or different; 15 removed"
assert_finished attic attic "$before"
