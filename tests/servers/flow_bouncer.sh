#!/usr/bin/env bash
# A cutover under clients that go through PgBouncer: no transaction fails, none is lost, none is applied twice, and how long the
# longest wait was; and back to the source where the cutover is undone.
#   PGC_ROUNDS  cutovers (1)
. "$(dirname "$0")/flow_tools.sh"
BOUNCER=$(command -v pgbouncer || ls /usr/sbin/pgbouncer 2>/dev/null)
[ -n "$BOUNCER" ] || { echo "SKIP: no pgbouncer"; exit 77; }
PGBENCH=$PGC_BIN/pgbench
[ -x "$PGBENCH" ] || PGBENCH=$(command -v pgbench)
[ -x "$PGBENCH" ] || { echo "SKIP: no pgbench"; exit 77; }
cluster_start source max_connections=60 || exit 1
cluster_start target max_connections=60 || exit 1
rounds=${PGC_ROUNDS:-1}

ini=$PGC_DIR/pgbouncer.ini
bouncer_start() { # DATABASE
    mkdir -p "$PGC_DIR/bouncer" && chmod 777 "$PGC_DIR/bouncer"
    echo '"postgres" ""' >"$PGC_DIR/users.txt"
    cat >"$ini" <<INI
; the application's pooler
[databases]
$1 = host=$PGC_DIR/source port=5432 dbname=$1 pool_size=8
other = host=$PGC_DIR/source port=5432 dbname=postgres

[pgbouncer]
listen_addr =
unix_socket_dir = $PGC_DIR/bouncer
listen_port = 6432
auth_type = trust
auth_file = $PGC_DIR/users.txt
admin_users = postgres
pool_mode = transaction
logfile = $PGC_DIR/bouncer/log
pidfile = $PGC_DIR/bouncer/pid
ignore_startup_parameters = extra_float_digits
INI
    chmod 666 "$ini" "$PGC_DIR/users.txt"
    as_server "$BOUNCER" -q "$ini" &
    bouncer=$!
    wait_until 10 console "SHOW VERSION" || fail "PgBouncer does not start: $(cat "$PGC_DIR/bouncer/log")"
}
console() { psql -XAtq -h "$PGC_DIR/bouncer" -p 6432 -U postgres pgbouncer -c "$1" >"$PGC_DIR/console" 2>&1; }
bouncer_stop() {
    kill "$(cat "$PGC_DIR/bouncer/pid")" 2>/dev/null
    wait "$bouncer" 2>/dev/null
}
leads_to() { console "SHOW DATABASES" && grep "^$1|" "$PGC_DIR/console" | cut -d'|' -f2; }

bench_begin() { # DATABASE: simple protocol, through the pooler; each transaction logged with its time
    rm -f "$PGC_DIR"/bench.log*
    (cd "$PGC_DIR" && exec "$PGBENCH" -n -c 4 -j 1 -T "${2:-25}" -R 1000 -l --log-prefix="$PGC_DIR/bench.log" -h "$PGC_DIR/bouncer" -p 6432 -U postgres "$1") \
        >"$PGC_DIR/bench.out" 2>"$PGC_DIR/bench.err" &
    bench=$!
}
# pgbench's own invariants: every transaction adds one row and the same amount to four tables.
assert_whole() { # WHAT DATABASE
    local processed failed
    processed=$(sed -n 's/^number of transactions actually processed: \([0-9]*\).*/\1/p' "$PGC_DIR/bench.out")
    failed=$(sed -n 's/^number of failed transactions: \([0-9]*\).*/\1/p' "$PGC_DIR/bench.out")
    assert_equal "$1: clients saw no error" "$(grep -c . "$PGC_DIR/bench.err" | sed 's/^0$//'; grep -v 'progress' "$PGC_DIR/bench.err" | head -3)" ""
    assert_equal "$1: none failed" "${failed:-0}" 0
    assert_equal "$1: none is lost, none is there twice ($processed)" "$(on target "$2" -c "SELECT count(*) FROM pgbench_history")" "$processed"
    assert_equal "$1: the sums agree" "$(on target "$2" -c "SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(delta) FROM pgbench_history)
        AND (SELECT sum(tbalance) FROM pgbench_tellers) = (SELECT sum(delta) FROM pgbench_history) AND (SELECT sum(bbalance) FROM pgbench_branches) = (SELECT sum(delta) FROM pgbench_history)")" t
}
# Of those that ended from one second to another; not counting what a transaction was late to begin with.
longest_ms() { # FROM TO
    cat "$PGC_DIR"/bench.log* | awk -v from="$1" -v to="$2" '$5 >= from && $5 <= to && $3 - $7 > most {most = $3 - $7} END {printf "%d", most / 1000}'
}

begin_round() { # NAME
    on source postgres -c "CREATE DATABASE $1"
    "$PGBENCH" -i -q -s 2 -h "$PGC_DIR/source" -U postgres "$1" 2>/dev/null
    on source "$1" -c "ALTER TABLE pgbench_history ADD id bigserial PRIMARY KEY"
    before=$(footprint source "$1")
    bouncer_start "$1"
    plan "$1" "[{\"name\": \"$1\"}]" "\"cutover\": {\"pgbouncer\": {\"uri\": \"postgresql://postgres@/pgbouncer?host=$PGC_DIR/bouncer&port=6432\", \"config\": \"$ini\"}, \"hooks\": {\"before\": \"$PGC_DIR/lock.sh\"}, \"maxDowntime\": \"5s\"}"
    bench_begin "$1" "$2"
    run --batch "$PGC_DIR/$1.json"
    assert_run "$1: ready" 0
    run verify "$1"
    assert_run "$1: equal under load" 0
}

cat >"$PGC_DIR/lock.sh" <<SH
#!/bin/sh
[ -e "$PGC_DIR/locks" ] || exit 0
rm "$PGC_DIR/locks"
"$PGC_BIN/psql" -X -h "$PGC_DIR/target" -U postgres "\$PGCUTOVER_TARGET_DATABASE" -c "BEGIN" -c "LOCK TABLE pgbench_tellers" -c "SELECT pg_sleep(9)" >/dev/null 2>&1 &
sleep 0.5
SH
chmod +x "$PGC_DIR/lock.sh"
for round in $(seq "$rounds"); do
    name=shop$round
    begin_round "$name" $((round == 1 ? 30 : 15))
    if [ "$round" = 1 ]; then
        # Undone: somebody keeps a lock on the target, so that the budget is used up; clients wait, and go on on the source.
        touch "$PGC_DIR/locks"
        run cutover "$name"
        assert_run "undone" 1 "writes were stopped for longer than cutover.maxDowntime (5.0 s) allows" "PgBouncer's database \"$name\" goes on"
        sleep 4 # the session that was in the way
        assert_equal "undone: the pooler leads to the source" "$(leads_to "$name")" "$PGC_DIR/source"
        was=$(on source "$name" -c "SELECT count(*) FROM pgbench_history")
        goes_on() { [ "$(on source "$name" -c "SELECT count(*) FROM pgbench_history")" -gt "$was" ]; }
        wait_until 10 goes_on && pass "undone: clients go on" || fail "undone: clients hang"
        wait_until 30 in_state "$name" "$name" READY_TO_COMPLETE || fail "not ready again"
    fi
    began=$(date +%s)
    run cutover "$name"
    ended=$(date +%s)
    assert_run "$name: cutover" 0
    [ "$status" = 0 ] || { cat "$ini" "$PGC_DIR/bouncer/log"; console "SHOW DATABASES"; cat "$PGC_DIR/console"; }
    downtime=$(status_of "$name" "SELECT s->>'text' FROM output, json_array_elements(item->'cutoverSteps') s WHERE s->>'name' = 'switch PgBouncer' AND type = 'DatabaseLevelOutput'")
    assert_contains "$name: the entry as it was is told" "$downtime" "pool_size=8"
    wait $bench
    assert_equal "$name: the pooler leads to the target" "$(leads_to "$name")" "$PGC_DIR/target"
    assert_equal "$name: other entries and settings stay" "$(grep -c 'pool_size=8\|^other = host=.*source\|the application' "$ini")" 3
    assert_whole "$name" "$name"
    echo "round $round: the longest wait of a client was $(longest_ms "$began" $((ended + 1))) ms, $(status_of "$name" "SELECT item->>'downtimeSeconds' FROM output WHERE type = 'DatabaseLevelOutput'") s of downtime"
    bouncer_stop
    run delete "$name"
    assert_run "$name: delete" 0
    assert_equal "$name: left on the source" "$(footprint source "$name")" "$before"
done
finish
