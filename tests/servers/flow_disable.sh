#!/usr/bin/env bash
# Foreign keys and triggers that are out of the way until the cutover (schema.foreignKeys, schema.triggers "disable"), for a role of the
# target that may not set session_replication_role: in both modes, while changes stream; put back exactly, also where the migration
# is cancelled or killed; rows without partner are found before anything is frozen.
. "$(dirname "$0")/flow_tools.sh"
# Other versions: PGC_SOURCE_BIN, PGC_TARGET_BIN.
PGC_BIN=${PGC_SOURCE_BIN:-$PGC_BIN} cluster_start source || exit 1
PGC_BIN=${PGC_TARGET_BIN:-$PGC_BIN} cluster_start target || exit 1
on target postgres -c "CREATE ROLE plain LOGIN CREATEDB CREATEROLE"

disabled='"foreignKeys": "disable", "triggers": "disable"'

plain_plan() { # NAME DATABASES MORE: the target's role is no superuser
    plan "$@"
    sed -i '/"target"/s/"userName": "postgres"/"userName": "plain"/' "$PGC_DIR/$1.json"
}

fixture() { # DATABASE
    on source postgres -c "CREATE DATABASE $1"
    on source "$1" -o /dev/null <<'SQL'
CREATE TABLE log (id bigserial PRIMARY KEY, what text);
CREATE TABLE parent (id int PRIMARY KEY, best int);
CREATE TABLE "Child" (id int PRIMARY KEY, parent int CONSTRAINT "Of parent" REFERENCES parent ON DELETE CASCADE DEFERRABLE, note text);
COMMENT ON CONSTRAINT "Of parent" ON "Child" IS 'it''s a comment';
ALTER TABLE parent ADD CONSTRAINT best FOREIGN KEY (best) REFERENCES "Child" ON DELETE SET NULL;
CREATE TABLE stray (id int PRIMARY KEY, parent int);
INSERT INTO stray VALUES (1, 4711);
ALTER TABLE stray ADD CONSTRAINT never_valid FOREIGN KEY (parent) REFERENCES parent NOT VALID;
CREATE TABLE aside (id int PRIMARY KEY, parent int REFERENCES parent); -- not picked
CREATE TABLE part (id int, k int, parent int REFERENCES parent, PRIMARY KEY (id, k)) PARTITION BY RANGE (k);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (100);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO public.log (what) VALUES (TG_NAME || ' ' || TG_TABLE_NAME || ' ' || coalesce(NEW.id, OLD.id)); RETURN NULL; END$$;
CREATE TRIGGER origin AFTER INSERT OR DELETE ON "Child" FOR EACH ROW EXECUTE PROCEDURE note();
CREATE TRIGGER always AFTER INSERT ON "Child" FOR EACH ROW EXECUTE PROCEDURE note();
ALTER TABLE "Child" ENABLE ALWAYS TRIGGER always;
CREATE TRIGGER replica AFTER INSERT ON "Child" FOR EACH ROW EXECUTE PROCEDURE note();
ALTER TABLE "Child" ENABLE REPLICA TRIGGER replica;
CREATE TRIGGER off AFTER INSERT ON "Child" FOR EACH ROW EXECUTE PROCEDURE note();
ALTER TABLE "Child" DISABLE TRIGGER off;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON parent DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE PROCEDURE note();
CREATE TRIGGER of_parts AFTER INSERT ON part FOR EACH ROW EXECUTE PROCEDURE note();
CREATE RULE seen AS ON INSERT TO parent DO ALSO INSERT INTO log (what) VALUES ('rule ' || NEW.id);
CREATE RULE off AS ON DELETE TO parent DO ALSO INSERT INTO log (what) VALUES ('off ' || OLD.id);
ALTER TABLE parent DISABLE RULE off;
CREATE VIEW children AS SELECT id, note FROM "Child";
CREATE RULE of_view AS ON INSERT TO children DO INSTEAD NOTHING;
INSERT INTO parent SELECT i FROM generate_series(1, 50) i;
INSERT INTO "Child" SELECT i, 1 + i % 50, 'c' || i FROM generate_series(1, 500) i;
UPDATE parent SET best = id;
INSERT INTO aside SELECT i, i FROM generate_series(1, 20) i;
INSERT INTO part SELECT i, i % 100, 1 + i % 50 FROM generate_series(1, 100) i;
SQL
    cat >"$PGC_DIR/$1.sql" <<'SQL'
INSERT INTO "Child" SELECT max(id) + 1, 1, 'new' FROM "Child";
INSERT INTO parent SELECT max(id) + 1, (SELECT max(id) FROM "Child") FROM parent;
UPDATE "Child" SET parent = (SELECT max(id) FROM parent) WHERE id % 97 = 5;
DELETE FROM parent WHERE id = (SELECT min(id) FROM parent WHERE id > 20 AND id NOT IN (SELECT parent FROM part)); -- cascades, sets null
INSERT INTO part SELECT max(id) + 1, 7, 3 FROM part;
SQL
}

make_target() { # DATABASE: by somebody's pg_dump -s; plain owns it
    on target postgres -c "CREATE DATABASE $1 OWNER plain"
    on target "$1" -c "ALTER SCHEMA public OWNER TO plain"
    "$PGC_TOOLS/pg_dump" -s -O -h "$PGC_DIR/source" -U postgres "$1" | sed 's/EXECUTE FUNCTION/EXECUTE PROCEDURE/' |
        psql -X -q -o /dev/null -U plain -h "$PGC_DIR/target" -d "$1" 2>"$PGC_DIR/made"
    grep ERROR "$PGC_DIR/made" | grep -v "schema \"public\"\|parameter" && fail "the target's schema"
}


dump_options=(-O)

what_acts() { # DATABASE: on the target
    on target "$1" -c "SELECT string_agg(x, ',' ORDER BY x) FROM (SELECT conname::text AS x FROM pg_constraint WHERE contype = 'f'
        UNION ALL SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D' AND tgrelid <> 'part'::regclass -- a part's own fire
        UNION ALL SELECT rulename FROM pg_rewrite WHERE rulename <> '_RETURN' AND ev_enabled <> 'D' AND ev_class >= 16384) x"
}

error_of() { # NAME
    status_of "$1" "SELECT item->>'lastError' FROM output WHERE type = 'DatabaseLevelOutput'"
}

moved() { # NAME DATABASE
    run_when_ready cutover "$1"
    assert_run "$1: cutover" 0
    workload_end "$2"
    diff <(digest_database source "$2" | grep -v '^public.aside ' | sort) <(digest_database target "$2" | grep -v '^public.aside ' | sed 's/^other\.strays /public.stray /' | sort) &&
        pass "$1: contents" || fail "$1: contents differ"
    assert_equal "$1: nothing fired for rows that had fired before" "$(on target "$2" -c "SELECT count(*), max(id) FROM log")" "$(on source "$2" -c "SELECT count(*), max(id) FROM log")"
    assert_equal "$1: triggers and rules act" "$(on target "$2" -c "INSERT INTO parent VALUES (9000); INSERT INTO \"Child\" VALUES (9000, 9000, 'x')" -c "SELECT string_agg(what, ',' ORDER BY what COLLATE \"C\") FROM log WHERE what LIKE '% 9000'")" "always Child 9000,late parent 9000,origin Child 9000,rule 9000"
    on target "$2" -c "INSERT INTO \"Child\" VALUES (9001, 424242, 'x')" 2>/dev/null && fail "$1: a foreign key does not act" || pass "$1: foreign keys act"
}

# --- a schema that is there

test_existing() {
    fixture there
    make_target there
    dump_of target there >"$PGC_DIR/there.before"
    plain_plan without '[{"name": "there"}]' '"schema": {"mode": "existing", "foreignKeys": "disable"}, "load": {"prepare": "truncate"}'
    run check "$PGC_DIR/without.json"
    assert_run "one of both alone" 3
    assert_contains "one of both alone" "$out" "may not set session_replication_role"
    plain_plan there "[{\"name\": \"there\", \"excludedTables\": [\"public.aside\"]}]" "\"schema\": {\"mode\": \"existing\", $disabled}, \"load\": {\"prepare\": \"truncate\"}"
    run --batch "$PGC_DIR/there.json" --dry-run
    assert_contains "dry run" "$out" "foreign keys from and to them are dropped"
    run --batch "$PGC_DIR/there.json" --until schema
    assert_run "until schema" 0
    assert_equal "taken out" "$(what_acts there)" "of_view"
    assert_equal "in the journal before" "$(lines_of "$STATE/there/journal.jsonl" "SELECT count(*) FROM lines WHERE doc->>'kind' = 'foreign-key' AND doc->>'previous' LIKE 'ALTER TABLE%FOREIGN KEY%'")" 5
    assert_contains "in the script" "$(cat "$STATE/there/db-0/put-back.sql")" "COMMENT ON CONSTRAINT \"Of parent\" ON public.\"Child\" IS 'it''s a comment'"
    run cancel there
    assert_run "cancelled" 0
    same_dump "cancelled" there "$PGC_DIR/there.before"
    run delete there

    # The script alone puts it back as well.
    run --batch "$PGC_DIR/there.json" --until schema
    cp "$STATE/there/db-0/put-back.sql" "$PGC_DIR/put-back.sql"
    on target there -o /dev/null -f "$PGC_DIR/put-back.sql" && pass "psql takes the script" || fail "psql does not take the script"
    run cancel there
    assert_run "cancelled behind the script" 0
    same_dump "put back by the script" there "$PGC_DIR/there.before"
    run delete there

    workload_begin there "$PGC_DIR/there.sql" 0.1
    run --batch "$PGC_DIR/there.json"
    assert_run "ready" 0
    kill -9 "$(engine_pid there)"
    wait_until 10 engine_gone there
    run resume there
    assert_run "killed, resumed" 0
    wait_until 60 in_state there there READY_TO_COMPLETE || fail "not ready again: $(error_of there)"
    assert_equal "still out of the way" "$(what_acts there)" "of_view"
    moved there there
    same_dump "cut over" there "$PGC_DIR/there.before"
}

# --- cancelled with rows that lack their partners: nothing is lost

test_half() {
    fixture half
    make_target half
    plain_plan half '[{"name": "half", "selectedTables": ["public.\"Child\""]}]' "\"schema\": {\"mode\": \"existing\", $disabled}, \"waive\": [\"fk-outside\"]"
    run --batch "$PGC_DIR/half.json"
    assert_run "half: ready" 0
    run cancel half
    assert_run "half: cancelled" 0
    assert_equal "half: every key is there, those that fit validated" "$(on target half -c "SELECT string_agg(conname || ' ' || convalidated, ',' ORDER BY conname) FROM pg_constraint WHERE contype = 'f' AND conname IN ('Of parent', 'best')")" "Of parent false,best true"
    assert_contains "half: told" "$(cat "$STATE/half/log.jsonl")" "was put back NOT VALID"
}

# --- copied

test_copy() {
    fixture copied
    on target postgres -c "CREATE DATABASE copied OWNER plain"
    # Before 15 it is the superuser's.
    [ "$(on target postgres -c 'SHOW server_version_num')" -ge 150000 ] || on target copied -c "ALTER SCHEMA public OWNER TO plain"
    plain_plan copied '[{"name": "copied", "tableMappings": [{"table": "public.stray", "to": "other.strays"}]}]' "\"schema\": {\"roleMap\": {\"postgres\": \"plain\"}, $disabled}"
    run schema --script "$PGC_DIR/copied.json"
    assert_contains "copy: the script" "$(echo "$out" | sed -n '/behind all else/,$p')" "ADD CONSTRAINT \"Of parent\" FOREIGN KEY"
    assert_contains "copy: the script" "$(echo "$out" | sed -n '/HELD BACK until/,$p')" "CREATE TRIGGER origin"
    workload_begin copied "$PGC_DIR/copied.sql" 0.1
    run --batch "$PGC_DIR/copied.json"
    assert_run "copy: ready" 0
    assert_equal "copy: nothing acts" "$(what_acts copied)" "of_view"

    # Rows without partner, which the source's key does not know of.
    on source copied -c "SET session_replication_role = replica; INSERT INTO part VALUES (100000, 5, 31337), (100001, 5, 31338)"
    run_when_ready cutover copied
    assert_run "copy: rows without partner" 1 "rows have no partner" "part part_parent_fkey: 2 rows have no partner, the first: (31337), (31338)"
    assert_equal "copy: nothing was frozen" "$(on source copied -c "SHOW default_transaction_read_only")" off
    on source copied -c "DELETE FROM part WHERE id >= 100000"
    moved copied copied
    ! can_dump target || dump_of source copied | sed 's/public\.stray\b/other.strays/g' | grep -v "^--" | sort -u >"$PGC_DIR/copied.want"
    ! can_dump target || { diff "$PGC_DIR/copied.want" <(dump_of target copied | grep -v "^--\|SCHEMA other" | sort -u) >"$PGC_DIR/diff" && pass "copy: the same pg_dump -s" || fail "copy: $(cat "$PGC_DIR/diff")"; }
    assert_equal "copy: compared by itself, under the new names" "$(status_of copied "SELECT string_agg(d->>'object' || ' ' || coalesce(d->>'decision', '?'), ',') FROM output, json_array_elements(item#>'{schemaComparison,list}') d WHERE type = 'DatabaseLevelOutput'")" "SCHEMA other map"
    run schema --compare "$PGC_DIR/copied.json"
    assert_run "copy: compared" 0; [ "$status" = 0 ] || echo "$out" | head -40
    assert_contains "copy: compared" "$out" "only on the target: SCHEMA other (for the plan's tableMappings)"
    assert_equal "copy: the key that was not valid" "$(on target copied -c "SELECT convalidated, conrelid::regclass FROM pg_constraint WHERE conname = 'never_valid'")" "f|other.strays"
}

for t in ${PGC_TESTS:-existing half copy}; do
    "test_$t"
done
