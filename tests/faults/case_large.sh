#!/usr/bin/env bash
# Large and long (L9, L16): one value of 200 MB, one transaction of PGC_ROWS (5 million) rows, one that stays open for
# PGC_HOLD seconds (120) beside others; the engine is killed in the middle of each, and the memory of all
# processes stays bounded while the large transaction passes. Part of check-faults.
. "$(dirname "$0")/../servers/flow_lib.sh"
rows=${PGC_ROWS:-5000000}
hold=${PGC_HOLD:-120}
cluster_start source logical_decoding_work_mem=64MB max_wal_size=4GB && cluster_start target max_wal_size=4GB || exit 1
on source postgres -c 'CREATE DATABASE large' && on source large <<'SQL' || exit 1
CREATE TABLE wide (id int PRIMARY KEY, n int NOT NULL DEFAULT 0, body text);
ALTER TABLE wide ALTER body SET STORAGE EXTERNAL;
CREATE TABLE many (id int PRIMARY KEY, n int, t text);
CREATE TABLE held (id int PRIMARY KEY, n int NOT NULL DEFAULT 0);
INSERT INTO held SELECT generate_series(1, 1000);
INSERT INTO wide VALUES (1, 0, repeat(md5('a'), 6553600));
SQL
target_has() { [ "$(on target large -c "$1")" = "$2" ]; }
again() { kill_engine large && pgc resume large -q; }

flow_plan large large ', "cutover": {"maxLag": "30s"}'
pgc --batch "$PGC_DIR/large.json" --until ready -q || { fail "not ready"; pgc status large; exit 1; }
pass "L9: 200 MB in one value loaded"
mkfifo "$PGC_DIR/open" && exec 9<>"$PGC_DIR/open"
on source large -o /dev/null <"$PGC_DIR/open" 9>&- &
holder=$!
echo "BEGIN; UPDATE held SET n = n + 1 WHERE id <= 500;" >&9
until_s=$(($(date +%s) + hold))

on source large -c "UPDATE wide SET n = 1 WHERE id = 1" -c "INSERT INTO wide VALUES (2, 0, repeat(md5('b'), 6553600))" -c "UPDATE wide SET body = repeat(md5('c'), 6553600) WHERE id = 1" -c "UPDATE wide SET n = 2"
sleep 2
again
wait_until 300 target_has "SELECT sum(n), count(*) FROM wide" "4|2" && pass "L9: 200 MB changed, beside it, and kept" || { fail "L9"; pgc status large; }

memory_kb() {
    local total=0 pid pss
    for pid in $(engine_pid large) $(worker_pids large | cut -d' ' -f1); do
        pss=$(sed -n 's/^Pss: *\([0-9]*\) kB/\1/p' "/proc/$pid/smaps_rollup" 2>/dev/null)
        total=$((total + ${pss:-0}))
    done
    echo $total
}
most=0
many_are_there() {
    local now
    now=$(memory_kb)
    [ "$now" -gt $most ] && most=$now
    target_has "SELECT count(*) FROM many" "$rows"
}
again # what 200 MB took is given back
on source large -c "BEGIN" -c "INSERT INTO many SELECT i, i % 100, md5(i::text) FROM generate_series(1, $rows) i" -c "UPDATE many SET n = n + 1 WHERE id % 10 = 0" -c "COMMIT" &
writer=$!
for i in $(seq 50); do on source large -c "UPDATE held SET n = n + 1 WHERE id = 500 + $i"; done
wait $writer
sleep 3
again
wait_until 1800 many_are_there && pass "L16: a transaction of $rows rows, killed in its middle" || { fail "L16"; pgc status large; }
[ $most -gt 0 ] && [ $most -lt 250000 ] && pass "memory of all processes: at most $most kB" || fail "memory of all processes: $most kB"
while [ "$(date +%s)" -lt "$until_s" ]; do sleep 1; done
assert_equal "L16: what is open is not there" "$(on target large -c 'SELECT count(*) FROM held WHERE id <= 500 AND n > 0')" 0
echo "UPDATE held SET n = n + 10 WHERE id = 1; COMMIT;" >&9
exec 9>&-
wait $holder
wait_until 60 target_has "SELECT sum(n) FROM held" 560 && pass "L16: held for $hold s" || { fail "L16: held"; pgc status large; }
wait_until 120 in_state large READY_TO_COMPLETE || { fail "not ready"; pgc status large; }
pgc cutover large -q || { fail "cutover"; pgc status large; }
finish_flow large large
took
