#!/usr/bin/env bash
# The wizard line by line (--plain), without a terminal's help: answers from a pipe, what is said in a file.
. "$(dirname "$0")/../servers/flow_lib.sh"
cluster_start source && cluster_start target || exit 1
on source postgres -c "CREATE DATABASE shop"
on source shop <<'SQL'
CREATE TABLE item (id int PRIMARY KEY, v text);
CREATE TABLE note (id int PRIMARY KEY, v text);
CREATE TABLE bare (v text);
INSERT INTO item SELECT i, md5(i::text) FROM generate_series(1, 5000) i;
INSERT INTO note SELECT i, 'n' FROM generate_series(1, 500) i;
SQL

answers() { # the source's first host is wrong: its questions come again, with what was answered in brackets
    printf '%s\n' shop "" "$PGC_DIR/nowhere" "" shop postgres "" "" "" ""
    printf '%s\n' "" "$PGC_DIR/source" "" "" "" "" "" "" ""
    printf '%s\n' "" "$PGC_DIR/target" "" copy postgres "" "" "" "" ""
}
cd "$PGC_DIR"
{ answers; echo q; } | pgc --plain >plain.out 2>&1
assert_contains "a server that does not answer" "$(cat plain.out)" "nowhere"
assert_contains "is asked for again" "$(cat plain.out)" "Host [$PGC_DIR/nowhere]"
assert_contains "the checks say what must be mended" "$(cat plain.out)" "public.bare"
assert_contains "and refuse to go on" "$(cat plain.out)" "Something must be mended first"
assert_contains "the draft is kept" "$(cat plain.out)" "kept as a draft"
on source shop -c "ALTER TABLE bare ADD id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
# All from the draft this time.
{ printf '%s\n' "" "" "" "" "" "" "" "" "" "" "" "" "" "" "" "" "" "" "" ""
  printf '%s\n' "" "" "" "" "" "" "" 9 2 "" "" "" "" "" ""
  printf '%s\n' "public.note" "" yes yes WRONG; } | pgc --plain >plain.out 2>&1
assert_contains "a number that there is not" "$(cat plain.out)" "There is no such number"
assert_contains "what would be done" "$(cat plain.out)" "CREATE DATABASE"
assert_contains "the plan is written" "$(cat shop.json)" '"public.note"'
[ -e "$STATE/shop" ] && fail "started without the word" || pass "not started without the target database's name"
{ printf '%s\n' "" "" "" "" "" "" "" "" "" "" "" "" "" "" "" "" "" "" "" ""
  printf '%s\n' "" "" "" "" "" "" "" 1 "" "" "" "" "" "" ""
  printf '%s\n' "" yes yes s
  for i in $(seq 40); do in_state shop READY_TO_COMPLETE && break; sleep 0.5; done >&2
  printf '%s\n' c yes q; } | pgc --plain >plain.out 2>&1
assert_contains "left with a word" "$(cat plain.out)" "comes back to it"
done_now() { in_phase shop done; }
wait_until 30 done_now && pass "cut over" || { fail "not cut over"; cat plain.out; pgc status shop; }
assert_equal "rows" "$(on target copy -c 'SELECT count(*), md5(string_agg(i::text, $$,$$ ORDER BY id)) FROM item i')" "$(on source shop -c 'SELECT count(*), md5(string_agg(i::text, $$,$$ ORDER BY id)) FROM item i')"
assert_equal "what was left out" "$(on target copy -c 'SELECT count(*) FROM note')" 0
assert_contains "TERM=dumb is plain, too" "$(echo q | TERM=dumb pgc open shop 2>&1)" "comes back to it"
took
