# Decode and spool alone, lanes on a slow line, memory. Sourced by bench.sh.

# bench_receive.sh has servers of its own.
section_receive() {
    printf '\n### Decode and spool alone, against pg_recvlogical (pgoutput) to /dev/null\n\n' | tee -a "$TABLE"
    (cd "$(dirname "$PGCUTOVER")" && RUNS=$RUNS "$bench_source/bench_receive.sh" "$(scaled 1000000)") | tee "$PGC_DIR/receive.out" | grep '^|' | tee -a "$TABLE"
    grep -q ' 0 failed' "$PGC_DIR/receive.out"
}

# Proportional memory of the engine and its workers, in kB.
memory_now() {
    local pid total=0 kb engine
    engine=$(sed -n 's/.*the engine runs as process \([0-9]*\).*/\1/p' "$STATE/load/log.jsonl" 2>/dev/null | tail -1)
    for pid in $engine $(cat "/proc/${engine:-0}/task/${engine:-0}/children" 2>/dev/null); do
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
        -c "INSERT INTO large SELECT i, repeat(md5(i::text), 32000) FROM generate_series(1, 200) i"
    for i in 1 2 3 4 5 6 7; do on source bench_a -c "CREATE TABLE l$i (LIKE large INCLUDING ALL)" -c "INSERT INTO l$i SELECT * FROM large"; done
    fresh target bench_target
    echo 0 >"$watch"
    memory_watch "$watch" &
    our_jobs=8 ours bench_a bench_target || return 1
    cp "$watch" "$watch.load" && rm -f "$watch"
    memory_row "eight copies at a time, rows of 1 MB" "$watch.load"
    echo 0 >"$watch"
    memory_watch "$watch" &
    on source bench_a -c "UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid <= $(scaled 1000000)" -c "UPDATE large SET body = body || 'x'"
    wait_until 600 applied_all bench_a bench_target
    cp "$watch" "$watch.sync" && rm -f "$watch"
    memory_row "a transaction of a million updates, rows of 1 MB updated" "$watch.sync"
    forget load
}

applied_all() { # SOURCE-DB TARGET-DB
    [ "$(on source "$1" -c 'SELECT sum(abalance) FROM pgbench_accounts')" = "$(on target "$2" -c 'SELECT sum(abalance) FROM pgbench_accounts')" ] &&
        [ "$(on source "$1" -c 'SELECT sum(length(body)) FROM large')" = "$(on target "$2" -c 'SELECT sum(length(body)) FROM large')" ]
}

# Twenty milliseconds there and back between this program and the target: what one lane and four make of the same
# backlog. A model of a far target, whose processor is not the limit.
lanes_begin() { # LANES
    fresh source lanes && fresh target lanes && drain_tables | on source lanes -f - || return 1
    on source lanes -c "INSERT INTO hot SELECT $wide_row FROM generate_series(1, 200000) n"
    plan lanes lanes lanes ', "load": {"jobs": 2}, "sync": {"jobs": '"$1"'}'
    sed -i "s#host=$PGC_DIR/target#host=$PGC_DIR/far#" "$PGC_DIR/lanes.json"
    pgc --batch "$PGC_DIR/lanes.json" --until ready --yes -q >"$PGC_DIR/bench.out" 2>&1 || { cat "$PGC_DIR/bench.out"; return 1; }
    pgc pause lanes -q
    on source lanes -c "DO \$\$ BEGIN FOR step IN 1 .. $(scaled 200000) LOOP UPDATE hot SET a = a + 1, d = md5(d) WHERE id = step;
        IF step % 20 = 0 THEN COMMIT; END IF; END LOOP; END \$\$" -c 'INSERT INTO mark VALUES (1)'
}

lanes_drain() { pgc resume lanes -q && wait_for_mark lanes 1; }

section_lanes() {
    local proxy=${FAULT_PROXY:-$(dirname "$PGCUTOVER")/fault_proxy} run lanes
    [ -x "$proxy" ] || { echo "SKIP: lanes: no $proxy (make fault_proxy)"; return 0; }
    head_row "Lanes, with 20 ms between here and the target (ratio: how many times as fast)"
    mkdir -p "$PGC_DIR/far"
    mkfifo "$PGC_DIR/far.commands"
    "$proxy" "$PGC_DIR/far/.s.PGSQL.5432" "$PGC_DIR/target/.s.PGSQL.5432" 1 <"$PGC_DIR/far.commands" >/dev/null &
    exec 8>"$PGC_DIR/far.commands"
    for run in $(seq "$RUNS"); do
        for lanes in 1 4; do
            echo 'delay 0' >&8
            lanes_begin "$lanes" || { fail "lanes: set-up"; forget lanes; return; }
            echo 'delay 10' >&8
            timed "$PGC_DIR/lanes.$lanes" lanes_drain
            same_rows "$lanes lanes" lanes lanes
            echo 'delay 0' >&8
            forget lanes
        done
    done
    exec 8>&-
    row "updates by key, 20 a transaction: four lanes against one" "$(median "$PGC_DIR/lanes.4") s" "$(median "$PGC_DIR/lanes.1") s" \
        "$(ratio "$PGC_DIR/lanes.1" "$PGC_DIR/lanes.4")" ">= 3.0"
}
