# Decode and spool alone, lanes on a slow line, memory. Sourced by bench.sh.

# The same backlog, read from its slot by pg_recvlogical into nothing and by the receiver into its spool.
section_receive() {
    local program=${BENCH_RECEIVE:-$(dirname "$PGCUTOVER")/bench_receive} run
    [ -x "$program" ] || { echo "SKIP: receive: no $program (make bench_receive)"; return 0; }
    head_row "Decode and spool alone"
    fresh source receive && drain_tables | on source receive -f - && on source receive -c 'CREATE PUBLICATION bench FOR ALL TABLES'
    for run in $(seq "$RUNS"); do
        for way in recvlogical spool; do
            on source receive -c "SELECT pg_create_logical_replication_slot('bench_$way', 'pgoutput')" >/dev/null
        done
        on source receive -c "INSERT INTO wide SELECT $wide_row FROM generate_series($run * $(scaled 1000000)::bigint, ($run + 1) * $(scaled 1000000)::bigint - 1) n"
        end=$(on source receive -c 'SELECT pg_current_wal_lsn()')
        timed "$PGC_DIR/receive.recvlogical" "$PGC_BIN/pg_recvlogical" -h "$PGC_DIR/source" -U postgres -d receive -S bench_recvlogical --start \
            -o proto_version=1 -o publication_names=bench --endpos="$end" -f /dev/null
        rm -rf "$PGC_DIR/spool"
        timed "$PGC_DIR/receive.spool" "$program" "$(uri source receive)" bench_spool bench "$end" "$PGC_DIR/spool"
        for way in recvlogical spool; do
            on source receive -c "SELECT pg_drop_replication_slot('bench_$way')" >/dev/null
        done
    done
    row "a million inserts, against pg_recvlogical to /dev/null" "$(median "$PGC_DIR/receive.spool") s" "$(median "$PGC_DIR/receive.recvlogical") s" \
        "$(ratio "$PGC_DIR/receive.recvlogical" "$PGC_DIR/receive.spool")" ">= 1.0"
}

# Proportional memory of all processes of the program, in kB.
memory_now() {
    local pid total=0 kb
    for pid in $(pgrep -f 'pgc-|pgcutover'); do
        case "$(cat "/proc/$pid/comm" 2>/dev/null)" in pgc-* | pgcutover) ;; *) continue ;; esac
        kb=$(awk '/^Pss:/ { s += $2 } END { print s + 0 }' "/proc/$pid/smaps_rollup" 2>/dev/null)
        total=$((total + ${kb:-0}))
    done
    echo "$total"
}

memory_watch() { # FILE: the largest so far, until it is removed
    local most=0 now
    while [ -e "$1" ]; do
        now=$(memory_now)
        [ "$now" -gt "$most" ] && most=$now && echo "$most" >"$1"
        sleep 0.2
    done
}

memory_row() { # WORK FILE
    local mb
    mb=$(awk '{ printf "%.0f", $1 / 1024 }' "$2")
    row "$1" "$mb MB" "200 MB" "$(awk -v a="$mb" 'BEGIN { printf "%.2f", a / 200 }')" "<= 1.00"
}

# Eight copies of wide rows at a time, then one transaction of a million rows through four lanes.
section_memory() {
    local watch=$PGC_DIR/memory
    head_row "Memory of all processes together"
    fresh source bench_a && "$PGBENCH" -i -q -s "$(scaled 20)" -h "$PGC_DIR/source" -U postgres bench_a 2>/dev/null
    on source bench_a -c "CREATE TABLE large (id int PRIMARY KEY, body text)" \
        -c "INSERT INTO large SELECT i, repeat(md5(i::text), 1000000) FROM generate_series(1, 8) i"
    for i in 1 2 3 4 5 6 7; do on source bench_a -c "CREATE TABLE l$i (LIKE large INCLUDING ALL)" -c "INSERT INTO l$i SELECT * FROM large"; done
    fresh target bench_target
    echo 0 >"$watch"
    memory_watch "$watch" &
    our_jobs=8 ours bench_a bench_target || return 1
    cp "$watch" "$watch.load" && rm -f "$watch"
    memory_row "eight copies at a time, rows of 32 MB" "$watch.load"
    echo 0 >"$watch"
    memory_watch "$watch" &
    on source bench_a -c "UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid <= $(scaled 1000000)" -c "UPDATE large SET body = body || 'x'"
    wait_until 600 applied_all bench_a bench_target
    cp "$watch" "$watch.sync" && rm -f "$watch"
    memory_row "a transaction of a million updates, rows of 32 MB updated" "$watch.sync"
    forget load
}

applied_all() { # SOURCE-DB TARGET-DB
    [ "$(on source "$1" -c 'SELECT sum(abalance) FROM pgbench_accounts')" = "$(on target "$2" -c 'SELECT sum(abalance) FROM pgbench_accounts')" ] &&
        [ "$(on source "$1" -c 'SELECT sum(length(body)) FROM large')" = "$(on target "$2" -c 'SELECT sum(length(body)) FROM large')" ]
}
