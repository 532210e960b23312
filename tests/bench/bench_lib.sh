# Two clusters, clocks, medians and the table, for the sections of bench.sh. Sourced by it alone.
#
#   servers_start             clusters "source" and "target", as a DBA would set them up for a load
#   timed FILE COMMAND...     runs it, appends its wall seconds to FILE; its output goes to $PGC_DIR/bench.out
#   median FILE               of the numbers in it, with two decimals
#   ratio FILE FILE           of their medians
#   row WORK A B RATIO GOAL   one line of the table; GOAL as "<= 1.05" or ">= 1.7", judged, "" for none
. "$(dirname "${BASH_SOURCE[0]}")/../servers/lib.sh"

RUNS=${PGC_BENCH_RUNS:-5}
SCALE=${PGC_BENCH_SCALE:-100} # per cent of the amounts of data
TABLE=${PGC_BENCH_TABLE:-bench.md}
PGCUTOVER=$(realpath "${PGCUTOVER:-./pgcutover}")
STATE=$PGC_DIR/state
PGBENCH=$PGC_BIN/pgbench
[ -x "$PGBENCH" ] || PGBENCH=$(command -v pgbench)
bench_source=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

settings="shared_buffers=1GB max_wal_size=8GB checkpoint_timeout=30min maintenance_work_mem=256MB
    autovacuum_naptime=1min fsync=on max_logical_replication_workers=8 max_worker_processes=16"

servers_start() {
    # shellcheck disable=SC2086 # a list
    cluster_start source $settings && cluster_start target $settings || exit 1
}

scaled() { # N
    echo $(($1 * SCALE / 100))
}

now_ms() {
    echo $(($(date +%s%N) / 1000000))
}

seconds_since() { # MS
    awk -v a="$1" -v b="$(now_ms)" 'BEGIN { printf "%.3f\n", (b - a) / 1000 }'
}

timed() { # FILE COMMAND...
    local file=$1 began
    shift
    began=$(now_ms)
    "$@" >"$PGC_DIR/bench.out" 2>&1 || { fail "$*"; tail -n 20 "$PGC_DIR/bench.out" >&2; return 1; }
    seconds_since "$began" >>"$file"
}

median() { # FILE
    sort -n "$1" | awk '{ v[NR] = $1 } END { if (NR) printf "%.2f", NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2; else printf "-" }'
}

ratio() { # FILE FILE
    awk -v a="$(median "$1")" -v b="$(median "$2")" 'BEGIN { if (a + 0 > 0 && b + 0 > 0) printf "%.2f", a / b; else printf "-" }'
}

verdict() { # RATIO GOAL
    [ -n "$2" ] || return 0
    awk -v r="$1" -v goal="$2" 'BEGIN {
        split(goal, g, " ")
        if (r == "-") print "not measured"
        else if (g[1] == "<=" ? r + 0 <= g[2] + 0 : r + 0 >= g[2] + 0) print "reached"
        else print "missed" }'
}

row() { # WORK OURS OTHER RATIO GOAL
    printf '| %s | %s | %s | %s | %s | %s |\n' "$1" "$2" "$3" "$4" "$5" "$(verdict "$4" "$5")" | tee -a "$TABLE"
}

head_row() { # TITLE
    printf '\n### %s\n\n| work | pgcutover | other | ratio | goal | |\n| --- | --- | --- | --- | --- | --- |\n' "$1" | tee -a "$TABLE"
}

pgc() {
    "$PGCUTOVER" "$@" --state-dir "$STATE"
}

# Sequences are left to a cutover.
same_rows() { # WHAT SOURCE-DB TARGET-DB
    local a b
    a=$(digest_database source "$2" | grep -v ' sequence ') b=$(digest_database target "$3" | grep -v ' sequence ')
    [ -n "$a" ] && [ "$a" = "$b" ] && pass "$1: equal" || fail "$1: $(diff <(echo "$a") <(echo "$b") | head -5)"
}

fresh() { # NAME DATABASE: dropped if there, made empty
    on "$1" postgres -c "DROP DATABASE IF EXISTS \"$2\"" -c "CREATE DATABASE \"$2\"" 2>/dev/null
}

plan() { # NAME SOURCE-DATABASE TARGET-DATABASE [JSON]
    cat >"$PGC_DIR/$1.json" <<JSON
{"name": "$1", "source": {"uri": "$(uri source "$2")"}, "target": {"uri": "$(uri target "$3")"},
 "databases": [{"name": "$2", "target_database_name": "$3", "keylessTables": "full"}]${4:-}}
JSON
}

# Forgets a migration: its slot and state are gone from both servers.
forget() { # NAME
    pgc cancel "$1" -q --yes >/dev/null 2>&1
    pgc delete "$1" -q --yes >/dev/null 2>&1
    rm -rf "${STATE:?}/$1"
}

machine() {
    local cpu
    cpu=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)
    echo "$(nproc) cores (${cpu:-unknown}), $(awk '/^MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo), $(uname -sr);"
    echo "$("$PGC_BIN/postgres" --version) on both ends of a Unix socket, $(echo "$settings" | tr -s " \n" " ");"
    echo "$("$PGCUTOVER" --version | head -1); $RUNS runs each, medians; ${SCALE} % of the amounts of data; $(date -u +%Y-%m-%d)."
}
