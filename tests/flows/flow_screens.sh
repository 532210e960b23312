#!/usr/bin/env bash
# The screens in a terminal (tmux), with real servers: the list, the dashboard, detail, help, filter, a resize, leaving
# and coming back, a second client that takes over, the program killed while it draws, and a cutover by the typed name.
command -v tmux >/dev/null || { echo "SKIP: no tmux: the screens are not tested"; exit 77; }
. "$(dirname "$0")/../servers/flow_lib.sh"

. "$(dirname "$0")/tmux_lib.sh"
trap 'status=$?; screen kill-server 2>/dev/null; stop_engines; (exit $status); finish' EXIT

cluster_start source || exit 1
cluster_start target || exit 1
on source postgres -c "CREATE DATABASE shop"
on source shop <<'SQL'
CREATE TABLE item (id int PRIMARY KEY, v text);
CREATE TABLE "표" (id int PRIMARY KEY, v text);
CREATE TABLE client (id int PRIMARY KEY, v text);
INSERT INTO item SELECT i, md5(i::text) FROM generate_series(1, 20000) i;
INSERT INTO "표" SELECT i, md5(i::text) FROM generate_series(1, 100) i;
INSERT INTO client SELECT i, md5(i::text) FROM generate_series(1, 300) i;
SQL
flow_plan shop shop
pgc --batch "$PGC_DIR/shop.json" --detach -q || fail "the migration did not start"

begin_screen 80 24
press "stty -a | md5sum > $PGC_DIR/stty.before; clear" Enter
wait_until 5 test -s "$PGC_DIR/stty.before"
program="$PGCUTOVER --state-dir $STATE"

press "$program" Enter
expect "the list of migrations" "^>shop .*ready to cut over"
press Enter
expect "the dashboard" "ready to cut over"
expect "a table with its rows" "public.item .*completed .* 20,000"
expect "a table with a wide name" "public.표 "
on source shop -c "INSERT INTO item SELECT i, 'new' FROM generate_series(30001, 30050) i"
expect "changes that are counted" "public.item .* 20,000 *50 "
assert_equal "columns stay aligned beside wide names" \
    "$(text_of | grep -e 'public.표' | sed 's/표/xx/' | grep -bo ' 100 ' | head -1 | cut -d: -f1)" \
    "$(text_of | grep -e 'public.client' | grep -bo ' 300 ' | head -1 | cut -d: -f1)"

press / client
expect "the filter" "Table  1/3 /client"
press Escape
expect "the filter is gone" "Table  3"
press Enter
expect "details" "On the target "
press Escape
press g
expect "lag" "Applied up to "
press Escape
press ?
expect "help" "Keys of this screen"
press takes
expect "help is searched" "Takes control over"
press Escape

screen resize-window -t t -x 40 -y 10
expect "too small" "needs more room"
screen resize-window -t t -x 132 -y 43
expect "large" "public.item .*████"
screen resize-window -t t -x 80 -y 24
expect "as before" "public.item .*completed"

title() { screen display-message -p -t "${1:-t}" '#{pane_title}'; }
title_is() { title "$1" | grep -q "$2"; }
wait_until 5 title_is t "^shop: ready to cut over - pgcutover" && pass "the window's title" || fail "the title is $(title)"
press L
expect "the log" "Log: [0-9]* of [0-9]* lines"
press G
expect "has what the engine says" "engine "
press w / nothingofthekind
expect "it is filtered" "Log: 0 of"
press Escape Escape
expect "back from the log" "public.item .*completed"

# Two clients: the second observes until it takes over.
screen new-session -d -s second -x 80 -y 24 "$program open shop"
expect "the second observes" "observe" second
expect "the first controls" "control  "
wait_until 5 title_is second "(observing)" && pass "the observer's title" || fail "the title is $(title second)"
screen send-keys -t second x
expect "the second has taken over" "control  " second
expect "the first is told" "observe"
press p
expect "a command of the first is refused" "is controlled by"
screen kill-session -t second

# The wrong word does nothing.
press c
expect "the word is asked for" "Type the target database's name, \"shop\", to cut over:"
press wrong Enter
expect "the wrong word" "Nothing was done"
assert_equal "nothing was done" "$(field shop phase)" syncing

press q
expect "what goes on is said" "pgcutover open shop"
is_clean() { # the shell's own screen, and its settings
    press "clear; stty -a | md5sum > $PGC_DIR/stty.now" Enter
    wait_until 5 test -s "$PGC_DIR/stty.now" || return 1
    cmp -s "$PGC_DIR/stty.before" "$PGC_DIR/stty.now"
}
is_clean && pass "the terminal is as it was" || fail "the terminal has other settings"

title_is t pgcutover && fail "the title is $(title) after leaving" || pass "the title is the shell's again"

child_of_shell() { pgrep -P "$(screen display-message -p -t t '#{pane_pid}')" pgcutover; }
for signal in SEGV TERM HUP; do
    press "$program open shop" Enter
    expect "back in the dashboard" "ready to cut over"
    wait_until 5 child_of_shell || fail "no program in the terminal"
    kill -"$signal" "$(child_of_shell)"
    expect "the shell after SIG$signal" "^prompt> *$\|dumped\|fault"
    rm -f "$PGC_DIR/stty.now"
    is_clean && pass "the terminal is clean after SIG$signal" || fail "the terminal is not clean after SIG$signal"
    assert_equal "no alternate screen after SIG$signal" "$(screen display-message -p -t t '#{alternate_on}')" 0
    assert_equal "the engine goes on after SIG$signal" "$(field shop phase)" syncing
done

# The engine dies under the screen: it says so, and starts it again.
press "$program open shop" Enter
expect "before the engine dies" "control  .*ready to cut over"
kill_engine shop || fail "the engine could not be killed"
expect "the engine is gone" "No engine runs"
press r
expect "the engine is back" "control  .*ready to cut over"
press q
expect "left" "^The engine of .shop. goes on"

press "$program open shop" Enter
expect "in control again" "control  .*ready to cut over"
press v
expect "nothing is compared yet" "0 equal, 0 different, 3 not compared"
press V
expect "compared while changes are streamed" "3 equal, 0 different, 0 not compared"
expect "as of a position" "public.item .* equal .* rows, as of [0-9A-F]*/"
press Escape
expect "the tables again" "public.item .*completed"
press R
expect "the key is wanted once more" "R once more: "
press R
expect "the table is to be loaded" "1 table is to be loaded again"
expect "it is loaded" "the snapshot was let go"
expect "and ready again" "control  .*ready to cut over"
press t
expect "the cutover is rehearsed" "about [0-9.]* s without the freeze"
press Escape
expect "the tables after the rehearsal" "public.item .*completed"
press c
expect "the word is asked for again" "Type the target database's name"
press shop Enter
expect "the steps of the cutover" "open the target .*done"
expect "how long writes were stopped" "Writes were stopped for"
expect "it has ended" "✓ done"
press f
expect "what came of it" "3 equal, 0 different, 0 not compared"
expect "what is left" "source: read-only shop"
press w
expect "the report is written" "The report is in $PGC_DIR/shop-report.html"
grep -q "Migration shop: Succeeded" "$PGC_DIR/shop-report.html" && pass "the report" || fail "the report is not one"
press J
expect "the report as JSON" "The report is in $PGC_DIR/shop-report.json"
press T
expect "the report as text" "The report is in $PGC_DIR/shop-report.txt"
grep -q '"name": *"shop"' "$PGC_DIR/shop-report.json" && grep -q "^Migration shop: Succeeded" "$PGC_DIR/shop-report.txt" && pass "both reports" || fail "the reports"
press q
expect "left after the cutover" "^prompt>"
assert_same_data "after a cutover from the screen" source/shop target/shop
# The list's keys, and the mouse: the line of keys is clicked on, and a row.
press "clear; $program --mouse" Enter
expect "the list" "^>shop .*done"
press t
expect "another theme" "Theme light: --theme light"
click() { # COL ROW, from 1: the button goes down, and up
    local at bytes
    at=$(printf '\\x%x\\x%x' $((32 + $1)) $((32 + $2)))
    bytes="\\033[M $at\\033[M#$at"
    # shellcheck disable=SC2059 # it is the escapes that are wanted
    screen send-keys -t t -l "$(printf "$bytes")"
}
click 2 24
expect "a click on Enter opens it" "public.item .*completed"
click 3 9
expect "a click on a row" "^>public.표"
click 3 8
expect "and on the one before" "^>public.client"
press Escape
press d
expect "deleting wants the name" "Delete .shop.. Type the target database's name"
press wrong Enter
expect "another name does nothing" "Nothing was done"
press q
expect "left the list" "^prompt>"
press "clear; TERM=dumb $program open shop" Enter
expect "a dumb terminal is asked line by line" "^s status, w watch"
press q Enter
expect "which is left" "comes back to it"
press "clear; TERM=nosuchterminal $program open shop" Enter
expect "a terminal that cannot be drawn on" "cannot be drawn on"
press "clear; $program open shop" Enter
expect "the dashboard of one that has ended" "public.item .*completed"
press f
expect "what is left is read again" "source: read-only shop"
press D
expect "the word is asked for before it is deleted" "Type the target database's name"
press shop Enter
expect "it is deleted" "Migration .shop. is deleted"
press q
assert_equal "nothing of it is left" "$(ls "$STATE")" ""
assert_equal "the source is writable again" "$(on source shop -c "SHOW default_transaction_read_only")" off
