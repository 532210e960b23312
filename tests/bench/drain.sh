# Draining a backlog: a native subscription and a migration follow the same source; both are stopped, the work is
# done on the source, then each drains the very same WAL by itself, in turn first. The clock runs from the
# command that starts it to the moment when the last transaction is visible on the target. Sourced by bench.sh.

drain_tables() {
    cat <<'SQL'
CREATE TABLE wide (id bigint PRIMARY KEY, a int, b int, c bigint, d text, e text, f timestamptz, g numeric, h boolean, i float8);
CREATE TABLE hot (id bigint PRIMARY KEY, a int, b int, c bigint, d text, e text, f timestamptz, g numeric, h boolean, i float8);
CREATE TABLE gone (id bigint PRIMARY KEY, a int, b int, c bigint, d text, e text, f timestamptz, g numeric, h boolean, i float8);
CREATE TABLE mark (id int PRIMARY KEY);
CREATE TABLE lat (id bigserial PRIMARY KEY, note text);
SQL
}

wide_row="n, n % 1000, (n % 77)::int, n * 3, md5(n::text), 'note ' || n, timestamptz '2024-01-01' + n * interval '1 s', (n % 10000) / 100.0, n % 2 = 0, n / 3.0"

# in_transactions COUNT SIZE STATEMENTS: plpgsql that sees step and k (a key of hot), a commit behind every SIZE of them.
in_transactions() {
    PGOPTIONS="-c synchronous_commit=off" on source drain -c "DO \$\$ DECLARE k bigint; BEGIN
        FOR step IN 1 .. $1 LOOP k := (step * 7919::bigint) % 200000 + 1; $3; IF step % $2 = 0 THEN COMMIT; END IF; END LOOP; END \$\$"
}

wide_rows() { # FROM TO: of this run
    echo "INSERT INTO wide SELECT $wide_row FROM generate_series($mark * 1000000000::bigint + $1, $mark * 1000000000::bigint + $2) n"
}

work_T() { PGOPTIONS="-c synchronous_commit=off" "$PGBENCH" -n -c 2 -t "$(scaled 100000)" -h "$PGC_DIR/source" -U postgres drain >/dev/null 2>&1; }
work_I() { in_transactions "$(scaled 2000)" 1 "$(wide_rows 'step * 1000' 'step * 1000 + 999')"; }
work_U() { in_transactions "$(scaled 1000000)" 100 "UPDATE hot SET a = a + 1, d = md5(d), f = now() WHERE id = k"; }
work_D() { in_transactions "$(scaled 500)" 1 "DELETE FROM gone WHERE id BETWEEN (step - 1) * 1000 + 1 AND step * 1000"; }
work_M() {
    in_transactions "$(scaled 600000)" 50 "IF step % 10 < 4 THEN $(wide_rows step step);
        ELSIF step % 10 < 8 THEN UPDATE hot SET b = b + 1, e = left(e, 20) || 'x' WHERE id = k; ELSE DELETE FROM gone WHERE id = step; END IF"
}
work_X() { on source drain -c "$(wide_rows 1 "$(scaled 1000000)")"; }

# Both follow, and are stopped again.
drain_begin() {
    fresh source drain && fresh target drain_native && fresh target drain_ours || return 1
    "$PGBENCH" -i -q -s 10 -h "$PGC_DIR/source" -U postgres drain 2>/dev/null
    drain_tables | on source drain -f -
    # pgbench_history has no key: both insert into it only.
    on source drain -c "INSERT INTO hot SELECT $wide_row FROM generate_series(1, 200000) n" \
        -c "INSERT INTO gone SELECT $wide_row FROM generate_series(1, $(scaled 500000)) n" -c 'ALTER TABLE pgbench_history ADD id bigserial PRIMARY KEY' -c 'VACUUM ANALYZE' -c 'CHECKPOINT'
    pg_dump_of source drain -s | on target drain_native -f -
    on source drain -c 'CREATE PUBLICATION bench_drain FOR TABLE pgbench_accounts, pgbench_branches, pgbench_tellers, pgbench_history, wide, hot, gone, mark, lat'
    on target drain_native -c "CREATE SUBSCRIPTION bench_drain CONNECTION '$(uri source drain)' PUBLICATION bench_drain WITH (binary = ${PGC_BENCH_NATIVE_BINARY:-false})" 2>/dev/null
    wait_until 300 subscribed drain_native || return 1
    plan drain drain drain_ours ', "load": {"jobs": 2}, "limits": {"sourceSlotWal": "100GB"}'"${PGC_BENCH_SYNC:-}"
    pgc --batch "$PGC_DIR/drain.json" --until ready --yes -q >"$PGC_DIR/bench.out" 2>&1 || { cat "$PGC_DIR/bench.out"; return 1; }
    on target drain_native -c 'ALTER SUBSCRIPTION bench_drain DISABLE'
    pgc pause drain -q
    sleep 1
}

drain_end() {
    on target drain_native -c 'ALTER SUBSCRIPTION bench_drain ENABLE' -c 'DROP SUBSCRIPTION bench_drain' 2>/dev/null
    forget drain
}

# Each look is a transaction of its own: one snapshot over all would keep every dead row of the target.
wait_for_mark() { # TARGET-DB ID
    on target "$1" -c "DO \$\$ BEGIN WHILE NOT EXISTS (SELECT FROM mark WHERE id = $2) LOOP COMMIT; PERFORM pg_sleep(0.01); END LOOP; END \$\$"
}

drain_native() { on target drain_native -c 'ALTER SUBSCRIPTION bench_drain ENABLE' && wait_for_mark drain_native "$1"; }
drain_ours() { pgc resume drain -q && wait_for_mark drain_ours "$1"; }

drain_run() { # KIND RUN
    local kind=$1 mark=$2 order="native ours" way
    "work_$kind"
    on source drain -c "INSERT INTO mark VALUES ($mark)" -c 'CHECKPOINT'
    on target postgres -c 'CHECKPOINT'
    [ $((mark % 2)) = 0 ] && order="ours native"
    for way in $order; do
        timed "$PGC_DIR/drain.$kind.$way" "drain_$way" "$mark" || return 1
        [ "$way" = native ] && on target drain_native -c 'ALTER SUBSCRIPTION bench_drain DISABLE' || pgc pause drain -q
        sleep 1
    done
}

section_drain() {
    local kind run mark=0
    head_row "Drain of a backlog, against a native subscription (ratio: how many times as fast)"
    for kind in ${PGC_BENCH_DRAIN:-T I U D M X}; do
        drain_begin || { fail "drain $kind: set-up"; drain_end; continue; }
        for run in $(seq "$RUNS"); do
            mark=$((mark + 1))
            # What D deletes is there once: it comes back, outside of the clock, as part of the next backlog.
            [ "$run" -gt 1 ] && { [ "$kind" = D ] || [ "$kind" = M ]; } && { drain_end; drain_begin || break; }
            drain_run "$kind" "$mark" || { fail "drain $kind: run $run"; break; }
        done
        same_rows "drain $kind: native" drain drain_native
        same_rows "drain $kind: ours" drain drain_ours
        drain_end
        drain_row "$kind"
    done
}

drain_row() { # KIND
    local goal names
    goal=$(case $1 in T | M) echo 1.7 ;; I) echo 1.5 ;; U) echo 2.2 ;; D) echo 1.4 ;; X) echo 1.3 ;; esac)
    names=$(case $1 in T) echo "pgbench tpcb-like" ;; I) echo "inserts, 1,000 a transaction" ;; U) echo "updates by key, 100 a transaction" ;;
        D) echo "deletes, 1,000 a transaction" ;; M) echo "mixed, 50 a transaction" ;; X) echo "one transaction of a million inserts" ;; esac)
    row "$1: $names" "$(median "$PGC_DIR/drain.$1.ours") s" "$(median "$PGC_DIR/drain.$1.native") s" \
        "$(ratio "$PGC_DIR/drain.$1.native" "$PGC_DIR/drain.$1.ours")" ">= $goal"
}

# From a commit on the source to the same row visible on the target, by the commit records of both servers, which
# share a clock (what a subscription's transactions have as commit timestamp is the source's). Each follows alone, in turn.
commits() { # CLUSTER FROM-LSN: "xid time", the time in seconds of the day
    TZ=UTC "$PGC_BIN/pg_waldump" -p "$PGC_DIR/$1/data/pg_wal" -s "$2" -e "$(on "$1" postgres -c 'SELECT pg_current_wal_flush_lsn()')" -r Transaction 2>/dev/null |
        sed -n 's/.*tx: *\([0-9]*\), .*desc: COMMIT [-0-9]* \([0-9]*\):\([0-9]*\):\([0-9.]*\) .*/\1 \2 \3 \4/p' |
        awk '{ printf "%s %.6f\n", $1, $2 * 3600 + $3 * 60 + $4 }' | LC_ALL=C sort -k 1,1
}

commit_times() { # CLUSTER DATABASE FROM-ID FROM-LSN: "id time"
    on "$1" "$2" -F' ' -c "SELECT xmin, id FROM lat WHERE id > $3" | LC_ALL=C sort -k 1,1 >"$PGC_DIR/lat.rows"
    commits "$1" "$4" | LC_ALL=C join - "$PGC_DIR/lat.rows" | awk '{ print $3, $2 }' | LC_ALL=C sort -k 1,1
}

latencies() { # TARGET-DB FROM-ID SOURCE-LSN TARGET-LSN: appended to $PGC_DIR/lat.TARGET-DB
    commit_times source drain "$2" "$3" >"$PGC_DIR/lat.s"
    commit_times target "$1" "$2" "$4" >"$PGC_DIR/lat.t"
    LC_ALL=C join "$PGC_DIR/lat.s" "$PGC_DIR/lat.t" | awk '{ printf "%.3f\n", ($3 - $2) * 1000 }' >>"$PGC_DIR/lat.$1"
}

quantile() { # FILE Q
    sort -n "$1" | awk -v q="$2" '{ v[NR] = $1 } END { i = int(NR * q); printf "%.2f", v[i < 1 ? 1 : i] }'
}

latency_run() { # native|ours MARK
    local last source_lsn target_lsn
    on source drain -c "INSERT INTO mark VALUES ($2)"
    "drain_$1" "$2" || return 1
    sleep 2
    source_lsn=$(on source postgres -c 'SELECT pg_current_wal_lsn()') target_lsn=$(on target postgres -c 'SELECT pg_current_wal_lsn()')
    last=$(on source drain -c 'SELECT coalesce(max(id), 0) + 500 FROM lat') # the first second is not counted
    "$PGBENCH" -n -f "$PGC_DIR/lat.sql" -c 2 -R 500 -T 8 -h "$PGC_DIR/source" -U postgres drain >/dev/null 2>&1
    sleep 1
    latencies "drain_$1" "$last" "$source_lsn" "$target_lsn"
    [ "$1" = native ] && on target drain_native -c 'ALTER SUBSCRIPTION bench_drain DISABLE' || pgc pause drain -q
}

section_latency() {
    local run way q ours native
    head_row "From commit to visible, 500 transactions a second, milliseconds"
    drain_begin || { fail "latency: set-up"; drain_end; return; }
    echo "INSERT INTO lat (note) VALUES ('x');" >"$PGC_DIR/lat.sql"
    for run in $(seq 2 2 $((2 * RUNS))); do
        latency_run native "$run" && latency_run ours "$((run + 1))" || break
    done
    drain_end
    for q in 0.5 0.99; do
        ours=$(quantile "$PGC_DIR/lat.drain_ours" $q) native=$(quantile "$PGC_DIR/lat.drain_native" $q)
        row "$([ $q = 0.5 ] && echo median || echo "99th percentile")" "$ours" "$native" \
            "$(awk -v a="$ours" -v b="$native" 'BEGIN { printf "%.2f", a / b }')" "<= $([ $q = 0.5 ] && echo 1.2 || echo 1.5)"
    done
}
