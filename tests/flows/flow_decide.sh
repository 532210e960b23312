#!/usr/bin/env bash
# Statements of the schema that the target refuses, decided on in the terminal (tmux) while the migration stands still: one edited in
# the editor, one left out, one mended on the target and tried again; kept over an engine that is killed, and over the plan's file.
command -v tmux >/dev/null || { echo "SKIP: no tmux: the screens are not tested"; exit 77; }
. "$(dirname "$0")/../servers/flow_lib.sh"
. "$(dirname "$0")/tmux_lib.sh"
trap 'status=$?; screen kill-server 2>/dev/null; stop_engines; (exit $status); finish' EXIT

cluster_start source && cluster_start target || exit 1
on source postgres -c "CREATE DATABASE shop"
on target postgres -c "CREATE DATABASE shop"
on source shop -o /dev/null <<'SQL'
CREATE TABLE item (id int PRIMARY KEY, v text);
INSERT INTO item SELECT i, md5(i::text) FROM generate_series(1, 2000) i;
CREATE VIEW refused_a AS SELECT id FROM item WHERE v <> 'never';
CREATE VIEW refused_b AS SELECT id, v FROM item WHERE v <> 'never';
CREATE VIEW refused_c AS SELECT v FROM item WHERE v <> 'never';
SQL
guard_refuses target shop "object_type = 'view' AND pg_get_viewdef(objid) ~ 'never'"
flow_plan shop shop
pgc --batch "$PGC_DIR/shop.json" --detach -q || fail "the migration did not start"
cat >"$PGC_DIR/editor" <<'SH'
#!/bin/sh
grep -q refused_a "$1" && echo "CREATE VIEW public.refused_a AS SELECT id FROM public.item;" >"$1"
sleep 2
SH
chmod +x "$PGC_DIR/editor"
begin_screen 80 24
press "export EDITOR=$PGC_DIR/editor VISUAL=; $PGCUTOVER --state-dir $STATE open shop" Enter
expect "it stands still, and says what to press" "S: decide"
press S
expect "three have failed" "Schema: 3 failed"
expect "with the reason" "the guard says no (0A000)"
expect "and the statement" "CREATE VIEW public.refused_a"
press e
expect "the edited text counts from R on" "refused_a  *edited: R tries it"
expect "and is shown" "refused_a AS SELECT id FROM public.item"
press j s
expect "another is left out" "refused_b  *left out: R goes on"
press u
expect "and is not" "refused_b  *failed"
press s
expect "and is again" "refused_b  *left out: R goes on"
press w
expect "the script is written" "Written: shop-failed.sql"
grep -q "^-- VIEW public.refused_c: .*the guard says no" "$PGC_DIR/shop-failed.sql" && pass "it says why" || fail "$(cat "$PGC_DIR/shop-failed.sql")"
[ ! -e "$STATE/shop/edit.sql" ] && pass "no file of the editor is left" || fail "the editor's file is left"
kill_engine shop
expect "the engine is gone" "No engine\|no engine"
press Escape r
expect "it is back, and stands still" "S: decide"
press S
expect "with what was decided" "refused_c  *failed"
shows "refused_a  *edited\|edited, applied" && pass "the edit is kept" || { fail "the edit is lost"; text_of; }
# The third is mended by letting it in.
on target shop -c "ALTER EVENT TRIGGER guard DISABLE"
press R
expect "all are decided" "Schema: 0 failed, 1 left out"
press Escape
expect "it goes on" "ready to cut over"
assert_equal "as edited" "$(on target shop -c "SELECT pg_get_viewdef('refused_a') !~ 'never'")" t
assert_equal "left out" "$(on target shop -c "SELECT to_regclass('refused_b') IS NULL")" t
assert_equal "tried again" "$(on target shop -c "SELECT count(*) FROM refused_c")" 2000
press S
expect "what was done stays to be seen" "refused_b  *left out"
press q
expect "left" "^prompt>"
took
