#!/usr/bin/env bash
# Ctrl-C of --batch in every phase leaves the engine at work and says so; cancel in every phase leaves
# nothing on the source (H5, H7). A phase is held by stopping its worker (SIGSTOP), or by a lock.
. "$(dirname "$0")/flow_lib.sh"
cluster_start source && cluster_start target || exit 1
on source postgres -c 'CREATE DATABASE d' && on source d <<'SQL' || exit 1
CREATE TABLE keyless (a int, b text);
CREATE TABLE parent (id serial PRIMARY KEY, t text);
CREATE TABLE child (id serial PRIMARY KEY, parent int REFERENCES parent, t text);
CREATE INDEX ON child (t);
INSERT INTO keyless SELECT i, 'k' FROM generate_series(1, 1000) i;
INSERT INTO parent (t) SELECT 'p' FROM generate_series(1, 1000) i;
INSERT INTO child (parent, t) SELECT i, 'c' FROM generate_series(1, 1000) i;
SQL

left_behind() {
    leftovers_source source d
    on source d -c "SELECT 'identity ' || oid::regclass FROM pg_class WHERE relkind = 'r' AND relreplident <> 'd' AND oid > 16383
        UNION ALL SELECT 'setting ' || unnest(setconfig) FROM pg_db_role_setting WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = 'd')"
}

plan() { # NAME
    flow_plan "$1" d '' ", \"target_database_name\": \"$1\", \"keylessTables\": \"full\""
    sed -i "s#\(\"target\": {\"uri\": \"[^\"]*\)/d?#\1/$1?#" "$PGC_DIR/$1.json"
}

caught=
has_engine() {
    [ -n "$(engine_pid "$1")" ]
}

# Stops the worker as soon as it is there. Some live for a few milliseconds: nothing is forked while looking.
catch_worker() { # NAME KIND
    local engine children pid comm until=$((SECONDS + 30))
    caught=
    wait_until 10 has_engine "$1" || return 1
    engine=$(engine_pid "$1")
    while [ $SECONDS -lt $until ]; do
        read -r children <"/proc/$engine/task/$engine/children" # no newline at its end
        for pid in $children; do
            read -r comm <"/proc/$pid/comm" && [ "$comm" = "pgc-$2" ] && kill -STOP "$pid" && caught=$pid && return 0
        done
    done 2>/dev/null
    return 1
}

let_go() {
    [ -z "$caught" ] || kill -CONT "$caught" 2>/dev/null
    caught=
}

begin() { # NAME KIND PHASE: --batch in the background; its worker is held in that phase
    plan "$1"
    pgc_in_background --batch "$PGC_DIR/$1.json" --until ready >"$PGC_DIR/$1.out" 2>&1 &
    batch=$!
    [ -z "$2" ] || catch_worker "$1" "$2" || { fail "$1: no worker \"$2\""; cat "$PGC_DIR/$1.out"; exit 1; }
    wait_until 30 in_phase "$1" "$3" || fail "$1: not $3 but $(field "$1" phase)"
}

has_sentence() { # NAME
    grep -q "The engine of \"$1\" goes on" "$PGC_DIR/$1.out"
}

interrupt() { # NAME: Ctrl-C
    wait_until 10 test -s "$PGC_DIR/$1.out"
    kill -INT "$batch"
    wait "$batch"
    assert_equal "$1: Ctrl-C exits with" $? 130
    has_sentence "$1" && pass "$1: says that the engine goes on" || { fail "$1: says nothing of the engine"; cat "$PGC_DIR/$1.out"; }
    engine_gone "$1" && fail "$1: the engine is gone" || pass "$1: the engine goes on"
}

undone() { # NAME PHASE: cancel, with the worker let go once the engine knows
    pgc cancel "$1" -q &
    local cancel=$!
    left_the_phase() { ! in_phase "$1" "$2"; }
    wait_until 20 left_the_phase "$1" "$2" || fail "$1: cancel does not leave $2"
    let_go
    wait $cancel
    assert_equal "$1: cancel exits with" $? 0
    assert_equal "$1: cancelled" "$(field "$1" migrationState)" CANCELLED
    assert_equal "$1: left on the source" "$(left_behind)" ""
    pgc delete "$1" -q || fail "$1: delete"
    [ ! -e "$STATE/$1" ] || fail "$1: its directory is still there"
}

go_and_undo() { # NAME KIND PHASE
    begin "$@"
    interrupt "$1"
    undone "$1" "$3"
}

go_and_undo checking check checking
go_and_undo schema schema schema

# Slot creation waits for this transaction: the phase is held by the source itself (H3).
# It begins after the checks, which would refuse it.
begin starting schema schema
mkfifo "$PGC_DIR/held" && exec 9<>"$PGC_DIR/held"
on source d -o /dev/null <"$PGC_DIR/held" 9>&- & # it would keep itself from ending
echo "BEGIN; INSERT INTO parent (t) VALUES ('open');" >&9
writes() { [ "$(on source postgres -c "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND backend_xid IS NOT NULL")" = 1 ]; }
wait_until 10 writes
let_go
wait_until 20 in_phase starting starting || fail "starting: $(field starting phase)"
slot_waits() { [ "$(on source postgres -c "SELECT count(*) FROM pg_replication_slots WHERE slot_name LIKE 'pgcutover%'")" = 1 ]; }
wait_until 10 slot_waits || fail "starting: no slot in the making"
interrupt starting
undone starting starting
echo "COMMIT;" >&9
exec 9>&-

go_and_undo loading copy loading
go_and_undo catching apply "catching up"
go_and_undo finishing finish finishing

# While loading, by an engine that has to be started for it.
begin killed copy loading
kill_engine killed
wait "$batch"
assert_equal "killed: --batch exits with" $? 5
let_go
pgc cancel killed -q
assert_equal "killed: cancel exits with" $? 0
assert_equal "killed: left on the source" "$(left_behind)" ""
pgc delete killed -q || fail "killed: delete"

ready() { # NAME
    plan "$1"
    pgc --batch "$PGC_DIR/$1.json" --until ready -q || { fail "$1: not ready"; exit 1; }
}

ready syncing
undone syncing syncing

# In the middle of the cutover: the source is writable again.
ready cutting
pgc_in_background cutover cutting >"$PGC_DIR/cutting.out" 2>&1 &
batch=$!
frozen() { [ "$(on source d -c 'SHOW default_transaction_read_only')" = on ]; }
wait_until 20 frozen && pass "cutting: the source is frozen" || fail "cutting: not frozen"
catch_worker cutting cutover || fail "cutting: the cutover is over already"
interrupt cutting
undone cutting "cutting over"
on source d -c "INSERT INTO parent (t) VALUES ('writable')" && pass "cutting: the source is writable" || fail "cutting: not writable"

# The engine killed in the middle of the cutover: resume makes the source writable, also while the target is down.
ready thawed
pgc cutover thawed -q 2>/dev/null &
wait_until 20 frozen || fail "thawed: not frozen"
kill_engine thawed
frozen || fail "thawed: writable too early"
cluster_stop target immediate
pgc resume thawed -q || fail "thawed: resume while the target is down"
not_frozen() { ! frozen; }
wait_until 20 not_frozen && pass "thawed: the source is writable while the target is down" || fail "thawed: the source stays frozen"
cluster_again target
wait_until 60 in_state thawed READY_TO_COMPLETE && pass "thawed: ready again" || { fail "thawed: not ready again"; pgc status thawed; }

# The target forgets the migration: stopped, not begun anew; cancel still undoes the source.
kill_engine thawed
on target thawed -c 'DROP SCHEMA pgcutover CASCADE' 2>/dev/null
pgc resume thawed -q || fail "forgotten: resume"
wait_until 20 is_held thawed && pass "forgotten: stopped" || { fail "forgotten: not stopped"; pgc status thawed; }
assert_contains "forgotten: says so" "$(pgc status thawed 2>&1)" "does not know this migration"
undone thawed syncing

# Past the point of no return cancel is refused, and a kill there only delays the end.
ready closing
mkfifo "$PGC_DIR/reader" && exec 9<>"$PGC_DIR/reader"
on target closing -o /dev/null <"$PGC_DIR/reader" 9>&- &
echo "BEGIN; SELECT count(*) FROM pgcutover.migration;" >&9
reads() { [ "$(on target postgres -c "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND datname = 'closing'")" = 1 ]; }
wait_until 10 reads || fail "closing: no reader"
pgc cutover closing -q 2>/dev/null &
wait_until 30 in_phase closing closing || { fail "closing: not closing"; pgc status closing; }
out=$(pgc cancel closing -q 2>&1) && fail "closing: cancel is not refused" || pass "closing: cancel is refused"
assert_contains "closing: and says why" "$out" "it is closing"
drops() { [ "$(on target postgres -c "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = 'closing'")" = 1 ]; }
wait_until 20 drops || fail "closing: the state schema is not being dropped"
kill_engine closing
echo "COMMIT; DROP SCHEMA IF EXISTS pgcutover CASCADE;" >&9
exec 9>&-
gone() { [ -z "$(on target closing -c "SELECT 1 FROM pg_namespace WHERE nspname = 'pgcutover'")" ]; }
wait_until 20 gone || fail "closing: the schema is still there"
pgc resume closing -q || fail "closing: resume"
wait_until 20 in_state closing COMPLETE && pass "closing: ends after a kill" || { fail "closing: $(field closing phase)"; pgc status closing; }
assert_same_data "closing: equal" source/d target/closing
assert_equal "closing: left on the source" "$(left_behind)" "setting default_transaction_read_only=on"
pgc delete closing -q || fail "closing: delete"

# What the catalogs still have at the end is told, also when it is the only thing left, until it is gone.
ready proof
slot=$(on source d -c "SELECT slot_name FROM pg_replication_slots WHERE slot_name LIKE 'pgcutover_proof%'")
on source d -o /dev/null -c "SELECT pg_replication_origin_create('$slot')"
for again in cancel resume; do
    pgc "$again" proof -q 2>/dev/null
    wait_until 30 is_held proof && pass "proof: $again: stopped" || { fail "proof: $again: not stopped"; pgc status proof; }
    assert_contains "proof: $again: says what is left" "$(pgc status proof 2>&1)" "SELECT pg_catalog.pg_replication_origin_drop('$slot')"
done
on source d -o /dev/null -c "SELECT pg_replication_origin_drop('$slot')"
pgc resume proof -q || fail "proof: resume"
wait_until 30 in_phase proof cancelled && pass "proof: ends when it is gone" || { fail "proof: $(field proof phase)"; pgc status proof; }
pgc delete proof -q || fail "proof: delete"
took
