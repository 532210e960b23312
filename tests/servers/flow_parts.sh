#!/usr/bin/env bash
# A table with most of the bytes is copied in parts by several workers, while its rows move within it, go and come; and
# while copy workers, the holder of the snapshot, the engine are killed. Each run ends in a comparison of full contents.
# Parts are ranges of pages; where the storage is not the usual one, and before 14 (PGC_SOURCE_BIN), ranges of a key.
. "$(dirname "$0")/flow_lib.sh"
PGC_BIN=${PGC_SOURCE_BIN:-$PGC_BIN} cluster_start source && cluster_start target || exit 1
version=$(on source postgres -c "SHOW server_version_num")
way=pages
[ "$version" -ge 140000 ] || way=keys

fill() { # DATABASE pages|keys
    on source postgres -c "CREATE DATABASE $1"
    # The same storage by another name: whether it can be read by pages is not known of it.
    [ "$2" = keys ] && [ "$version" -ge 140000 ] && on source "$1" -c "CREATE ACCESS METHOD other TYPE TABLE HANDLER heap_tableam_handler;
        ALTER DATABASE $1 SET default_table_access_method = other"
    on source "$1" <<'SQL' || exit 1
CREATE TABLE large (id int PRIMARY KEY, t text, n int NOT NULL DEFAULT 0, big text);
ALTER TABLE large ALTER big SET STORAGE EXTERNAL;
CREATE INDEX large_n ON large (n);
CREATE TABLE filtered (id int PRIMARY KEY, t text);
CREATE TABLE small (id int PRIMARY KEY, large int REFERENCES large);
CREATE SEQUENCE more START 1000000;
INSERT INTO large SELECT i, repeat(md5(i::text), 8), 0, CASE WHEN i % 50 = 0 THEN repeat(md5(i::text), 200) END FROM generate_series(1, 120000) i;
DELETE FROM large WHERE id % 7 = 0;
INSERT INTO small SELECT i, i * 7 + 1 FROM generate_series(1, 1000) i;
INSERT INTO filtered SELECT i, repeat(md5(i::text), 8) FROM generate_series(1, 60000) i;
VACUUM ANALYZE large;
SQL
    cat >"$PGC_DIR/$1.sql" <<'SQL'
\set id random(1, 120000)
UPDATE large SET n = n + 1 WHERE id BETWEEN :id AND :id + 3;
INSERT INTO large SELECT nextval('more')::int, 'new';
DELETE FROM large WHERE id = :id + 5 AND NOT EXISTS (SELECT FROM small WHERE large = :id + 5);
UPDATE large SET id = nextval('more')::int, big = repeat('b', 5000) WHERE id = :id + 9 AND NOT EXISTS (SELECT FROM small WHERE large = :id + 9);
SQL
    workload_start "$1" "$PGC_DIR/$1.sql" -R 100 -c 2
}

begin() { # DATABASE [JSON]
    flow_plan "$1" "$1" ', "load": {"jobs": 3, "splitAbove": "3MB"}, "limits": {"bytesPerSecond": "'"${rate:-12MB}"'"}, "cutover": {"maxLag": "10s"}' "${2:-}"
    pgc --batch "$PGC_DIR/$1.json" --detach -q || { fail "$1: start"; exit 1; }
    in_parts() { grep -q "copied in [0-9]* parts" "$STATE/$1/log.jsonl"; }
    wait_until 30 in_parts "$1" && pass "$1: $(grep -o 'about [0-9.]* [A-Z]*, copied in [0-9]* parts' "$STATE/$1/log.jsonl" | head -1)" || { fail "$1: not in parts"; pgc status "$1"; }
}

copied() { # DATABASE: parts that are there
    on target "$1" -c "SELECT count(*) FROM pgcutover.parts WHERE copied" 2>/dev/null
}

some_are_copied() { # DATABASE COUNT
    [ "$(copied "$1")" -ge "$2" ] 2>/dev/null
}

end() { # DATABASE
    wait_until 90 in_state "$1" READY_TO_COMPLETE || { fail "$1: not ready"; pgc status "$1"; exit 1; }
    assert_equal "$1: the parts add up" "$(on target "$1" -c "SELECT sum(p.rows_loaded) FROM pgcutover.parts p JOIN pgcutover.tables t USING (source_oid) WHERE source_table = 'large'")" "$(table_field "$1" public.large fullLoadTotalRows)"
    was_vacuumed() { [ "$(on target "$1" -c "SELECT vacuum_count > 0 FROM pg_stat_user_tables WHERE relname = 'large'")" = t ]; }
    wait_until 10 was_vacuumed "$1" || fail "$1: rows that were copied in parts were not frozen"
    workload_stop
    pgc cutover "$1" -q || { fail "$1: cutover"; pgc status "$1"; }
    finish_flow "$1" "$1"
}

# A key of few values in front, and one whose values have quotes, of a type of its own.
echo "== keys"
fill keys keys
on source keys <<'SQL' || exit 1
CREATE TYPE mood AS ENUM ('it''s', 'so', 'b\\ad');
CREATE TABLE named (m mood, "The Name" varchar(20) COLLATE "C" NOT NULL, t text, PRIMARY KEY (m, "The Name"));
CREATE INDEX ON named ("The Name");
INSERT INTO named SELECT (enum_range(NULL::mood))[1 + i % 3], 'o''n ' || i || '\', repeat(md5(i::text), 20) FROM generate_series(1, 120000) i;
ANALYZE;
SQL
rate=60MB begin keys
named_in_parts() { grep -q 'public.named: about .* copied in' "$STATE/keys/log.jsonl"; }
wait_until 60 named_in_parts && pass "keys: quotes and enums, too" || fail "keys: not in parts"
wait_until 60 in_phase keys syncing || { fail "keys: not loaded"; pgc status keys; }
on target keys -c "SELECT t.source_table, p.part, p.condition, p.rows_loaded FROM pgcutover.parts p JOIN pgcutover.tables t USING (source_oid) ORDER BY 1, 2" >"$PGC_DIR/parts"
assert_equal "keys: no part has most of the rows" "$(on target keys -c "SELECT string_agg(t, ' ') FROM (SELECT source_table AS t FROM pgcutover.parts p JOIN pgcutover.tables t USING (source_oid) GROUP BY 1 HAVING max(p.rows_loaded) > sum(p.rows_loaded) * 0.6 OR count(*) < 2) x")" "" || cat "$PGC_DIR/parts"
assert_equal "keys: by keys" "$(on target keys -c "SELECT count(*) FROM pgcutover.parts WHERE condition LIKE '%ctid%'")" 0
end keys

[ "$way" = pages ] || echo "the source is older than 14: all tables by keys"
only=${PGC_TESTS:-}
[ "$only" = keys ] && { took; exit 0; }
echo "== quiet"
fill quiet $way
begin quiet
at_once() { [ "$(on source postgres -c "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY (SELECT%' AND state = 'active'")" -ge 2 ]; }
wait_until 30 at_once && pass "quiet: several workers copy the table at once" || fail "quiet: one at a time"
end quiet

# What is copied of the table is not copied again.
echo "== workers"
fill workers keys
begin workers
wait_until 30 some_are_copied workers 2 || fail "workers: no part came"
before=$(on target workers -c "SELECT string_agg(part || ':' || started, ',' ORDER BY part) FROM pgcutover.parts WHERE copied")
for i in 1 2 3; do
    kill -9 $(worker_pids workers copy | cut -d' ' -f1) 2>/dev/null
    sleep 0.3
done
wait_until 60 in_phase workers syncing || { fail "workers: not loaded"; pgc status workers; }
assert_contains "workers: what was copied stays" ",$(on target workers -c "SELECT string_agg(part || ':' || started, ',' ORDER BY part) FROM pgcutover.parts WHERE copied")," "${before%%,*}"
end workers

# The snapshot is lost, with parts copied and parts not: all of the table is of another one.
echo "== snapshot"
fill snapshot $way
begin snapshot
wait_until 30 some_are_copied snapshot 1 || fail "snapshot: no part came"
kill -9 $(worker_pids snapshot epoch | cut -d' ' -f1)
again() { [ "$(grep -c 'copied in [0-9]* parts' "$STATE/snapshot/log.jsonl")" -ge 2 ]; }
wait_until 30 again && pass "snapshot: begins anew" || { fail "snapshot: goes on without its snapshot"; pgc status snapshot; }
assert_equal "snapshot: one for all" "$(on target snapshot -c "SELECT count(DISTINCT snapshot) FROM pgcutover.parts WHERE source_oid = (SELECT source_oid FROM pgcutover.tables WHERE source_table = 'large')")" 1
end snapshot

# The engine is killed; a table that is rewritten in the middle; a filter.
echo "== engine"
fill engine $way
filter="id % 3 = 0"
[ "$version" -ge 150000 ] || filter=true # it could not be streamed
begin engine "$([ "$filter" = true ] || echo ', "tableMappings": [{"table": "public.filtered", "where": "id % 3 = 0 -- a comment"}]')"
wait_until 30 some_are_copied engine 1 || fail "engine: no part came"
kill_engine engine
on source engine -c 'VACUUM FULL large'
pgc resume engine -q || fail "engine: resume"
wait_until 90 in_state engine READY_TO_COMPLETE || { fail "engine: not ready"; pgc status engine; exit 1; }
workload_stop
pgc cutover engine -q || { fail "engine: cutover"; pgc status engine; }
assert_equal "engine: rows" "$(on target engine -c "SELECT md5(string_agg(l::text, E'\n' ORDER BY id)) FROM large l")" "$(on source engine -c "SELECT md5(string_agg(l::text, E'\n' ORDER BY id)) FROM large l")"
assert_equal "engine: filtered rows" "$(on target engine -c "SELECT count(*), md5(string_agg(l::text, E'\n' ORDER BY id)) FROM filtered l")" "$(on source engine -c "SELECT count(*), md5(string_agg(l::text, E'\n' ORDER BY id)) FROM filtered l WHERE $filter")"
took
