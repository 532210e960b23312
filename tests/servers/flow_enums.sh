#!/usr/bin/env bash
# Columns of enums and domains that are text until the cutover (schema.enums "text"): in both modes, while changes stream, with labels that
# the target lacks; converted back exactly, also where the migration is cancelled or killed.
. "$(dirname "$0")/flow_tools.sh"
# Other versions: PGC_SOURCE_BIN, PGC_TARGET_BIN.
PGC_BIN=${PGC_SOURCE_BIN:-$PGC_BIN} cluster_start source || exit 1
PGC_BIN=${PGC_TARGET_BIN:-$PGC_BIN} cluster_start target || exit 1

fixture() { # DATABASE
    on source postgres -c "CREATE DATABASE $1"
    on source "$1" -o /dev/null <<'SQL'
CREATE SCHEMA app;
CREATE TYPE app."Mood" AS ENUM ('sad', 'it''s ok', 'glad');
CREATE DOMAIN app.positive AS int CHECK (VALUE > 0);
CREATE TYPE app.pair AS (m app."Mood", n int);
CREATE TABLE app.person (
    id int PRIMARY KEY,
    mood app."Mood" NOT NULL DEFAULT 'sad',
    moods app."Mood"[] DEFAULT '{sad,glad}',
    score app.positive DEFAULT 5,
    home app.pair,
    name text,
    CONSTRAINT "never both" CHECK (mood <> 'glad' OR score < 1000),
    CONSTRAINT unchecked CHECK (name <> 'nobody')
);
COMMENT ON CONSTRAINT "never both" ON app.person IS 'it''s a comment';
CREATE INDEX person_mood ON app.person (mood, name);
CREATE UNIQUE INDEX person_both ON app.person (id, mood);
COMMENT ON COLUMN app.person.mood IS 'how it goes';
CREATE TABLE app.seen (mood app."Mood" PRIMARY KEY, n int);
CREATE VIEW app.v_seen AS SELECT mood FROM app.seen; -- seen.mood keeps its type
CREATE TABLE app.glad (id int PRIMARY KEY, mood app."Mood", other app."Mood" DEFAULT 'glad');
CREATE INDEX glad_glad ON app.glad (id) WHERE mood = 'glad'; -- so does glad.mood
ALTER TABLE app.glad ADD CONSTRAINT late CHECK (other <> 'glad' OR id > 0) NOT VALID; -- copied, it is made while other is text
CREATE TABLE app.part (id int, k int, mood app."Mood" DEFAULT 'sad', PRIMARY KEY (id, k)) PARTITION BY RANGE (k);
CREATE TABLE app.part_1 PARTITION OF app.part FOR VALUES FROM (0) TO (50);
CREATE TABLE app.part_2 PARTITION OF app.part FOR VALUES FROM (50) TO (100);
ALTER TABLE app.part_2 ALTER COLUMN mood SET DEFAULT 'glad';
INSERT INTO app.person SELECT i, (ARRAY['sad', 'it''s ok', 'glad'])[1 + i % 3]::app."Mood", ARRAY['glad', NULL, 'it''s ok']::app."Mood"[],
    1 + i % 50, ROW('glad', i)::app.pair, 'n' || i FROM generate_series(1, 2000) i;
INSERT INTO app.seen SELECT unnest(enum_range(NULL::app."Mood")), 1;
INSERT INTO app.glad SELECT i, 'glad' FROM generate_series(1, 50) i;
INSERT INTO app.part SELECT i, i % 100, 'it''s ok' FROM generate_series(1, 300) i;
SQL
    cat >"$PGC_DIR/$1.sql" <<'SQL'
INSERT INTO app.person (id, mood, home, name) SELECT max(id) + 1, 'glad', ROW('sad', 3), 'new' FROM app.person;
UPDATE app.person SET mood = 'it''s ok', moods = moods || 'sad'::app."Mood" WHERE id % 97 = 3;
UPDATE app.seen SET n = n + 1;
DELETE FROM app.person WHERE id = (SELECT min(id) FROM app.person);
INSERT INTO app.part (id, k) SELECT max(id) + 1, 1 + (max(id) + 1) % 99 FROM app.part;
UPDATE app.glad SET other = 'sad' WHERE id % 7 = 3;
SQL
}

dump_options=(-N "pgcutover*")

types() { # DATABASE: of the target
    on target "$1" -c "SELECT string_agg(attrelid::regclass || '.' || attname, ',' ORDER BY attrelid::regclass::text, attnum) FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
        WHERE relnamespace = 'app'::regnamespace AND relkind IN ('r', 'p') AND attnum > 0 AND atttypid = 'text'::regtype AND attname <> 'name'"
}
all_text=app.part.mood,app.part_1.mood,app.part_2.mood,app.person.mood,app.person.moods,app.person.score,app.person.home

error_of() { # NAME
    status_of "$1" "SELECT item->>'lastError' FROM output WHERE type = 'DatabaseLevelOutput'"
}

test_copy() {
    fixture copied
    plan copied '[{"name": "copied"}]' '"schema": {"enums": "text"}'
    run --batch "$PGC_DIR/copied.json" --dry-run
    assert_contains "copy: dry run" "$out" "are text until the cutover"
    workload_begin copied "$PGC_DIR/copied.sql" 0.1
    run --batch "$PGC_DIR/copied.json"
    assert_run "copy: ready" 0
    assert_equal "copy: text until then" "$(types copied)" "$all_text"
    assert_contains "copy: what keeps its type" "$(cat "$STATE/copied/log.jsonl")" "app.seen.mood keeps its type: rule _RETURN on view app.v_seen"
    assert_contains "copy: what keeps its type" "$(cat "$STATE/copied/log.jsonl")" "app.glad.mood keeps its type: index app.glad_glad"
    assert_contains "copy: what keeps its type" "$(cat "$STATE/copied/log.jsonl")" "app.glad.other keeps its type: constraint late on table app.glad"
    on source copied -c "ALTER TYPE app.\"Mood\" ADD VALUE 'so so' BEFORE 'glad'"
    on source copied -c "INSERT INTO app.person (id, mood) VALUES (100000, 'so so')"
    kill -9 "$(engine_pid copied)"
    wait_until 10 engine_gone copied
    run resume copied
    assert_run "copy: killed, resumed" 0
    wait_until 60 in_state copied copied READY_TO_COMPLETE || fail "copy: not ready again: $(error_of copied)"
    run_when_ready cutover copied
    assert_run "copy: cutover" 0
    workload_end copied
    assert_equal "copy: no conflict" "$(ls "$STATE/copied/db-0/conflicts.jsonl" 2>/dev/null)" ""
    assert_same_data "copy" source/copied target/copied
    dump_of source copied >"$PGC_DIR/copied.want"
    same_dump "copy" copied "$PGC_DIR/copied.want"
}

# The target's enum lacks labels; a first cutover fails behind the conversion, and the stream goes on into the types.
test_existing() {
    fixture there
    on target postgres -c "CREATE DATABASE there"
    dump_of source there | grep -v "VIEW\|FROM app.seen" | sed "/^ *SELECT seen.mood/d; s/EXECUTE FUNCTION/EXECUTE PROCEDURE/" >"$PGC_DIR/there.dump"
    sed "/AS ENUM/,/);/{/'it''s ok'/d; /'sad'/d}; s/DEFAULT 'sad'::/DEFAULT 'glad'::/; s/'{sad,glad}'/'{glad}'/" "$PGC_DIR/there.dump" | grep -v "OWNER TO" | on target there -o /dev/null || fail "the target's schema"
    assert_equal "existing: labels of the target" "$(on target there -c "SELECT enum_range(NULL::app.\"Mood\")")" "{glad}"
    dump_of target there >"$PGC_DIR/there.before"
    plan keep '[{"name": "there"}]' '"schema": {"mode": "existing"}, "load": {"prepare": "truncate"}'
    run check "$PGC_DIR/keep.json"
    assert_run "existing: labels are missing" 3
    assert_contains "existing: labels are missing" "$out" "enums that differ"
    plan there '[{"name": "there"}]' '"schema": {"mode": "existing", "enums": "text"}, "load": {"prepare": "truncate"}'
    run check "$PGC_DIR/there.json"
    case "$out" in *"enums that differ"*) fail "existing: text: $out" ;; *) pass "existing: text needs no labels" ;; esac
    run --batch "$PGC_DIR/there.json"
    assert_run "existing: a column that keeps its type needs them" 1 "column app.glad.mood cannot be text until the cutover, and its type app.\"Mood\" lacks labels" "ALTER TYPE app.\"Mood\" ADD VALUE IF NOT EXISTS"
    on target there -c "DROP INDEX app.glad_glad"
    dump_of target there >"$PGC_DIR/there.before"
    run resume there
    assert_run "existing: mended, resumed" 0
    wait_until 60 in_state there there READY_TO_COMPLETE || fail "existing: not ready: $(error_of there)"
    assert_equal "existing: text" "$(types there)" "app.glad.mood,app.glad.other,$all_text,app.seen.mood"
    assert_contains "existing: in the journal" "$(cat "$STATE/there/journal.jsonl")" 'ALTER COLUMN mood TYPE app.\"Mood\" USING mood::pg_catalog.text::app.\"Mood\"'
    run cancel there
    assert_run "existing: cancelled" 0
    assert_contains "existing: labels that rows need are added" "$(cat "$STATE/there/log.jsonl")" "labels were added to enums of the target"
    diff <(grep -v "^    '.*'[,]*$" "$PGC_DIR/there.before") <(dump_of target there | grep -v "^    '.*'[,]*$") >"$PGC_DIR/diff" && pass "existing: cancelled: the schema but for labels" || fail "existing: cancelled: $(cat "$PGC_DIR/diff")"
    run delete there

    workload_begin there "$PGC_DIR/there.sql" 0.1
    printf '{"name": "hook"}' >"$PGC_DIR/x"
    plan there '[{"name": "there"}]' '"schema": {"mode": "existing", "enums": "text"}, "load": {"prepare": "truncate"}, "cutover": {"hooks": {"before": "test -e '"$PGC_DIR"'/go"}}'
    run --batch "$PGC_DIR/there.json"
    assert_run "existing: ready" 0
    run_when_ready cutover there
    assert_run "existing: a cutover that fails" 1
    assert_equal "existing: the types are back" "$(types there)" ""
    wait_until 60 in_state there there READY_TO_COMPLETE || fail "existing: not ready behind the failed cutover: $(error_of there)"
    touch "$PGC_DIR/go"
    run_when_ready cutover there
    assert_run "existing: cutover" 0
    workload_end there
    assert_equal "existing: no conflict" "$(cat "$STATE/there/db-0/conflicts.jsonl" 2>/dev/null | head -c 300)" ""
    assert_same_data "existing" source/there target/there
    assert_equal "existing: labels in the source's order" "$(on target there -c "SELECT enum_range(NULL::app.\"Mood\")")" "$(on source there -c "SELECT enum_range(NULL::app.\"Mood\")")"
    diff <(grep -v "^    '.*'[,]*$" "$PGC_DIR/there.before") <(dump_of target there | grep -v "^    '.*'[,]*$") >"$PGC_DIR/diff" && pass "existing: the schema" || fail "existing: $(cat "$PGC_DIR/diff")"
}

for t in ${PGC_TESTS:-copy existing}; do
    "test_$t"
done
