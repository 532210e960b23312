# Full load with indexes and foreign keys: the whole command, until the target is ready, against its peers on
# the same servers in turn. Sourced by bench.sh.

# The limit: binary COPY into COPY FREEZE in the transaction that truncates, largest first, two at a time; then
# indexes, keys and foreign keys, two at a time. No snapshot, no check, nothing that could be resumed.
raw_table() { # SOURCE-DB TARGET-DB TABLE
    psql -X -q -h "$PGC_DIR/source" -U postgres -d "$1" -c "COPY $3 TO STDOUT (FORMAT binary)" |
        psql -X -q -v ON_ERROR_STOP=1 -h "$PGC_DIR/target" -U postgres -d "$2" -c 'BEGIN' -c "TRUNCATE $3" \
            -c "COPY $3 FROM STDIN (FORMAT binary, FREEZE)" -c 'COMMIT'
}

raw_copy() { # SOURCE-DB TARGET-DB
    export -f raw_table
    export PGC_DIR
    pg_dump_of source "$1" -Fc -s -f "$PGC_DIR/raw.dump" &&
        "$PGC_BIN/pg_restore" -h "$PGC_DIR/target" -U postgres -d "$2" --section=pre-data "$PGC_DIR/raw.dump" &&
        on source "$1" -c "SELECT oid::regclass FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
            ORDER BY pg_table_size(oid) DESC" |
        xargs -P 2 -I{} bash -c 'raw_table "$@"' raw "$1" "$2" {} &&
        "$PGC_BIN/pg_restore" -h "$PGC_DIR/target" -U postgres -d "$2" --section=post-data -j 2 "$PGC_DIR/raw.dump"
}

pg_dump_of() { # CLUSTER DATABASE OPTIONS...
    local cluster=$1 database=$2
    shift 2
    "$PGC_BIN/pg_dump" -h "$PGC_DIR/$cluster" -U postgres "$@" "$database"
}

dump_restore() { # SOURCE-DB TARGET-DB
    rm -rf "$PGC_DIR/dump"
    pg_dump_of source "$1" -Fd -Z0 -j 2 -f "$PGC_DIR/dump" &&
        "$PGC_BIN/pg_restore" -h "$PGC_DIR/target" -U postgres -d "$2" -j 2 "$PGC_DIR/dump"
}

copydb() { # SOURCE-DB TARGET-DB
    rm -rf "$PGC_DIR/copydb"
    pgcopydb clone --source "$(uri source "$1")" --target "$(uri target "$2")" --dir "$PGC_DIR/copydb" \
        --table-jobs "${copydb_jobs:-4}" --index-jobs "${copydb_jobs:-4}"
}

ours() { # SOURCE-DB TARGET-DB
    plan "load" "$1" "$2" ', "load": {"jobs": '"${our_jobs:-2}"'}'
    pgc --batch "$PGC_DIR/load.json" --until ready --yes -q
}

subscription_load() { # SOURCE-DB TARGET-DB: native initial copy, indexes afterwards
    pg_dump_of source "$1" -Fc -s -f "$PGC_DIR/sub.dump" &&
        "$PGC_BIN/pg_restore" -h "$PGC_DIR/target" -U postgres -d "$2" --section=pre-data "$PGC_DIR/sub.dump" &&
        on source "$1" -c 'CREATE PUBLICATION bench_load FOR ALL TABLES' &&
        on target "$2" -c "CREATE SUBSCRIPTION bench_load CONNECTION '$(uri source "$1")' PUBLICATION bench_load WITH (binary = true)" &&
        wait_until 900 subscribed "$2" &&
        "$PGC_BIN/pg_restore" -h "$PGC_DIR/target" -U postgres -d "$2" --section=post-data -j 2 "$PGC_DIR/sub.dump"
}

subscribed() { # TARGET-DB
    [ "$(on target "$1" -c "SELECT count(*) FROM pg_subscription_rel WHERE srsubstate <> 'r'")" = 0 ]
}

after_run() { # WAY SOURCE-DB TARGET-DB: nothing of it goes into the next run
    case $1 in
        ours) forget load ;;
        subscription_load)
            on target "$3" -c 'DROP SUBSCRIPTION bench_load'
            on source "$2" -c 'DROP PUBLICATION bench_load'
            ;;
    esac
    on target postgres -c 'CHECKPOINT'
    on source postgres -c 'CHECKPOINT'
}

load_runs() { # TITLE SOURCE-DB WAY...
    local title=$1 db=$2 way run
    shift 2
    for run in $(seq "$RUNS"); do
        for way in "$@"; do
            fresh target bench_target || return 1
            timed "$PGC_DIR/$db.$way" "$way" "$db" bench_target
            [ "$run" = 1 ] && [ "$way" = ours ] && same_rows "$title" "$db" bench_target
            after_run "$way" "$db" bench_target 2>/dev/null
        done
    done
}

load_row() { # TITLE SOURCE-DB WAY NAME GOAL
    [ -s "$PGC_DIR/$2.$3" ] || return 0
    row "$1 against $4" "$(median "$PGC_DIR/$2.ours") s" "$(median "$PGC_DIR/$2.$3") s" \
        "$(ratio "$PGC_DIR/$2.ours" "$PGC_DIR/$2.$3")" "$5"
}

load_rows() { # TITLE SOURCE-DB
    load_row "$1" "$2" raw_copy "the raw limit" "<= 1.05"
    load_row "$1" "$2" copydb "pgcopydb" "<= 0.80"
    load_row "$1" "$2" dump_restore "pg_dump, pg_restore -j 2" ""
    load_row "$1" "$2" subscription_load "native subscription" ""
}

have_copydb=
command -v pgcopydb >/dev/null && have_copydb=copydb

section_load() {
    head_row "Full load, with indexes and foreign keys"
    fresh source bench_a && "$PGBENCH" -i -q -s "$(scaled 100)" --foreign-keys -h "$PGC_DIR/source" -U postgres bench_a 2>/dev/null
    load_runs "pgbench" bench_a ours raw_copy $have_copydb dump_restore subscription_load
    load_rows "pgbench scale $(scaled 100)" bench_a
    fresh source bench_b && on source bench_b -v rows="$(scaled 4500000)" -f "$bench_source/mixed.sql"
    load_runs "20 mixed tables" bench_b ours raw_copy $have_copydb dump_restore subscription_load
    load_rows "20 mixed tables" bench_b
}

# 80 % of the bytes in one table, and the same bytes in ten even ones.
section_uneven() {
    local rows
    rows=$(scaled 5000000)
    head_row "One table of 80 % of the bytes"
    fresh source bench_even && on source bench_even -v tables=10 -v first="$((rows / 10))" -v rest="$((rows / 10))" -f "$bench_source/uneven.sql"
    fresh source bench_uneven && on source bench_uneven -v tables=10 -v first="$((rows * 8 / 10))" -v rest="$((rows * 2 / 90))" -f "$bench_source/uneven.sql"
    load_runs "ten even tables" bench_even ours
    load_runs "one large table" bench_uneven ours
    row "one large and nine small tables against ten even ones" "$(median "$PGC_DIR/bench_uneven.ours") s" \
        "$(median "$PGC_DIR/bench_even.ours") s" "$(ratio "$PGC_DIR/bench_uneven.ours" "$PGC_DIR/bench_even.ours")" "<= 1.05"
}

section_tables() {
    local count
    count=$(scaled 10000)
    head_row "$count small tables"
    fresh source bench_many && on source bench_many -v tables="$count" -f "$bench_source/many.sql"
    our_jobs=4 RUNS=$(((RUNS + 1) / 2)) load_runs "$count tables" bench_many ours $have_copydb
    load_row "$count tables of 20 rows, a key and an index" bench_many copydb pgcopydb "<= 0.50"
}
