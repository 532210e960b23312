#!/usr/bin/env bash
# Screen 7 in a terminal (tmux), with real servers: every step told before it begins; the cutover refused while it is not ready; undone
# while it runs, by the screen and by the command; to the end, with the clock; and no step that was not told before.
command -v tmux >/dev/null || { echo "SKIP: no tmux: the screens are not tested"; exit 77; }
. "$(dirname "$0")/../servers/flow_lib.sh"
. "$(dirname "$0")/tmux_lib.sh"
trap 'status=$?; screen kill-server 2>/dev/null; stop_engines; (exit $status); finish' EXIT

cluster_start source && cluster_start target || exit 1
on source postgres -c "CREATE DATABASE shop"
on source shop -c "CREATE TABLE item (id int PRIMARY KEY, v text); INSERT INTO item SELECT i, md5(i::text) FROM generate_series(1, 2000) i"
# While the file is there the hook goes on: the cutover stands at it.
flow_plan shop shop ", \"cutover\": {\"hooks\": {\"before\": \"while [ -e $PGC_DIR/wait ]; do sleep 0.1; done\", \"after\": \"echo led there\"}}"
pgc --batch "$PGC_DIR/shop.json" --detach -q || fail "the migration did not start"
begin_screen 132 43
press "$PGCUTOVER --state-dir $STATE open shop" Enter
expect "ready" "ready to cut over"
press s
expect "the steps are told" "list writers  *Lists the sessions"
expect "those of the plan" "hook before  *Runs cutover.hooks.before"
expect "where there is no way back" "the point of no return"
expect "and what is behind it" "hook after  *Runs cutover.hooks.after"
expect "writes go on" "Writes go on"
press j j j j
expect "how it is undone" "default_transaction_read_only becomes what it was"

# A table that does not come along keeps the cutover from beginning.
on target shop -c "ALTER TABLE item ADD CHECK (id < 3000)"
on source shop -c "INSERT INTO item VALUES (5000, 'x')"
expect "it is not ready, and says why" "Not ready: "
press c
expect "and is refused" "Cannot be cut over yet"
on target shop -c "ALTER TABLE item DROP CONSTRAINT item_id_check"
press Escape r
expect "ready once more" "control  .*ready to cut over"

stands_at_hook() { shows "hook before  *[0-9.]* s  *running"; }
begin_cutover() {
    touch "$PGC_DIR/wait"
    press s c
    expect "$1: the word" "Type the target database's name"
    typed shop
    press Enter
    wait_until 20 stands_at_hook && pass "$1: it stands at the hook" || { fail "$1: not at the hook"; text_of; }
}
begin_cutover "undone by the screen"
press u
expect "undoing is asked about" "y undoes the cutover"
press n
stands_at_hook && pass "another key lets it run" || fail "it does not run any more"
press Escape
expect "Esc asks, too" "y undoes the cutover"
press y
expect "it is undone" "given up on request"
rm "$PGC_DIR/wait"
syncs() { in_phase shop syncing; }
wait_until 20 syncs && pass "the migration goes on" || fail "it is $(field shop phase)"
assert_equal "the source is writable" "$(on source shop -c "INSERT INTO item VALUES (6000, 'x') RETURNING id")" 6000

press Escape
expect "the tables" "public.item"
expect "ready again" "control  .*ready\|control  .*syncing"
begin_cutover "undone by the command"
press x q # without its screen nobody controls it
expect "the screen is left, the cutover runs on" "goes on"
pgc abort shop -q && pass "abort" || fail "abort"
rm "$PGC_DIR/wait"
wait_until 20 syncs && pass "the migration goes on once more" || fail "it is $(field shop phase)"
pgc abort shop -q 2>"$PGC_DIR/err"; assert_equal "abort where nothing runs" $? 2
assert_contains "which says so" "$(cat "$PGC_DIR/err")" "cannot be given up: it is syncing"

press "clear; $PGCUTOVER --state-dir $STATE open shop" Enter
expect "the dashboard" "ready to cut over\|syncing"
press r
expect "ready for the last time" "control  .*ready to cut over"
press s c
expect "the word, for the last time" "Type the target database's name"
typed shop
press Enter
expect "to the end" "clean up  *[0-9.]* s"
expect "with the clock" "Writes were stopped for [0-9.]* s"
expect "the hook has run" "hook after .* led there"
expect "it has ended" "✓ done"
press q
pgc status shop --json | tr -d '\n' >"$PGC_DIR/status"
names() { grep -o "\"$1\": *\[[^]]*\]" "$PGC_DIR/status" | grep -o '"name": *"[^"]*"' | sort -u; }
assert_equal "no step that was not told before" "$(comm -13 <(names cutoverOutline) <(names cutoverSteps))" ""
assert_same_data "after the cutover" source/shop target/shop
took
