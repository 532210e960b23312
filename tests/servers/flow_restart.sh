#!/usr/bin/env bash
# Restarts source and target (fast, immediate) and ends our sessions on either while loading and syncing,
# under load: the migration goes on by itself, and the contents are equal at the end (L7, L14).
#   PGC_RESTARTS  how many rounds while syncing (2); PGC_SEED repeats a run
. "$(dirname "$0")/flow_lib.sh"
cluster_start source wal_sender_timeout=10s && cluster_start target || exit 1
rounds=${PGC_RESTARTS:-2}

flow_data source shop || exit 1
workload_start shop "$script" -R "${PGC_RATE:-20}"
flow_plan restart shop ', "load": {"jobs": 2}, "cutover": {"maxLag": "5s"}'

restart() { # NAME MODE
    echo "$1: restarted, $2, while $(field restart phase)"
    cluster_stop "$1" "$2"
    cluster_again "$1" || { fail "$1 does not start again"; exit 1; }
}

end_sessions() { # NAME: each of ours, with one chance in two; at least one
    echo "$1: sessions ended while $(field restart phase): $(on "$1" postgres -c "SELECT string_agg(application_name, ' ') FROM (
        SELECT application_name, pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name LIKE 'pgcutover:%' AND (random() < 0.5 OR pid = (SELECT min(pid) FROM pg_stat_activity WHERE application_name LIKE 'pgcutover:%'))) t")"
}

one_fault() {
    case $((RANDOM % 6)) in
        0) restart source fast ;;
        1) restart source immediate ;;
        2) restart target fast ;;
        3) restart target immediate ;;
        4) end_sessions source ;;
        5) end_sessions target ;;
    esac
}

not_held() {
    ! is_held restart || { fail "held: $(pgc status restart 2>&1 | grep -A2 error)"; pgc resume restart -q; }
}

pgc --batch "$PGC_DIR/restart.json" --detach -q || { fail "the engine did not start"; exit 1; }
for fault in "restart source immediate" "restart target fast" "end_sessions source" "restart target immediate" "end_sessions target" "restart source fast"; do
    wait_until 60 in_phase restart loading "catching up" finishing syncing || { fail "not loading"; pgc status restart; exit 1; }
    sleep "0.$((RANDOM % 10))"
    in_phase restart loading || echo "loading ended early"
    $fault
    not_held
done
wait_until 120 in_state restart READY_TO_COMPLETE && pass "ready after faults while loading" || { fail "not ready"; pgc status restart; exit 1; }

for round in $(seq "$rounds"); do
    applied=$(field restart appliedChanges)
    one_fault
    not_held
    more() { [ "$(field restart appliedChanges)" -gt "$applied" ]; }
    wait_until 60 more && pass "round $round: receives and applies again" || { fail "round $round: nothing is applied any more"; pgc status restart; }
    not_held
done
wait_until 60 in_state restart READY_TO_COMPLETE || { fail "not ready again"; pgc status restart; }

# A server that goes away in the middle of the cutover: undone or carried through, never half.
pgc cutover restart -q 2>"$PGC_DIR/cutover.err" &
cutover=$!
in_cutover() { in_phase restart "cutting over" closing done; }
wait_until 30 in_cutover
restart target immediate
wait $cutover && pass "the cutover went through" || echo "the cutover was undone: $(head -1 "$PGC_DIR/cutover.err")"
[ "$(field restart hold)" = stopped ] && pgc resume restart -q
ended() { in_state restart READY_TO_COMPLETE COMPLETE; }
wait_until 60 ended || { fail "neither cut over nor ready"; pgc status restart; }
if in_state restart READY_TO_COMPLETE; then
    assert_equal "the source is writable again" "$(on source shop -c 'SHOW default_transaction_read_only')" off
    wait_until 60 pgc cutover restart -q && pass "the next cutover went through" || { fail "cutover"; pgc status restart; }
fi
workload_stop
finish_flow restart shop
took
