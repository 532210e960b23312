#!/usr/bin/env bash
# A cutover that fails at each of its steps, in each way: the engine killed, its sessions on either server ended, the target restarted
# (immediate), a lock in its way on the target, the target's disk full (a small tmpfs: wants root). Each time it is either undone, with the source writable again within PGC_BUDGET_MS
# of the fault's end, or it has gone forward and is complete: never between. The contents of both sides are compared by plain SQL each time it is complete.
#
#   PGC_FAULT_COUNT   faults at all (as many as there are steps and ways)    PGC_STEPS, PGC_WAYS   some of them, one a line
. "$(dirname "$0")/../servers/flow_tools.sh"
cluster_start source fsync=off || exit 1
disk=$PGC_DIR/target/data
as_server mkdir -p "$disk"
if mount -t tmpfs -o "size=400m,mode=700,uid=$(stat -c %u "$disk"),gid=$(stat -c %g "$disk")" pgc_faults "$disk" 2>/dev/null; then
    trap umount_and_finish EXIT
else
    echo "SKIPPED: no tmpfs can be mounted here: no full disk on the target"
    disk=
fi
umount_and_finish() { # a directory that something is mounted on cannot be removed
    local status=$?
    cluster_stop target immediate
    [ -z "$disk" ] || umount -l "$disk"
    (exit $status)
    finish
}
cluster_start target fsync=off max_wal_size=64MB min_wal_size=32MB || exit 1
budget_ms=${PGC_BUDGET_MS:-15000}
steps=${PGC_STEPS:-"list writers
all tables
check the way back
stop writes
last change applied
tables outside of the stream
large objects
sequences
materialized views
verify
nothing written since
arm the way back
open the target
clean up"}
ways=${PGC_WAYS:-"kill
end sessions
restart
kill and restart
lock${disk:+
disk}"}

on source postgres -c 'CREATE DATABASE shop'
on source shop -o /dev/null <<'SQL'
CREATE TABLE customer (id serial PRIMARY KEY, name text NOT NULL);
CREATE TABLE sale (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer int NOT NULL REFERENCES customer, n int, note text);
CREATE UNLOGGED TABLE cart (id int PRIMARY KEY, v text);
CREATE MATERIALIZED VIEW total AS SELECT customer, sum(n) AS n FROM sale GROUP BY customer;
INSERT INTO customer (name) SELECT 'c' || i FROM generate_series(1, 1000) i;
INSERT INTO sale (customer, n, note) SELECT 1 + i % 1000, i, repeat(md5(i::text), 5) FROM generate_series(1, 60000) i;
INSERT INTO cart SELECT i, 'x' FROM generate_series(1, 50) i;
SELECT lo_from_bytea(0, '\x1234');
SQL
cat >"$PGC_DIR/work.sql" <<'SQL'
INSERT INTO customer (name) VALUES ('new');
INSERT INTO sale (customer, n) SELECT max(id), 1 FROM customer;
UPDATE sale SET n = n + 1 WHERE id % 997 = 3;
UPDATE cart SET v = v || '.' WHERE id = 1;
SQL

begin() {
    "$PGC_PROGRAM" cancel shop --state-dir "$STATE" >/dev/null 2>&1
    "$PGC_PROGRAM" delete shop --state-dir "$STATE" >/dev/null 2>&1
    rm -rf "$STATE"
    on target postgres -c 'DROP DATABASE IF EXISTS shop'
    plan shop '[{"name": "shop"}]' '"cutover": {"fallback": true}'
    run_when_ready --batch "$PGC_DIR/shop.json"
    [ "$status" = 0 ] || fail "a new migration: $err"
}

log_lines() { wc -l <"$STATE/shop/log.jsonl"; }
is_at() { # STEP LINE: has it begun since that line of the log?
    tail -n "+$(($2 + 1))" "$STATE/shop/log.jsonl" | grep -q "cutover: $1: running"
}
is_writable() { on source shop -c "UPDATE cart SET v = 'w' WHERE id = 2" >/dev/null 2>&1; }

end_sessions() { # SERVER
    on "$1" postgres -o /dev/null -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name IN ('pgcutover:cutover', 'pgcutover:close')"
}

# PostgreSQL itself does not come up again when it is ended between the two files of an unlogged table that is being made ("could not
# create file ...: File exists"): the target is lost then, and the source has to be writable all the same.
target_again() {
    cluster_again target >"$PGC_DIR/again" 2>&1 && return
    grep -q "could not create file .*: File exists" "$PGC_DIR/again" || { cat "$PGC_DIR/again" >&2; fail "the target does not come up again"; }
    echo "the target's own recovery failed; it is made anew"
    lost=1
}

harm() { # WAY
    case $1 in
        kill) kill -9 "$(engine_pid shop)" ;;
        "end sessions") end_sessions target; end_sessions source ;;
        "kill and restart") kill -9 "$(engine_pid shop)"; cluster_stop target immediate; target_again ;;
        restart) cluster_stop target immediate; target_again ;;
        lock) # of somebody who has opened a transaction on the target, and goes away after a while
            on target shop -o /dev/null -c "BEGIN; LOCK TABLE customer, sale IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(2); COMMIT" 2>/dev/null & ;;
        disk) full_disk ;;
    esac
}

# Full to the last byte, for as long as it takes to get back or forward, but not for ever: behind the opening of the target there
# is no way but forward, and that wants room. A server that could not go on, or not start, is started again.
full_disk() {
    local until=$(($(date +%s) + 8))
    dd if=/dev/zero of="$disk/ballast" bs=64k 2>/dev/null
    dd if=/dev/zero of="$disk/ballast2" bs=1 count=65536 2>/dev/null
    until { ! kill -0 $asked 2>/dev/null && is_over; } || [ "$(date +%s)" -ge $until ]; do sleep 0.1; done
    is_over && full=$((full + 1))
    rm -f "$disk/ballast" "$disk/ballast2"
    on target postgres -c "SELECT 1" >/dev/null 2>&1 || { cluster_stop target immediate; target_again; }
}
is_over() { [ "$(state_of shop shop)" = COMPLETE ] || is_writable; }

# Either the old side or the new one, and the right one.
judge() { # WHAT
    local began=$(date +%s%N) ms
    until is_over; do
        ms=$((($(date +%s%N) - began) / 1000000))
        if [ $ms -gt "$budget_ms" ]; then
            fail "$1: neither is the source writable nor the cutover complete after $ms ms: $(state_of shop shop)"
            tail -5 "$STATE/shop/log.jsonl" >&2
            return 1
        fi
        sleep 0.05
    done
    ms=$((($(date +%s%N) - began) / 1000000))
    if [ "$(state_of shop shop)" = COMPLETE ]; then
        is_writable && fail "$1: complete, and the source is writable"
        compare "$1" "$(on target shop -c "SELECT pg_postmaster_start_time() > '$(status_of shop "SELECT item->>'targetOpenedOn' FROM output WHERE type = 'DatabaseLevelOutput'")'")"
        echo "fault $faults at $1: forward$(grep -q "restarted behind the comparison" "$STATE/shop/log.jsonl" && echo ", unlogged tables brought over once more")"
        begin
    else
        pass "$1: the source is writable again ($ms ms)"
        echo "fault $faults at $1: back"
    fi
}

# What an open target loses in a crash is its own: an unlogged table.
compare() { # WHAT CRASHED-SINCE
    local t
    for t in customer sale cart; do
        [ "$t$2" = cartt ] && continue
        assert_equal "$1: $t" "$(on target shop -c "SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM $t t")" \
            "$(on source shop -c "SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM $t t")"
    done
    assert_equal "$1: sequences" "$(on target shop -c "SELECT last_value FROM customer_id_seq")" "$(on source shop -c "SELECT last_value FROM customer_id_seq")"
}

one() { # STEP WAY
    local line asked
    faults=$((faults + 1))
    on source shop -o /dev/null -f "$PGC_DIR/work.sql"
    wait_until 60 in_state shop shop READY_TO_COMPLETE || { fail "$1, $2: not ready: $(state_of shop shop)"; begin; }
    line=$(log_lines)
    "$PGC_PROGRAM" cutover shop --state-dir "$STATE" >"$PGC_DIR/cutover.out" 2>&1 &
    asked=$!
    local until=$(($(date +%s) + 30))
    until is_at "$1" "$line" || ! kill -0 $asked 2>/dev/null || [ "$(date +%s)" -gt $until ]; do :; done
    harm "$2"
    wait $asked
    [ "$2" = lock ] && wait
    if [ "${2%% *}" = kill ]; then
        wait_until 10 engine_gone shop
        run resume shop
    elif [ "$(status_of shop "SELECT item->>'hold' FROM output WHERE type = 'DatabaseLevelOutput'")" = stopped ]; then
        run resume shop # past the point of no return it waits for somebody
    fi
    judge "$1, $2"
    [ $lost = 0 ] || make_target_anew
}

make_target_anew() {
    lost=0
    find "$PGC_DIR/target/data" -mindepth 1 -delete
    cluster_start target fsync=off max_wal_size=64MB min_wal_size=32MB
    begin
}

PGC_JSON_SERVER=source # the target has no room for it
faults=0
lost=0
full=0 # of those with a full disk, over while it was still full
most=${PGC_FAULT_COUNT:-1000}
begin
while IFS= read -r way; do
    while IFS= read -r step; do
        [ $faults -lt "$most" ] && one "$step" "$way" </dev/null
    done <<<"$steps"
done <<<"$ways"
"$PGC_PROGRAM" cancel shop --state-dir "$STATE" >/dev/null 2>&1
"$PGC_PROGRAM" delete shop --state-dir "$STATE" >/dev/null 2>&1
[ -z "$disk" ] || echo "$full times it was over, one way or the other, while the target's disk was still full"
assert_equal "nothing is left on the source" "$(footprint source shop)" ""
umount_and_finish
