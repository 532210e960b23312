#!/usr/bin/env bash
# Several databases in the wizard: picked from the source's list, renamed on the target, each with its own tables; what must be
# mended is waived; the same line by line. In a terminal (tmux), with real servers.
command -v tmux >/dev/null || { echo "SKIP: no tmux: the screens are not tested"; exit 77; }
. "$(dirname "$0")/../servers/flow_lib.sh"
. "$(dirname "$0")/../servers/flow_tools.sh"
. "$(dirname "$0")/tmux_lib.sh"
trap 'status=$?; screen kill-server 2>/dev/null; stop_engines; (exit $status); finish' EXIT

cluster_start source && cluster_start target || exit 1
for database in shop crm hr; do
    on source postgres -c "CREATE DATABASE $database"
    on source $database -c "CREATE TABLE item (id int PRIMARY KEY, v text); CREATE TABLE note (id int PRIMARY KEY);
        INSERT INTO item SELECT i, '$database' || i FROM generate_series(1, 1000) i; INSERT INTO note VALUES (1)"
done
on source crm -c "CREATE TABLE other (id int PRIMARY KEY)"
begin_screen 80 24
press "$PGCUTOVER --state-dir $STATE" Enter
expect "the wizard" "1 Connect"
typed move
press Tab Tab; typed "$PGC_DIR/source"
press Tab Tab # no database's name
press Tab; typed postgres
press Tab Tab Tab Tab Tab Tab; typed "$PGC_DIR/target"
press Tab Tab; typed shop
press Tab; typed postgres
press Enter
expect "the source answers, and which database is asked" "Which database"
press C-d
expect "the list of the source's databases" "0 of 4 databases of the source"
press G Space
expect "one is picked" "^>\[x\] shop"
press Enter
expect "the form, with what was picked" "Tab next field"
press C-d
expect "the list again, with the one of the form" "1 of 4 databases of the source"
press k k k
expect "the cursor goes up" "^>\[ \] crm"
press Space
press m
typed customers
press Enter
expect "a name on the target" "crm  *customers"
press Enter
expect "the form says how many" "2 databases, F2 shows them"
press Enter
expect "the checks" "0 must be mended"
press Enter
expect "how it is moved" "Stop writes by"
press Enter
expect "the tables of the first" "crm (d: next)  3 of 3 tables"
press d
expect "the tables of the next" "shop (d: next)  2 of 2 tables"
press j Space
expect "one is left out there" "shop (d: next)  1 of 2 tables"
press d
expect "and none here" "crm (d: next)  3 of 3 tables"
press Enter
expect "the review has both" "customers"
press Enter
expect "the dashboard" "ready to cut over"
press d
expect "of the other database" "─ shop ─"
ready() { [ "$(pgc status move --json | grep -c READY_TO_COMPLETE)" = 2 ]; }
wait_until 30 ready && pass "both are ready" || fail "not both are ready"
press q
expect "a shell" "^prompt>"
for database in crm shop; do run_when_ready cutover move --database-name $database -q || fail "the cutover of $database"; done
for pair in crm/customers shop/shop; do
    assert_equal "rows of $pair" "$(on target "${pair#*/}" -c 'SELECT count(*), md5(string_agg(v, $$,$$ ORDER BY id)) FROM item')" \
        "$(on source "${pair%/*}" -c 'SELECT count(*), md5(string_agg(v, $$,$$ ORDER BY id)) FROM item')"
done
assert_equal "what was left out of one" "$(on target shop -c 'SELECT count(*) FROM note')" 0
assert_equal "is there in the other" "$(on target customers -c 'SELECT count(*) FROM note')" 1
assert_equal "the third stays where it is" "$(on target postgres -c "SELECT count(*) FROM pg_database WHERE datname = 'hr'")" 0
pgc delete move -q || fail "not deleted"

# A finding that must be mended is waived: here a foreign key to a table that does not come.
on source hr -c "CREATE TABLE part (id int PRIMARY KEY, item int REFERENCES item)"
press "clear; $PGCUTOVER --state-dir $STATE open nowhere.json" Enter
cat >"$PGC_DIR/waive.json" <<JSON
{"name": "hr", "source": {"uri": "$(uri source hr)"}, "target": {"uri": "$(uri target hr)"}, "databases": [{"name": "hr", "excludedTables": ["public.item"]}]}
JSON
expect "a plan that is not there" "nowhere.json"
press "clear; $PGCUTOVER --state-dir $STATE open waive.json" Enter
expect "the plan" "1 Connect"
press Enter
expect "a check fails" "1 must be mended"
press v
expect "it is waived" "fk-outside is waived"
expect "and counted so" "0 must be mended, 1 waived"
on source hr -c "CREATE TABLE bare (v text)"
press r
expect "also when it is checked again, with something else" "1 must be mended, 1 waived"
on source hr -c "DROP TABLE bare"
press r
expect "and mended" "0 must be mended, 1 waived"
press v
expect "not any more" "1 must be mended"
press v
press Enter
expect "it goes on" "Stop writes by"
grep -q '"fk-outside"' "$STATE/.draft.json" && pass "the plan has the waiver" || fail "no waiver in $(cat "$STATE/.draft.json")"
press q
expect "left" "^prompt>"
rm -f "$STATE/.draft.json"

# Line by line.
{ printf '%s\n' two "" "$PGC_DIR/source" "" shop postgres "" "" "" "" "" "$PGC_DIR/target" "" shop2 postgres "" "" "" ""
  printf '%s\n' "hr crm=" "hr crm=c2" "" "" "" "" "" "" "" "" "" "" "" "" "" "" "" yes no; } | pgc --plain >plain.out 2>&1
assert_contains "plain: a name that is missing" "$(cat plain.out)" "two with = between"
assert_contains "plain: both are in the plan" "$(tr -d ' \n\t' <two.json)" '"name":"crm","target_database_name":"c2"'
assert_contains "plain: what would be done" "$(cat plain.out)" 'CREATE DATABASE'
took
