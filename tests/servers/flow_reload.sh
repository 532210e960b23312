#!/usr/bin/env bash
# reload and add: tables loaded again and tables that come, while the stream goes on under constant writes; the
# engine and its workers killed in between; equal at the end.
. "$(dirname "$0")/flow_tools.sh"
cluster_start source fsync=off || exit 1
cluster_start target fsync=off || exit 1

fill() { # DATABASE
    on source postgres -c "CREATE DATABASE $1"
    on source "$1" <<'SQL'
CREATE TYPE mood AS ENUM ('bad', 'good');
CREATE TABLE parent (id int PRIMARY KEY, v text, n int DEFAULT 0);
CREATE TABLE child (id serial PRIMARY KEY, parent int NOT NULL REFERENCES parent, v text);
CREATE TABLE other (id int PRIMARY KEY, n bigint);
CREATE TABLE whole (k int, v text);
INSERT INTO parent SELECT i, repeat(md5(i::text), 10) FROM generate_series(1, 20000) i;
INSERT INTO child (parent, v) SELECT 1 + i % 20000, 'c' || i FROM generate_series(1, 30000) i;
INSERT INTO other SELECT i, 0 FROM generate_series(1, 500) i;
INSERT INTO whole SELECT i % 200, 'w' || i % 100 FROM generate_series(1, 400) i;
SQL
    cat >"$PGC_DIR/$1.sql" <<'SQL'
BEGIN; UPDATE parent SET n = n + 1, v = v || '.' WHERE id = (SELECT 1 + floor(random() * 20000)::int); UPDATE other SET n = n + 1 WHERE id = (SELECT 1 + floor(random() * 500)::int); COMMIT;
INSERT INTO child (parent, v) SELECT 1 + floor(random() * 20000)::int, 'new' FROM generate_series(1, 3);
DELETE FROM child WHERE id = (SELECT floor(random() * 30000)::int);
UPDATE child SET id = id + 1000000 WHERE id = (SELECT floor(random() * 30000)::int);
UPDATE whole SET v = v || '.' WHERE ctid = (SELECT ctid FROM whole OFFSET floor(random() * 400)::int LIMIT 1);
DO $$BEGIN
  IF to_regclass('late.event') IS NOT NULL THEN
    EXECUTE 'INSERT INTO late.event (parent, m, w) SELECT 1 + floor(random() * 20000)::int, ''good'', now() FROM generate_series(1, 3); UPDATE late.event SET w = now() WHERE id = (SELECT floor(random() * 3000)::int); DELETE FROM late.event WHERE id = (SELECT floor(random() * 3000)::int)';
    EXECUTE 'UPDATE late.part SET v = v || ''.'' WHERE k = (SELECT floor(random() * 2000)::int)';
  END IF;
END$$;
SELECT pg_sleep(0.01);
SQL
}

make_late() { # DATABASE: tables that come while the migration runs
    on source "$1" <<'SQL'
CREATE SCHEMA late;
CREATE TABLE late.event (id serial PRIMARY KEY, parent int REFERENCES parent, m mood, w timestamptz);
CREATE INDEX event_w ON late.event (w);
COMMENT ON TABLE late.event IS 'it came late';
CREATE TABLE late.part (k int PRIMARY KEY, v text) PARTITION BY RANGE (k);
CREATE TABLE late.part_1 PARTITION OF late.part FOR VALUES FROM (0) TO (1000);
CREATE TABLE late.part_2 PARTITION OF late.part FOR VALUES FROM (1000) TO (2000);
INSERT INTO late.event (parent, m, w) SELECT i, 'bad', now() FROM generate_series(1, 3000) i;
INSERT INTO late.part SELECT i, 'p' || i FROM generate_series(0, 1999) i;
SQL
}

ready() { # NAME DATABASE WHAT
    wait_until 90 in_state "$1" "$2" READY_TO_COMPLETE && pass "$3: ready" || fail "$3: not ready: $(state_of "$1" "$2"): $(tail -n 3 "$STATE/$1/log.jsonl")"
}

begin() { # DATABASE
    fill "$1"
    before=$(footprint source "$1")
    workload_begin "$1" "$PGC_DIR/$1.sql"
    plan "$1" "[{\"name\": \"$1\", \"keylessTables\": \"full\"}]" '"sync": {"ddl": "stop"}'
    run --batch "$PGC_DIR/$1.json"
    assert_run "$1: ready" 0
}

end() { # DATABASE
    run cutover "$1"
    assert_run "$1: cutover" 0
    workload_end "$1"
    assert_finished "$1" "$1" "$before"
}

# Somebody damages the target's tables; they are loaded again, twice, and the stream of the others does not stop.
reload() {
    begin again
    on target again -c "SET session_replication_role = replica; DELETE FROM child WHERE id % 3 = 0; UPDATE parent SET v = 'damaged' WHERE id % 7 = 0; INSERT INTO child VALUES (-1, 1, 'nobody''s'); TRUNCATE whole"
    run reload again nothing
    assert_run "reload of no table" 2 '"nothing" is no table of this migration'
    run reload again public.parent public.child whole
    assert_run "reload" 0 'pgcutover status again'
    ready again again "reload"
    run reload again 'public.*'
    assert_run "reload of all" 0
    run cutover again
    [ "$status" = 2 ] && pass "no cutover meanwhile" || echo "the load was too quick to be caught: $err"
    if [ "$status" != 0 ]; then
        ready again again "reload of all"
        end again
    else
        workload_end again
        assert_finished again again "$before"
    fi
}

add() {
    begin more
    run add more public.parent
    assert_run "add of what is there" 2 'table public.parent is moved already'
    run add more late.event
    assert_run "add of what is not there" 2 'matches no table'
    make_late more
    before=$(footprint source more | grep -v 'pgcutover\|identity whole')
    sleep 0.5
    run add more 'late.*'
    assert_run "add" 0
    ready more more "add"
    assert_equal "added: keys and indexes" "$(on target more -c "SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = indrelid WHERE relnamespace = 'late'::regnamespace AND relkind = 'r'")" 4
    assert_equal "added: foreign key" "$(on target more -c "SELECT convalidated FROM pg_constraint WHERE conrelid = 'late.event'::regclass AND contype = 'f'")" t
    sleep 1
    end more
}

# kill -9 of the engine and of its workers, at moments spread over both.
kills() {
    local i worker
    begin hurt
    make_late hurt
    before=$(footprint source hurt | grep -v 'pgcutover\|identity whole')
    for i in 1 2 3 4 5 6; do
        if [ "$i" = 1 ]; then
            "$PGC_PROGRAM" add hurt 'late.*' --state-dir "$STATE" >"$PGC_DIR/asked" 2>&1 &
        else
            "$PGC_PROGRAM" reload hurt parent child event --state-dir "$STATE" >"$PGC_DIR/asked" 2>&1 &
        fi
        asked=$!
        sleep "0.$((RANDOM % 9))"
        if [ $((i % 2)) = 0 ]; then
            worker=$(pgrep -P "$(engine_pid hurt)" -f . | sort -R | head -n 1)
            [ "$worker" ] && kill -9 "$worker"
        else
            kill -9 "$(engine_pid hurt)"
            wait_until 10 engine_gone hurt || fail "the engine is still there"
            wait "$asked"
            run resume hurt
            assert_run "kill $i: resume" 0
        fi
        wait "$asked" 2>/dev/null
        ready hurt hurt "kill $i"
    done
    # A kill before the journal had it: nothing was asked for.
    if [ "$(on target hurt -c "SELECT count(*) FROM pgcutover.tables WHERE source_schema = 'late'")" = 0 ]; then
        run add hurt 'late.*'
        assert_run "add again" 0
        ready hurt hurt "add again"
    fi
    end hurt
}

for part in ${*:-reload add kills}; do $part; done
