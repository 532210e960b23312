#!/usr/bin/env bash
# The schema step in batch: the script of it before anything runs; the comparison of both schemas; decisions on statements that
# the target refuses; the operator's own statements; roles that others stand for;
# what is taken out of the way on a target that has its schema.
. "$(dirname "$0")/flow_tools.sh"
cluster_start source || exit 1
cluster_start target || exit 1

dump_of() { # CLUSTER DATABASE
    "$PGC_BIN/pg_dump" -s --no-publications -h "$PGC_DIR/$1" -U postgres "$2" | sed '/^\\\(un\)\?restrict /d'
}

# --- the script: psql takes it, and makes the same schema

test_script() {
    on source postgres -c "CREATE DATABASE \"o'dd \"\"name\"" -c "CREATE DATABASE small"
    on source "o'dd \"name" -o /dev/null -f "$flow_tree/tests/servers/schema_fixture.sql" || fail "the fixture"
    on source small -c "CREATE TABLE t (id int PRIMARY KEY)"
    plan script '[{"name": "o'\''dd \"name"}, {"name": "small", "target_database_name": "other"}]'

    run schema "$PGC_DIR/script.json"
    assert_run "without --script" 2 "schema takes --script"
    run schema --script "$PGC_DIR/script.json" --database-name none
    assert_run "of a database that is not in the plan" 2 'no database "none"'
    run schema --script "$PGC_DIR/script.json"
    assert_run "script" 0
    assert_equal "nothing is made on the target" "$(on target postgres -c "SELECT count(*) FROM pg_database WHERE datname IN ('other', 'o''dd \"name')")" 0
    assert_equal "no role is made on the target" "$(on target postgres -c "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'schema_%'")" 0
    case "$out" in *reader-secret* | *SCRAM-SHA*) fail "a password is in the script" ;; *) pass "no password is in the script" ;; esac
    held=$(echo "$out" | sed -n '/HELD BACK until the cutover/,/\\connect/p')
    assert_contains "held back at the end" "$held" "CREATE POLICY"
    assert_contains "held back at the end" "$held" "ENABLE ALWAYS TRIGGER"
    case "$held" in *"-- TABLE "*) fail "a table is held back" ;; *) pass "tables are not held back" ;; esac

    on target postgres -c "CREATE DATABASE \"o'dd \"\"name\"" -c "CREATE DATABASE other"
    on target postgres -o /dev/null <<<"$out" && pass "psql takes it" || fail "psql does not take it"
    for database in "o'dd \"name" small; do
        on_target=$([ "$database" = small ] && echo other || echo "$database")
        if diff <(dump_of source "$database") <(dump_of target "$on_target") >"$PGC_DIR/diff"; then
            pass "$database: the same pg_dump -s"
        else
            fail "$database: pg_dump -s differs: $(head -n 20 "$PGC_DIR/diff")"
        fi
    done
    run schema --compare "$PGC_DIR/script.json"
    assert_run "compared: equal" 0
    assert_contains "compared: equal" "$out" "objects are the same, 0 differ"
    on target other -o /dev/null -c "ALTER TABLE t ADD x int" -c "CREATE TABLE more (id int)" -c "ALTER TABLE t DROP CONSTRAINT t_pkey"
    run schema --compare "$PGC_DIR/script.json" --database-name small
    assert_run "compared: different" 4
    assert_equal "compared: different" "$(echo "$out" | sed 's/: [0-9]* objects/: N objects/')" 'database "small" -> "other": N objects are the same, 3 differ
  missing on the target: CONSTRAINT public.t t_pkey
  only on the target: TABLE public.more
  different: TABLE public.t
      -     id integer NOT NULL
      +     id integer NOT NULL,
      +     x integer'
    run schema --compare "$PGC_DIR/script.json" --database-name small --json
    assert_equal "compared: as JSON" "$(echo "$out" >"$PGC_DIR/json"; on target postgres <<<"\\set text \`cat $PGC_DIR/json\`
SELECT string_agg(concat_ws(' ', d->>'difference', d->>'object'), ',') FROM json_array_elements(:'text'::json) d;")" "missing CONSTRAINT public.t t_pkey,extra TABLE public.more,different TABLE public.t"
    run schema --script "$PGC_DIR/script.json" --database-name small
    assert_run "of one database" 0
    case "$out" in *'\connect'*) fail "one database needs no connect" ;; *) pass "one database needs no connect" ;; esac
    plan there '[{"name": "small"}]' '"schema": {"mode": "existing"}'
    run schema --script "$PGC_DIR/there.json"
    assert_run "of a plan that makes none" 2 'schema.mode is "existing"'
}

# --- statements that the target refuses: stop, edit, skip, or leave them out by themselves

make_refused() { # DATABASE: a view that the target refuses, an index whose function finds its helper no more, orphans
    on source postgres -c "CREATE DATABASE $1"
    on target postgres -c "CREATE DATABASE $1"
    on source "$1" -o /dev/null <<'SQL'
CREATE SCHEMA app;
CREATE TABLE app.ok (id int PRIMARY KEY, n int, t text);
INSERT INTO app.ok SELECT i, i % 7, 't' || i FROM generate_series(1, 500) i;
CREATE TABLE app.part (id int PRIMARY KEY, ok int REFERENCES app.ok);
SET session_replication_role = replica;
INSERT INTO app.part SELECT i, i + 300 FROM generate_series(1, 300) i;
RESET session_replication_role;
CREATE FUNCTION app.helper(i int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT i / 2';
CREATE FUNCTION app.half(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN helper(i); END';
SET search_path = app;
CREATE INDEX ok_half ON app.ok (app.half(n));
RESET search_path;
CREATE INDEX ok_n ON app.ok (n);
CREATE VIEW app.bad AS SELECT n FROM app.ok WHERE t <> 'refused';
CREATE VIEW app.on_bad AS SELECT n FROM app.bad;
CREATE MATERIALIZED VIEW app.filled AS SELECT n FROM app.bad;
CREATE VIEW app.good AS SELECT n FROM app.ok;
SQL
    guard_refuses target "$1" "object_type = 'view' AND pg_get_viewdef(objid) ~ 'refused' OR object_identity = 'app.never'"
}

decisions_of() { # NAME: "OBJECT state decision SQLSTATE" lines
    status_of "$1" "SELECT concat_ws(' ', d->>'object', d->>'state', d->>'decision', d->>'sqlstate')
        FROM output, json_array_elements(item->'schemaDecisions') d WHERE type = 'DatabaseLevelOutput'"
}

error_of() { # NAME
    status_of "$1" "SELECT item->>'lastError' FROM output WHERE type = 'DatabaseLevelOutput'"
}

says() { # NAME PART
    case "$(error_of "$1")" in *"$2"*) return 0 ;; *) return 1 ;; esac
}

test_decisions() {
    make_refused edits
    plan edits '[{"name": "edits"}]'
    run --batch "$PGC_DIR/edits.json"
    assert_run "refused" 1 "target $PGC_DIR/target" "could not apply VIEW app.bad: the guard says no (0A000)" \
        "2 objects that depend on these were not tried: MATERIALIZED VIEW app.filled, VIEW app.on_bad" schema.edits
    assert_equal "refused: its state" "$(decisions_of edits)" "VIEW app.bad failed 0A000"
    assert_equal "refused: what does not depend on it is there" "$(on target edits -c "SELECT 'app.good'::regclass")" app.good

    # Decided in the plan, while it stands still.
    plan edits '[{"name": "edits"}]' '"schema": {"edits": [{"object": "FUNCTION app.half(i int)", "skip": true}]}'
    run resume edits
    assert_run "an edit that names nothing: resumed" 0
    wait_until 20 says edits 'no statement of the schema is called \"FUNCTION app.half(i int)\"' && pass "an edit that names nothing is told" || fail "an edit that names nothing: $(error_of edits)"
    says edits 'There is: FUNCTION app.half(integer)' && pass "what is like it is told" || fail "what is like it: $(error_of edits)"
    plan edits '[{"name": "edits"}]' '"schema": {"edits": [{"object": "VIEW app.bad"}]}'
    run resume edits
    assert_run "an edit that says nothing" 2 'schema.edits[0] must have "sql", or "skip": true'
    plan edits '[{"name": "edits"}]' '"schema": {"edits": [
        {"object": "VIEW app.bad", "sql": "CREATE VIEW app.bad AS SELECT n FROM app.ok -- mine"}, {"object": "INDEX app.ok_half", "skip": true}]}'
    run schema --script "$PGC_DIR/edits.json"
    assert_contains "the script has the edit" "$out" "EDITED by the plan"
    assert_contains "the script has what is left out" "$out" "LEFT OUT by the plan"
    run resume edits
    assert_run "edited: resumed" 0
    wait_until 30 says edits "could not apply FK CONSTRAINT app.part part_ok_fkey" && pass "the foreign key is refused" || fail "the foreign key: $(error_of edits)"
    assert_equal "edited: states" "$(decisions_of edits)" "VIEW app.bad applied edit
INDEX app.ok_half skipped skip
FK CONSTRAINT app.part part_ok_fkey failed 23503"
    plan edits '[{"name": "edits"}]' '"schema": {"edits": [
        {"object": "VIEW app.bad", "sql": "CREATE VIEW app.bad AS SELECT n FROM app.ok -- mine"}, {"object": "INDEX app.ok_half", "skip": true},
        {"object": "FK CONSTRAINT app.part part_ok_fkey", "sql": "ALTER TABLE app.part ADD CONSTRAINT mine FOREIGN KEY (ok) REFERENCES app.ok NOT VALID"}]}'
    on target edits -c "ALTER TABLE app.part DROP CONSTRAINT IF EXISTS part_ok_fkey"
    run resume edits
    assert_run "the foreign key edited: resumed" 0
    wait_until 60 in_state edits edits READY_TO_COMPLETE || fail "edits: not ready: $(error_of edits)"
    kill -9 "$(engine_pid edits)"
    wait_until 10 engine_gone edits
    run resume edits
    assert_run "edits: the engine was killed, resumed" 0
    wait_until 30 in_state edits edits READY_TO_COMPLETE || fail "edits: not ready again"
    assert_equal "edits: what was decided is still told" "$(decisions_of edits | wc -l)" 3
    run cutover edits
    assert_run "edits: cutover" 0
    assert_equal "edits: for good" "$(decisions_of edits)" "VIEW app.bad applied edit
INDEX app.ok_half skipped skip
FK CONSTRAINT app.part part_ok_fkey applied edit"
    assert_equal "edits: counted" "$(status_of edits "SELECT item#>>'{schemaStatements,skipped}', item#>>'{schemaStatements,edited}', item#>>'{schemaStatements,failed}' FROM output WHERE type = 'DatabaseLevelOutput'")" "1|2|0"
    assert_equal "edits: on the target" "$(on target edits -c "SELECT pg_get_viewdef('app.bad') ~ 'refused', to_regclass('app.ok_half'), (SELECT string_agg(conname || ' ' || convalidated, ',') FROM pg_constraint WHERE contype = 'f')")" "f||mine false"
    assert_contains "edits: in the log" "$(cat "$STATE/edits/log.jsonl")" "INDEX app.ok_half: left out"
    assert_equal "edits: compared by itself, with the decisions" "$(status_of edits "SELECT c->>'by', c->>'unexplained', (SELECT string_agg(concat_ws(' ', d->>'difference', d->>'object', d->>'decision'), ',') FROM json_array_elements(c->'list') d)
        FROM (SELECT item->'schemaComparison' AS c FROM output WHERE type = 'DatabaseLevelOutput') x")" "pg_dump|1|extra FK CONSTRAINT app.part mine,missing FK CONSTRAINT app.part part_ok_fkey edit,missing INDEX app.ok_half skip,different VIEW app.bad edit"
    run report edits
    assert_contains "edits: in the report" "$out" "4 differ, of which 1 were not decided on"
    assert_contains "edits: in the report" "$out" "different  VIEW app.bad: edit"
    run schema --compare "$PGC_DIR/edits.json"
    assert_run "edits: compared" 4
    assert_equal "edits: compared" "$(echo "$out" | sed 1d)" '  only on the target: FK CONSTRAINT app.part mine
  missing on the target: FK CONSTRAINT app.part part_ok_fkey (edited by the plan)
  missing on the target: INDEX app.ok_half (left out by the plan)
  different: VIEW app.bad (edited by the plan)
      -    FROM app.ok
      -   WHERE (ok.t <> '"'refused'"'::text);
      +    FROM app.ok;'
    run status edits
    assert_contains "edits: status" "$out" "INDEX app.ok_half skipped: left out by the plan"
    assert_contains "edits: status: compared" "$out" "objects are the same, 4 differ"
    assert_contains "edits: status: compared" "$out" "schemas: FK CONSTRAINT app.part mine: extra"
}

# --- classes of refusal, and the decisions on them: an extension and a role that are missing, something that is there already

test_classes() {
    on source postgres -c "CREATE DATABASE classes" -c "CREATE ROLE only_there"
    on target postgres -c "CREATE DATABASE classes"
    on source classes -o /dev/null <<'SQL'
CREATE TABLE t (id int PRIMARY KEY, n int);
INSERT INTO t SELECT i, i FROM generate_series(1, 20) i;
CREATE FUNCTION body() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
UPDATE pg_proc SET prosrc = 'no such body' WHERE proname = 'body'; -- bodies are not checked while the schema is made
CREATE FUNCTION tied() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE VIEW owned AS SELECT n FROM t;
ALTER VIEW owned OWNER TO only_there;
CREATE VIEW on_body AS SELECT body() AS b;
SQL
    # An extension that the target's host does not have.
    on source classes -o /dev/null -c "CREATE EXTENSION citext" -c "UPDATE pg_extension SET extname = 'not_there' WHERE extname = 'citext'"
    # Something that is there already: a member of an extension does not count when the target is looked at.
    on target classes -o /dev/null -c "CREATE FUNCTION tied() RETURNS int LANGUAGE sql AS 'SELECT 2'" -c "ALTER EXTENSION plpgsql ADD FUNCTION tied()"
    plan classes '[{"name": "classes"}]' '"schema": {"roles": false}, "waive": ["owners", "ext-list"]'
    run --batch "$PGC_DIR/classes.json"
    assert_run "classes: refused" 1
    assert_equal "classes: what was refused" "$(decisions_of classes | grep failed | sort)" "EXTENSION not_there failed 0A000
FUNCTION public.tied() failed 42723
VIEW public.owned failed 42704"
    plan classes '[{"name": "classes"}]' '"waive": ["owners", "ext-list"], "schema": {"roles": false, "edits": [{"object": "EXTENSION not_there", "skip": true},
        {"object": "FUNCTION public.tied()", "sql": "CREATE OR REPLACE FUNCTION public.tied() RETURNS int LANGUAGE sql AS $$SELECT 1$$"},
        {"object": "VIEW public.owned", "sql": "CREATE VIEW public.owned AS SELECT n FROM public.t"}]}'
    run resume classes
    assert_run "classes: decided, resumed" 0
    wait_until 20 in_state classes classes READY_TO_COMPLETE || fail "classes: $(error_of classes)"
    run_when_ready cutover classes
    assert_run "classes: cutover" 0
    assert_equal "classes: compared, each is explained" "$(status_of classes "SELECT string_agg(concat_ws(' ', d->>'object', d->>'decision'), ',' ORDER BY d->>'object') FROM output, json_array_elements(item#>'{schemaComparison,list}') d WHERE type = 'DatabaseLevelOutput'")" "COMMENT EXTENSION not_there skip,EXTENSION not_there skip,FUNCTION public.tied() edit,VIEW public.owned edit"
    assert_equal "classes: a body that no server takes comes along as it is" "$(on target classes -c "SELECT prosrc FROM pg_proc WHERE proname = 'body'")" "no such body"
}

test_skip() {
    make_refused skips
    plan skips '[{"name": "skips"}]' '"schema": {"onError": "skip-and-report"}'
    run --batch "$PGC_DIR/skips.json" --until done
    assert_run "skip-and-report" 0
    assert_equal "skip-and-report: what was left out" "$(decisions_of skips | sort)" "FK CONSTRAINT app.part part_ok_fkey skipped on-error 23503
INDEX app.ok_half skipped on-error 42883
MATERIALIZED VIEW app.filled skipped on-error
VIEW app.bad skipped on-error 0A000
VIEW app.on_bad skipped on-error"
    assert_equal "skip-and-report: compared by itself: each is explained" "$(status_of skips "SELECT c->>'different', c->>'unexplained' FROM (SELECT item->'schemaComparison' AS c FROM output WHERE type = 'DatabaseLevelOutput') x")" "5|0"
    assert_equal "skip-and-report: the rest is there" "$(on target skips -c "SELECT to_regclass('app.good'), to_regclass('app.ok_n'), count(*) FROM app.part")" "app.good|app.ok_n|300"

    # What holds rows is not left out.
    on target skips -o /dev/null -c "SET client_min_messages = warning" -c "DROP SCHEMA app CASCADE"
    PGOPTIONS="-c default_transaction_read_only=off" on source skips -c "CREATE TABLE app.never (id int PRIMARY KEY)"
    plan never '[{"name": "skips"}]' '"schema": {"onError": "skip-and-report"}'
    run --batch "$PGC_DIR/never.json" --until schema
    assert_run "a table that is refused" 1 "could not apply TABLE app.never: the guard says no (0A000)"
}

# --- the operator's own statements between schema and load

test_after() {
    on source postgres -c "CREATE DATABASE extra"
    on source extra -c "CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t SELECT i, i FROM generate_series(1, 100) i"
    plan extra '[{"name": "extra"}]' '"schema": {"afterSchemaSql": "no such.sql"}'
    run check "$PGC_DIR/extra.json"
    assert_equal "a file that is not there: exit code" "$status" 3
    assert_contains "a file that is not there" "$out" "no such.sql"
    plan extra '[{"name": "extra"}]' '"schema": {"afterSchemaSql": "extra.sql"}'
    printf 'CREATE TABLE seen AS SELECT count(*) AS rows FROM t;\nCREATE TABLE wrong (id no_such_type)' >"$PGC_DIR/extra.sql"
    (cd / && run schema --script "$PGC_DIR/extra.json"; [ "$status" = 0 ] && echo "$out" | grep -q "CREATE TABLE seen") && pass "it is in the script" || fail "it is not in the script"
    run --batch "$PGC_DIR/extra.json"
    assert_run "it fails" 1 'could not apply SQL schema.afterSchemaSql: type "no_such_type" does not exist (42704), line 2, character 24'
    assert_equal "all or nothing" "$(on target extra -c "SELECT to_regclass('public.seen'), to_regclass('public.t')")" "|t"
    echo 'CREATE TABLE seen AS SELECT count(*) AS rows FROM t -- mended' >"$PGC_DIR/extra.sql"
    run resume extra
    assert_run "mended: resumed" 0
    wait_until 60 in_state extra extra READY_TO_COMPLETE || fail "extra: not ready: $(error_of extra)"
    assert_equal "it ran once, before any row" "$(on target extra -c "SELECT s.rows, (SELECT count(*) FROM t) FROM seen s")" "0|100"
    run cancel extra
    assert_run "cancelled" 0

    # On tables that are there already; left out where it is refused.
    on target extra -c "TRUNCATE t; DROP TABLE seen"
    plan there '[{"name": "extra"}]' '"schema": {"mode": "existing", "onError": "skip-and-report", "afterSchemaSql": "SELECT 1 / count(*) FROM t"}'
    run --batch "$PGC_DIR/there.json"
    assert_run "existing" 0
    assert_equal "existing: left out" "$(decisions_of there)" "SQL schema.afterSchemaSql skipped on-error 22012"
    run cancel there
    assert_run "existing: cancelled" 0
}

# --- roles that others stand for

test_roles() {
    on source postgres -c "CREATE ROLE old_owner" -c "CREATE ROLE \"Old Reader\"" -c "CREATE ROLE kept" -c "CREATE DATABASE owned OWNER old_owner"
    on target postgres -c "CREATE ROLE new_owner"
    on source owned -o /dev/null <<'SQL'
CREATE SCHEMA app AUTHORIZATION old_owner;
SET ROLE old_owner;
CREATE TABLE app.t (id int PRIMARY KEY, old_owner text);
INSERT INTO app.t SELECT i, 'x' FROM generate_series(1, 10) i;
CREATE FUNCTION app.f() RETURNS text LANGUAGE sql AS $$SELECT 'OWNER TO old_owner;'$$;
CREATE POLICY p ON app.t FOR SELECT TO "Old Reader", kept USING (old_owner <> 'GRANT x TO old_owner');
ALTER TABLE app.t ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON app.t TO "Old Reader" WITH GRANT OPTION;
GRANT USAGE ON SCHEMA app TO "Old Reader", kept;
ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO "Old Reader";
SET ROLE "Old Reader";
GRANT SELECT ON app.t TO kept;
SQL
    plan owned '[{"name": "owned"}]' "\"schema\": {\"roleMap\": {\"old_owner\": \"new_owner\", \"Old Reader\": \"new 'reader'\"}}"
    run check "$PGC_DIR/owned.json"
    assert_equal "a role that is to stand for another is missing: exit code" "$status" 3
    assert_contains "a role that is to stand for another is missing" "$out" "roles that schema.roleMap names do not exist: \"new 'reader'\""
    on target postgres -c "CREATE ROLE \"new 'reader'\""
    run --batch "$PGC_DIR/owned.json"
    assert_run "role map: ready" 0
    on source owned -o /dev/null <<'SQL'
CREATE TABLE app.later (id int PRIMARY KEY);
ALTER TABLE app.later OWNER TO old_owner;
INSERT INTO app.later VALUES (1);
CREATE TYPE app.later_type AS ENUM ('a');
ALTER TYPE app.later_type OWNER TO old_owner;
SQL
    is_there() { [ "$(on target owned -c "SELECT count(*) FROM app.later" 2>/dev/null)" = 1 ]; }
    wait_until 30 is_there || fail "role map: a table that is made later"
    run_when_ready cutover owned
    assert_run "role map" 0
    assert_equal "role map: no other roles are made" "$(on target postgres -c "SELECT string_agg(rolname, ',') FROM pg_roles WHERE rolname IN ('old_owner', 'Old Reader', 'kept')")" kept
    cat >"$PGC_DIR/roles.sed" <<'SED'
s/Owner: old_owner/Owner: new_owner/
s/OWNER TO old_owner;$/OWNER TO new_owner;/
s/FOR ROLE old_owner /FOR ROLE new_owner /
s/"Old Reader"/"new 'reader'"/
SED
    dump_of source owned | sed -f "$PGC_DIR/roles.sed" | sort >"$PGC_DIR/roles.want"
    if diff "$PGC_DIR/roles.want" <(dump_of target owned | sort) >"$PGC_DIR/diff"; then
        pass "role map: the same pg_dump -s but for the roles"
    else
        fail "role map: pg_dump -s differs: $(cat "$PGC_DIR/diff")"
    fi
}

# --- a schema that is there: what stands in the way is taken out, and put back as it was

make_existing() { # DATABASE
    on source postgres -c "CREATE DATABASE $1"
    on source "$1" -o /dev/null <<'SQL'
CREATE TABLE log (id bigserial PRIMARY KEY, what text);
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE t (id int PRIMARY KEY, n int REFERENCES parent, "T x" text);
CREATE TABLE part (id int, k int, PRIMARY KEY (id, k)) PARTITION BY RANGE (k);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (100);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO log (what) VALUES (TG_NAME || ' ' || TG_TABLE_NAME || ' ' || NEW.id); RETURN NEW; END$$;
CREATE TRIGGER always AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION note();
ALTER TABLE t ENABLE ALWAYS TRIGGER always;
CREATE TRIGGER "Only origin" AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER off AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION note();
ALTER TABLE t DISABLE TRIGGER off;
CREATE TRIGGER replica AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION note();
ALTER TABLE t ENABLE REPLICA TRIGGER replica;
CREATE TRIGGER of_parts AFTER INSERT ON part FOR EACH ROW EXECUTE FUNCTION note();
ALTER TABLE part ENABLE ALWAYS TRIGGER of_parts;
ALTER TABLE part_1 ENABLE ALWAYS TRIGGER of_parts;
CREATE RULE "Seen" AS ON INSERT TO parent WHERE NEW.id < 0 DO ALSO INSERT INTO log (what) VALUES ('rule');
ALTER TABLE parent ENABLE ALWAYS RULE "Seen";
CREATE INDEX t_n ON t (n) WHERE n > 3;
CREATE INDEX "T x" ON t ("T x" text_pattern_ops DESC, (n + 1)) WITH (fillfactor = 70);
CREATE UNIQUE INDEX t_both ON t (id, n);
CREATE INDEX t_said ON t (n, id);
COMMENT ON INDEX t_said IS 'has a comment';
INSERT INTO parent SELECT i FROM generate_series(1, 50) i;
INSERT INTO t SELECT i, 1 + i % 50, 't' || i FROM generate_series(1, 300) i;
INSERT INTO part SELECT i, i % 100 FROM generate_series(1, 100) i;
SQL
    on target postgres -c "CREATE DATABASE $1"
    "$PGC_BIN/pg_dump" -s -h "$PGC_DIR/source" -U postgres "$1" | on target "$1" -o /dev/null
}

same_as_before() { # WHAT DATABASE
    if diff "$PGC_DIR/$2.before" <(dump_of target "$2") >"$PGC_DIR/diff"; then
        pass "$1: the target's schema is what it was"
    else
        fail "$1: the target's schema: $(cat "$PGC_DIR/diff")"
    fi
}

test_existing() {
    plan copies '[{"name": "there"}]' '"schema": {"indexes": "rebuild"}'
    run check "$PGC_DIR/copies.json"
    assert_run "rebuild without a schema that is there" 2 'schema.indexes "rebuild" is for schema.mode "existing"'
    make_existing there
    dump_of target there >"$PGC_DIR/there.before"
    plan put '[{"name": "there"}]' '"schema": {"mode": "existing", "indexes": "rebuild"}, "load": {"prepare": "truncate"}'
    run --batch "$PGC_DIR/put.json" --dry-run
    assert_run "existing: dry run" 0
    assert_contains "existing: dry run" "$out" "indexes that nothing needs meanwhile are dropped"
    run --batch "$PGC_DIR/put.json" --until schema
    assert_run "existing: schema" 0
    assert_equal "existing: taken out" "$(on target there -c "SELECT string_agg(i, ',' ORDER BY i) FROM (SELECT indexrelid::regclass::text AS i FROM pg_index WHERE indrelid = 't'::regclass) x")|$(on target there -c "SELECT string_agg(tgname || tgenabled::text, ',' ORDER BY tgname) FROM pg_trigger WHERE NOT tgisinternal AND tgrelid = 't'::regclass")|$(on target there -c "SELECT ev_enabled FROM pg_rewrite WHERE rulename = 'Seen'")" "t_both,t_pkey,t_said|Only originO,alwaysD,offD,replicaD|D"
    assert_equal "existing: in the journal" "$(lines_of "$STATE/put/journal.jsonl" "SELECT string_agg(doc->>'kind' || ': ' || (doc->>'previous'), E'\n' ORDER BY doc->>'name') FROM lines WHERE doc->>'kind' IN ('index', 'rule')")" 'rule: ALTER TABLE public.parent ENABLE ALWAYS RULE "Seen"
index: CREATE INDEX "T x" ON public.t USING btree ("T x" text_pattern_ops DESC, ((n + 1))) WITH (fillfactor='"'70'"')
index: CREATE INDEX t_n ON public.t USING btree (n) WHERE (n > 3)'
    assert_contains "existing: in the script" "$(cat "$STATE/put/db-0/put-back.sql")" "ALTER TABLE ONLY public.t ENABLE REPLICA TRIGGER replica;"

    run cancel put
    assert_run "existing: cancelled" 0
    same_as_before "existing, cancelled" there
    run delete put
    assert_run "existing: deleted" 0

    run --batch "$PGC_DIR/put.json"
    assert_run "existing: ready" 0
    on source there -c "INSERT INTO t SELECT i, 5, 'later' FROM generate_series(301, 320) i; INSERT INTO part VALUES (1000, 7)" -o /dev/null
    assert_equal "existing: indexes are there again" "$(on target there -c "SELECT to_regclass('t_n'), to_regclass('\"T x\"')")" 't_n|"T x"'
    kill -9 "$(engine_pid put)"
    wait_until 10 engine_gone put
    run resume put
    assert_run "existing: the engine was killed, resumed" 0
    wait_until 30 in_state put there READY_TO_COMPLETE || fail "existing: not ready again"
    run cutover put
    assert_run "existing: cutover" 0
    same_as_before "existing, cut over" there
    assert_equal "existing: nothing fired for rows that had fired before" "$(on target there -c "SELECT count(*), min(id), max(id) FROM log")" "$(on source there -c "SELECT count(*), min(id), max(id) FROM log")"
    assert_equal "existing: triggers fire again" "$(on target there -c "INSERT INTO t VALUES (5000, 5); SELECT string_agg(what, ',' ORDER BY what) FROM log WHERE what LIKE '% 5000'")" "Only origin t 5000,always t 5000"
}

for t in ${PGC_TESTS:-script decisions classes skip after roles existing}; do
    "test_$t"
done
