#!/usr/bin/env bash
# The wizard in a terminal (tmux), with real servers: from the first key to the finished cutover, with a host that does not
# answer, a wrong password, a failed check that is mended on the way, back and forth, resized, killed and gone on with.
command -v tmux >/dev/null || { echo "SKIP: no tmux: the screens are not tested"; exit 77; }
. "$(dirname "$0")/../servers/flow_lib.sh"

. "$(dirname "$0")/tmux_lib.sh"
trap 'status=$?; screen kill-server 2>/dev/null; kill -CONT "$postmaster" 2>/dev/null; stop_engines; (exit $status); finish' EXIT

cluster_start source wal_level=replica || exit 1
cluster_start target || exit 1
on source postgres -c "CREATE DATABASE shop" -c "CREATE ROLE mover SUPERUSER LOGIN PASSWORD 'r1ght'"
on source shop <<'SQL'
CREATE TABLE item (id int PRIMARY KEY, v text);
CREATE TABLE note (id int PRIMARY KEY, item int REFERENCES item, v text);
CREATE TABLE bare (v text);
INSERT INTO item SELECT i, md5(i::text) FROM generate_series(1, 5000) i;
INSERT INTO note SELECT i, i, 'n' FROM generate_series(1, 500) i;
INSERT INTO bare SELECT 'b' FROM generate_series(1, 20);
SQL
sed -i '1i local all mover scram-sha-256' "$PGC_DIR/source/data/pg_hba.conf" && on source postgres -c 'SELECT pg_reload_conf()' >/dev/null
# A server that takes the connection and says nothing.
postmaster=$(head -1 "$PGC_DIR/source/data/postmaster.pid")
kill -STOP "$postmaster"

begin_screen 80 24
program="$PGCUTOVER --state-dir $STATE"
press "$program" Enter
expect "without a migration the wizard is what comes first" "1 Connect"
# The form's fields: the migration's name is 0, the source's follow, then the target's.
at=0
go_to() { # NUMBER [TEXT]: goes there, and types it in place of what there is
    while [ "$at" != "$1" ]; do
        press Tab
        at=$(((at + 1) % 19))
    done
    [ $# = 1 ] || { press C-u; typed "$2"; }
}
source_host=2 source_database=4 source_user=5 source_password=6 target_host=11 target_database=13 target_user=14

go_to 0 shop
go_to $source_host "$PGC_DIR/source"
go_to $source_database shop
go_to $source_user mover
go_to $source_password wr0ng
go_to $target_host "$PGC_DIR/target"
go_to $target_database copy
go_to $target_user postgres
press C-t
expect "a host that does not answer is waited for, and the screen lives" "connecting, [1-9]"
expect "the other one has answered" "Database copy is not"
press Escape
expect "the wait is given up" "Stopped"
screen resize-window -t t -x 132 -y 43
expect "resized: what was typed is there" "mover .*postgres"
screen resize-window -t t -x 80 -y 24
kill -CONT "$postmaster"
press Enter
expect "a wrong password" "password *authentication failed"
go_to $source_password r1ght
press Enter
expect "the checks: what must be mended" "✗ .*wal_level"
expect "how it is mended" "ALTER SYSTEM SET wal_level"
press Enter
expect "going on is refused" "must be mended first"
press w
expect "the fixes are written" "Written: shop-fixes.sql"
grep -q "ALTER SYSTEM SET wal_level" "$PGC_DIR/shop-fixes.sql" && pass "they mend it" || fail "no fix in $(cat "$PGC_DIR/shop-fixes.sql")"
grep -rq -e r1ght -e wr0ng "$STATE" && fail "a password is on disk" || pass "no password on disk"

# Mended on the way, without leaving the screen.
press f
expect "the fix is shown before anything is run" "mend wal-level: y runs it"
assert_equal "nothing is run yet" "$(on source postgres -c "SELECT count(*) FROM pg_file_settings WHERE sourcefile ~ 'auto.conf'")" 0
press y
expect "it is run, and waits for a restart" "Restart the source yourself"
cluster_stop source && cluster_again source
expect "after the restart the checks were made again: what is left is another one" " 1 must be mended"
press Escape
expect "back: the servers are as they were" "Database copy is not"

# Killed, and gone on with: only the password is asked for again.
pkill -9 -P "$(screen display-message -p -t t '#{pane_pid}')"
sleep 0.3
press "" Enter
press "stty sane; tput rmcup; clear; echo on again" Enter
expect "a shell again" "^on again"
press "$program" Enter
expect "the draft is there again" "draft that was left"
expect "with what was typed" "mover "
at=0
press q
expect "a letter in a field is a letter" "Migration  shopq"
press BSpace
go_to $source_password r1ght
press Enter
expect "the checks again" " 1 must be mended"
press Escape
expect "back" "Database copy is not"
press Enter
expect "and forth" " 1 must be mended"
press Escape
expect "back once more" "Database copy is not"
press Escape
expect "the list" "0 migrations"
press n
expect "the wizard once more" "draft that was left"
at=0
go_to $source_password r1ght
press Enter
expect "a table without a key must be mended" "✗ .*bare"
expect "with nothing else" " 1 must be mended"
on source shop -c "ALTER TABLE bare REPLICA IDENTITY FULL"
press r
expect "nothing is left to be mended" " 0 must be mended"
press Enter
expect "how it is moved" "Stop writes by"
press j j j j j j j j Space
expect "another way for tables without a key" "(\*) full"
screen resize-window -t t -x 40 -y 10
expect "too small" "needs more room"
screen resize-window -t t -x 80 -y 24
expect "as before" "(\*) full"
press Enter
expect "the tables" "3 of 3 tables"
press / note Enter
expect "the filter" "filter note: 1/3"
press Space
expect "one is left out" "2 of 3 tables"
press / Escape
expect "all are shown" "public.item"
press Escape
expect "back to how" "Stop writes by"
press Enter
expect "what was left out stays so" "2 of 3 tables"
press Enter
expect "the review: what would be made" "CREATE DATABASE"
press w
expect "the plan is written" "Written: "
grep -q '"public.note"' "$PGC_DIR/shop.json" && ! grep -q r1ght "$PGC_DIR/shop.json" && pass "the plan says what was chosen, and no password" || fail "the plan: $(cat "$PGC_DIR/shop.json")"
press Enter
expect "the dashboard" "ready to cut over"
# The engine is killed: it is started again by somebody who knows the password, which is on no disk.
kill_engine shop || fail "the engine could not be killed"
expect "no engine" "No engine runs"
press r
expect "the password is asked for" "Password, source"
typed wr0ng
press Enter
expect "a wrong one is said" "Password, source (Esc: not now): *$"
typed r1ght
shows r1ght && fail "the password is on the screen" || pass "the password is not on the screen"
press Enter
expect "the engine is back" "control  .*ready to cut over"
expect "with the tables that were picked" "public.item .*completed"
press c
expect "the cutover asks for a name" "copy"
typed copy
press Enter
expect "cut over" "cut over\|done\|complete"
finished() { [ "$(on target copy -c 'SELECT count(*) FROM item')" = 5000 ] && in_phase shop done; }
wait_until 30 finished && pass "the migration is done" || { fail "not done"; text_of; }
press q
expect "a shell at the end" "^prompt>"
assert_equal "rows" "$(on target copy -c 'SELECT count(*), md5(string_agg(i::text, $$,$$ ORDER BY id)) FROM item i')" "$(on source shop -c 'SELECT count(*), md5(string_agg(i::text, $$,$$ ORDER BY id)) FROM item i')"
assert_equal "rows of the table without a key" "$(on target copy -c 'SELECT count(*) FROM bare')" 20
assert_equal "what was left out" "$(on target copy -c 'SELECT count(*) FROM note')" 0
[ ! -e "$STATE/.draft.json" ] && pass "no draft is left" || fail "the draft is left"
grep -rq -e r1ght -e wr0ng "$STATE" && fail "a password is on disk at the end" || pass "no password on disk at the end"

# The written plan, in the wizard and by itself.
press "clear; $program open shop.json" Enter
expect "a plan opens with everything filled in" "mover "
press Escape
expect "the list with the migration" "shop "
press q
took
