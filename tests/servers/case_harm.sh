#!/usr/bin/env bash
# Cases in which a source is harmed, that no other flow has (tests/README says which has what). Each migration that
# is carried through ends in a comparison of full contents. case_harm.sh CASE... runs some of: H1 H2 H3 H4 H6 H7 others_subscription; H3
# waits for two minutes and is not among the usual ones.
. "$(dirname "$0")/flow_lib.sh"
cluster_start source max_prepared_transactions=5 && cluster_start target || exit 1

make_keyless() { # DATABASE
    on source postgres -c "CREATE DATABASE $1" && on source "$1" <<'SQL' || exit 1
CREATE TABLE keyless (a int, b text, n int NOT NULL DEFAULT 0);
CREATE TABLE keyed (id int PRIMARY KEY, n int NOT NULL DEFAULT 0);
INSERT INTO keyless SELECT i % 200, 'k', 0 FROM generate_series(1, 400) i;
INSERT INTO keyed SELECT generate_series(1, 400), 0;
SQL
    # The application: one that cannot be told to stop updating, and whose errors are counted.
    cat >"$PGC_DIR/$1.sql" <<'SQL'
\set a random(0, 199)
UPDATE keyless SET n = n + 1 WHERE a = :a;
DELETE FROM keyless WHERE ctid = (SELECT min(ctid) FROM keyless WHERE a = (:a + 7) % 200);
INSERT INTO keyless VALUES ((:a + 7) % 200, 'k', 0);
UPDATE keyed SET n = n + 1 WHERE id = 1 + :a;
SQL
    : >"$PGC_DIR/pgbench.log"
    workload_start "$1" "$PGC_DIR/$1.sql" -R 60
}

application_fails() { # counts what was refused to it, but for the freeze and the sessions that it ends
    grep -aE 'ERROR|FATAL|aborted' "$PGC_DIR/pgbench.log" |
        grep -avE 'read-only transaction|terminating connection|aborted.*(run was aborted|perhaps the backend died|read-only)|Run was aborted' | head -3
}

setting_of_keyless() { on source "$1" -c "SELECT relreplident FROM pg_class WHERE relname = 'keyless'"; }

# A table without a key: the application's UPDATE and DELETE work all the time, whatever is chosen for it.
H1() {
    local choice out
    make_keyless h1
    flow_plan h1 h1
    out=$(pgc --batch "$PGC_DIR/h1.json" --until ready -q 2>&1)
    assert_equal "H1: refused by default" $? 3
    assert_contains "H1: names the table" "$out" "public.keyless"
    assert_contains "H1: offers a way" "$out" "keylessTables"
    assert_equal "H1: refused, nothing is made" "$(leftovers_source source h1)$(setting_of_keyless h1)" d
    pgc delete h1 -q 2>/dev/null
    for choice in full at-cutover; do
        flow_plan "h1$choice" h1 ', "cutover": {"maxLag": "10s"}' ", \"target_database_name\": \"h1_${choice%-*}\", \"keylessTables\": \"$choice\""
        sed -i "s#\(\"target\": {\"uri\": \"[^\"]*\)/h1?#\1/h1_${choice%-*}?#" "$PGC_DIR/h1$choice.json"
        pgc --batch "$PGC_DIR/h1$choice.json" --until ready -q || { fail "H1 $choice: not ready"; pgc status "h1$choice"; exit 1; }
        sleep 1
        assert_equal "H1 $choice: nothing was refused to the application" "$(application_fails)" ""
        if [ $choice = full ]; then
            pgc cancel "h1$choice" -q || fail "H1 $choice: cancel"
            assert_equal "H1 full: the identity is put back" "$(setting_of_keyless h1)" d
            assert_equal "H1 full: nothing is left" "$(leftovers_source source h1)" ""
            pgc delete "h1$choice" -q
        else
            pgc cutover "h1$choice" -q || { fail "H1 $choice: cutover"; pgc status "h1$choice"; exit 1; }
            workload_stop
            assert_equal "H1 $choice: nothing was refused until the freeze" "$(application_fails)" ""
            assert_same_data "H1 $choice: equal" source/h1 "target/h1_${choice%-*}"
            pgc delete "h1$choice" -q || fail "H1 $choice: delete"
        fi
    done
}

# With synchronous_standby_names = '*' every commit would wait for our stream: refused before one begins.
H2() {
    local out
    on source postgres -c 'CREATE DATABASE h2' && on source h2 -c 'CREATE TABLE t (id int PRIMARY KEY)' || exit 1
    on source postgres -c "ALTER SYSTEM SET synchronous_standby_names = '*'" -c 'SELECT pg_reload_conf()' -o /dev/null
    set_there() { [ "$(on source postgres -c 'SHOW synchronous_standby_names')" = '*' ]; }
    wait_until 5 set_there
    flow_plan h2 h2
    out=$(pgc --batch "$PGC_DIR/h2.json" --until ready -q 2>&1)
    assert_equal "H2: refused" $? 3
    assert_contains "H2: says why" "$out" synchronous_standby_names
    assert_equal "H2: nothing on the source" "$(leftovers_source source h2)" ""
    assert_equal "H2: nothing on the target" "$(on target postgres -c "SELECT datname FROM pg_database WHERE datname = 'h2'")" ""
    on source postgres -c "ALTER SYSTEM RESET synchronous_standby_names" -c 'SELECT pg_reload_conf()' -o /dev/null
    pgc delete h2 -q 2>/dev/null
    return 0
}

# Slot creation behind an open transaction of another database: who blocks is named, and giving up leaves nothing.
H3() {
    local engine comm pid
    on source postgres -c 'CREATE DATABASE h3' -c 'CREATE DATABASE h3_other' && on source h3 -c 'CREATE TABLE t (id int PRIMARY KEY)' &&
        on source h3_other -c 'CREATE TABLE o (id int)' || exit 1
    mkfifo "$PGC_DIR/h3" && exec 9<>"$PGC_DIR/h3"
    on source h3_other -o /dev/null <"$PGC_DIR/h3" 9>&- &
    flow_plan h3 h3
    # It begins behind the checks, which would name it and refuse.
    pgc --batch "$PGC_DIR/h3.json" --detach -q || { fail "H3: start"; exit 1; }
    caught=
    for try in $(seq 3000); do
        engine=$(engine_pid h3)
        read -r children <"/proc/${engine:-0}/task/${engine:-0}/children"
        for pid in ${children:-}; do
            read -r comm <"/proc/$pid/comm" && [ "$comm" = pgc-schema ] && kill -STOP "$pid" && caught=$pid
        done
        [ "$caught" ] && break
    done 2>/dev/null
    [ "$caught" ] || { fail "H3: no schema worker was caught"; exit 1; }
    echo "BEGIN; INSERT INTO o VALUES (1); SELECT 'the one that blocks';" >&9
    writes() { [ "$(on source postgres -c "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND backend_xid IS NOT NULL")" = 1 ]; }
    wait_until 10 writes || fail "H3: no writer"
    kill -CONT "$caught"
    blocker=$(on source postgres -c "SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction' AND datname = 'h3_other'")
    named() { case "$(pgc status h3 --json | tr -d '\n')$(cat "$STATE/h3/log.jsonl")" in *"$blocker"*) return 0 ;; *) return 1 ;; esac; }
    wait_until 150 named && pass "H3: the blocker's pid is named" || { fail "H3: pid $blocker is not named"; pgc status h3; }
    assert_contains "H3: with what it ran" "$(pgc status h3 --json)$(cat "$STATE/h3/log.jsonl")" "the one that blocks"
    pgc cancel h3 -q || fail "H3: cancel"
    assert_equal "H3: nothing is left when it is given up" "$(leftovers_source source h3)" ""
    echo 'COMMIT;' >&9
    exec 9>&-
    pgc delete h3 -q || fail "H3: delete"
}

# WAL that the slot keeps: past the plan's limit the slot goes rather than the source's disk, and the end says so.
H4() {
    on source postgres -c 'CREATE DATABASE h4' && on source h4 -c 'CREATE TABLE t (id int PRIMARY KEY, t text)' -c 'CREATE TABLE other (id serial PRIMARY KEY, t text)' || exit 1
    flow_plan h4 h4 ', "limits": {"sourceSlotWal": "40MB"}'
    pgc --batch "$PGC_DIR/h4.json" --until ready -q || { fail "H4: not ready"; pgc status h4; exit 1; }
    in_status() { case "$(pgc status h4 --json | tr -d '\n')" in *"$1"*) return 0 ;; *) return 1 ;; esac; }
    in_status slotRetainedBytes && pass "H4: what the slot keeps is shown" || fail "H4: slotRetainedBytes"
    # A receiver that is held: nothing is confirmed.
    kill -STOP $(worker_pids h4 receive | cut -d' ' -f1)
    for i in 1 2 3 4 5 6; do on source h4 -c "INSERT INTO other (t) SELECT repeat('x', 1000) FROM generate_series(1, 10000)"; done
    slot_gone() { [ -z "$(on source h4 -c "SELECT slot_name FROM pg_replication_slots WHERE slot_name LIKE 'pgcutover%'")" ]; }
    wait_until 90 slot_gone && pass "H4: the slot is given up" || { fail "H4: the slot is kept beyond the limit"; pgc status h4; }
    wait_until 30 in_state h4 FAILED CANCELLED && pass "H4: the migration has failed" || { fail "H4: state"; pgc status h4; }
    in_status sourceSlotWal && pass "H4: names the limit" || fail "H4: does not name the limit"
    assert_equal "H4: nothing is left on the source" "$(leftovers_source source h4)" ""
    pgc delete h4 -q || fail "H4: delete"
}

# The snapshot is let go as soon as the load ends, and nothing of ours holds vacuum back afterwards.
H6() {
    on source postgres -c 'CREATE DATABASE h6' && on source h6 -c 'CREATE TABLE t (id int PRIMARY KEY, n int)' -c 'INSERT INTO t SELECT i, 0 FROM generate_series(1, 100000) i' || exit 1
    flow_plan h6 h6
    pgc --batch "$PGC_DIR/h6.json" --until ready -q || { fail "H6: not ready"; pgc status h6; exit 1; }
    # A catalog's horizon moves with what is confirmed; rows are held back by snapshots alone.
    assert_equal "H6: no session of ours holds a snapshot" "$(on source h6 -c "SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'pgcutover:%' AND backend_type <> 'walsender' AND backend_xmin IS NOT NULL AND state <> 'active'")" ""
    assert_equal "H6: no slot holds rows" "$(on source h6 -c "SELECT slot_name FROM pg_replication_slots WHERE xmin IS NOT NULL OR temporary")" ""
    on source h6 -c 'UPDATE t SET n = 1'
    # The next UPDATE of every row finds the room of the dead ones: the table does not grow a second time.
    size_of_t() { on source h6 -c "SELECT pg_relation_size('t')"; }
    on source h6 -c 'VACUUM t'
    before=$(size_of_t)
    dead_rows_go() {
        on source h6 -c 'VACUUM t' -c 'UPDATE t SET n = n + 1' -o /dev/null
        after=$(size_of_t)
        [ "$after" -le "$before" ] || { before=$after; return 1; }
    }
    wait_until 20 dead_rows_go && pass "H6: VACUUM removes what is dead" || fail "H6: dead rows stay"
    assert_contains "H6: the end of the snapshot is told" "$(cat "$STATE/h6/log.jsonl")" "the snapshot was let go"
    wait_until 30 in_state h6 READY_TO_COMPLETE
    pgc cutover h6 -q || { fail "H6: cutover"; pgc status h6; }
    finish_flow h6 h6
}

# A cutover that fails in every way that can be had here: the source is writable again, the clients that were ended can come back.
H7() {
    on source postgres -c 'CREATE DATABASE h7' && on source h7 -c 'CREATE TABLE t (id int PRIMARY KEY, n int)' -c 'INSERT INTO t SELECT i, 0 FROM generate_series(1, 1000) i' || exit 1
    echo 'UPDATE t SET n = n + 1 WHERE id = 1 + floor(random() * 1000)::int;' >"$PGC_DIR/h7.sql"
    workload_start h7 "$PGC_DIR/h7.sql" -R 30
    # Once, as late as can be before the freeze: somebody locks the target's table, and something is left to be applied to it.
    cat >"$PGC_DIR/h7.sh" <<SH
[ -e "$PGC_DIR/h7.lock" ] || exit 0
rm "$PGC_DIR/h7.lock"
on() { "$PGC_BIN/psql" -X -q -At -U postgres -h "$PGC_DIR/\$1" h7 -c "\$2"; }
on target "BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(120)" >/dev/null 2>&1 &
until [ "\$(on target "SELECT count(*) FROM pg_locks WHERE granted AND mode = 'AccessExclusiveLock' AND relation = 't'::regclass")" = 1 ]; do sleep 0.1; done
on source "UPDATE t SET n = n + 1 WHERE id = 1"
SH
    flow_plan h7 h7 ', "cutover": {"maxLag": "10s", "hooks": {"before": "sh '"$PGC_DIR/h7.sh"'"}}'
    pgc --batch "$PGC_DIR/h7.json" --until ready -q || { fail "H7: not ready"; pgc status h7; exit 1; }
    writable() { on source h7 -c "UPDATE t SET n = n + 1 WHERE id = 1"; }
    undone() { # HOW
        wait_until 60 writable && pass "H7, $1: the source is writable again" || { fail "H7, $1: not writable"; pgc status h7; exit 1; }
        local before
        before=$(on source h7 -c 'SELECT sum(n) FROM t')
        works() { [ "$(on source h7 -c 'SELECT sum(n) FROM t')" -gt $((before + 5)) ]; }
        wait_until 30 works && pass "H7, $1: the application is back" || fail "H7, $1: the application does not come back"
        is_held h7 && pgc resume h7 -q
        wait_until 60 in_state h7 READY_TO_COMPLETE || { fail "H7, $1: not ready again"; pgc status h7; exit 1; }
    }
    # The target differs: found by the comparison.
    on target h7 -c "INSERT INTO t VALUES (5000, 1)"
    pgc cutover h7 -q >/dev/null 2>&1 && fail "H7: cut over to a target that differs"
    undone "the target differs"
    on target h7 -c "DELETE FROM t WHERE id = 5000"
    # Somebody holds a lock on the target, the stream cannot be drained; then the target goes away.
    touch "$PGC_DIR/h7.lock"
    pgc cutover h7 -q >/dev/null 2>&1 &
    frozen() { [ "$(on source h7 -c 'SHOW default_transaction_read_only')" = on ]; }
    wait_until 60 frozen || { fail "H7: it does not freeze"; pgc status h7; exit 1; }
    cluster_stop target immediate
    wait $!
    cluster_again target
    over() { in_state h7 READY_TO_COMPLETE COMPLETE; }
    wait_until 60 over
    if in_state h7 COMPLETE; then
        pass "H7: the target went away and came back, and the cutover went through"
        workload_stop
        finish_flow h7 h7
        return
    fi
    undone "the target goes away"
    wait_until 60 in_state h7 READY_TO_COMPLETE || { fail "H7: not ready"; pgc status h7; exit 1; }
    pgc cutover h7 -q || { fail "H7: cutover"; pgc status h7; }
    workload_stop
    finish_flow h7 h7
}

# Somebody else's subscription to everything: it must not meet what is ours.
others_subscription() {
    on source postgres -c 'CREATE DATABASE others' && on source others -c 'CREATE TABLE t (id int PRIMARY KEY, n int)' \
        -c 'INSERT INTO t VALUES (1, 0)' -c 'CREATE PUBLICATION everything FOR ALL TABLES' || exit 1
    on target postgres -c 'CREATE DATABASE theirs' && on target theirs -c 'CREATE TABLE t (id int PRIMARY KEY, n int)' \
        -c "CREATE SUBSCRIPTION theirs CONNECTION '$(uri source others)' PUBLICATION everything" 2>/dev/null || exit 1
    flow_plan others others
    out=$(pgc check "$PGC_DIR/others.json" 2>&1)
    assert_contains "others: the check names their publication" "$out" "beside publication everything"
    pgc --batch "$PGC_DIR/others.json" --until ready -q || { fail "others: not ready"; pgc status others; exit 1; }
    on source others -c 'UPDATE t SET n = 1' -c 'ALTER TABLE t ADD more text' && on target theirs -c 'ALTER TABLE t ADD more text'
    on source others -c "UPDATE t SET more = 'x'"
    theirs_has() { [ "$(on target theirs -c 'SELECT n || more FROM t')" = 1x ]; }
    wait_until 30 theirs_has && pass "others: their subscription goes on" || { fail "others: their subscription stands"; tail -n 5 "$PGC_DIR/target/log"; }
    assert_equal "others: nothing of ours is published to them" "$(on source others -c "SELECT schemaname FROM pg_publication_tables WHERE pubname = 'everything' AND schemaname LIKE 'pgcutover%'")" ""
    pgc cancel others -q || fail "others: cancel"
    assert_equal "others: nothing is left" "$(leftovers_source source others)" ""
    on target theirs -c 'DROP SUBSCRIPTION theirs' 2>/dev/null
    pgc delete others -q
}

for case in ${*:-H1 H2 H4 H6 H7 others_subscription}; do
    echo "== $case"
    $case
done
took
