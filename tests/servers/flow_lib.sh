# A migration through the program, for the flow_*.sh tests. Sourced after nothing else; brings lib.sh.
#
#   pgc COMMAND ...          pgcutover COMMAND ... --state-dir of this test
#   flow_plan NAME DB [JSON] writes $PGC_DIR/NAME.json; JSON: more members of the plan, after a comma
#   field NAME KEY           of the first database in the status
#   in_phase NAME PHASE...   in_state NAME STATE...   is_held NAME
#   engine_pid NAME          worker_pids NAME [KIND]  "PID KIND" lines
#   workload_start DB SCRIPT [pgbench options]  again and again until workload_stop
# Processes are found by their parent: only those that this test started.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

PGCUTOVER=$(realpath "${PGCUTOVER:-./pgcutover}")
[ -x "$PGCUTOVER" ] || { echo "SKIP: no ./pgcutover here"; exit 77; }
flow_source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PGBENCH=$PGC_BIN/pgbench
[ -x "$PGBENCH" ] || PGBENCH=$(command -v pgbench)
[ -x "$PGBENCH" ] || { echo "SKIP: no pgbench"; exit 77; }
STATE=$PGC_DIR/state
seed=${PGC_SEED:-$(($(date +%s%N) / 1000 % 32768))}
RANDOM=$seed
echo "seed $seed (PGC_SEED repeats it)"
flow_started=$(date +%s)

pgc() {
    "$PGCUTOVER" "$@" --state-dir "$STATE"
}

pgc_in_background() { # only with "&": $! is then the program itself
    exec "$PGCUTOVER" "$@" --state-dir "$STATE"
}

flow_plan() { # NAME DATABASE [JSON]
    cat >"$PGC_DIR/$1.json" <<JSON
{"name": "$1", "source": {"uri": "$(uri source "$2")"}, "target": {"uri": "$(uri target "$2")"},
 "databases": [{"name": "$2"${4:-}}], "stateDir": "$STATE"${3:-}}
JSON
}

status() { # NAME: one object a line, without the indexes that are built just now and the steps of the cutover
    pgc status "$1" --json 2>/dev/null | tr -d '\n' | sed -E 's/"(indexBuilds|cutoverOutline|cutoverSteps)": *\[[^]]*\]/"\1": []/g; s/[}{]/\n/g'
}

value() { # KEY, from stdin
    sed -n 's/.*"'"$1"'": *"\{0,1\}\([^",}]*\)"\{0,1\}.*/\1/p' | head -1
}

field() { # NAME KEY
    status "$1" | grep DatabaseLevelOutput -B 20 -A 20 | value "$2"
}

table_field() { # NAME TABLE KEY
    pgc status "$1" --json 2>/dev/null | tr -d '\n' | sed 's/"lastError": *{[^}{]*}/"lastError": null/g; s/[}{]/\n/g' |
        grep "\"tableName\": *\"$2\"" | value "$3"
}

in_phase() { # NAME PHASE...
    local now
    now=" $(field "$1" phase) "
    shift
    case " $* " in *"$now"*) return 0 ;; *) return 1 ;; esac
}

in_state() { # NAME STATE...
    local now
    now=" $(field "$1" migrationState) "
    shift
    case " $* " in *"$now"*) return 0 ;; *) return 1 ;; esac
}

is_held() { # NAME
    [ "$(field "$1" hold)" = stopped ]
}

engine_pid() { # NAME; nothing when none runs
    local pid
    pid=$(sed -n 's/.*the engine runs as process \([0-9]*\).*/\1/p' "$STATE/$1/log.jsonl" 2>/dev/null | tail -1)
    [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = pgc-engine ] && echo "$pid"
}

worker_pids() { # NAME [KIND]
    local engine pid comm
    engine=$(engine_pid "$1") || return 0
    for pid in $(cat "/proc/$engine/task/$engine/children" 2>/dev/null); do
        comm=$(cat "/proc/$pid/comm" 2>/dev/null) || continue
        case "$comm" in "pgc-${2:-}"*) echo "$pid ${comm#pgc-}" ;; esac
    done
}

engine_gone() { # NAME
    [ -z "$(engine_pid "$1")" ]
}

kill_engine() { # NAME: -9, and waits until it and its workers are gone
    local pid
    pid=$(engine_pid "$1") || return 1
    kill -9 "$pid" && wait_until 10 engine_gone "$1"
}

# No engine outlives its test.
stop_engines() {
    local dir pid
    rm -f "$PGC_DIR/working"
    for dir in "$STATE"/*/; do
        pid=$(engine_pid "$(basename "$dir")") && [ -n "$pid" ] && kill -9 "$pid"
    done
}
trap 'status=$?; stop_engines; (exit $status); finish' EXIT

# --- data and workload

# Fills a database with PGC_DATA ("sample", the default, "mean", see tests/faults/mean.sql, or the path of dvdrental.tar),
# and a large table; $script is its workload, which adds to public.ins_log and takes nothing from it.
flow_data() { # NAME DATABASE
    local data=${PGC_DATA:-sample}
    script=$PGC_DIR/workload.sql
    on "$1" postgres -c "CREATE DATABASE $2" || return 1
    if [ "$data" = sample ]; then
        on "$1" "$2" -o /dev/null -f "$flow_source/src/demo/sample.sql" || return 1
        cp "$flow_source/src/demo/workload.sql" "$script"
    elif [ "$data" = mean ]; then
        on "$1" "$2" -o /dev/null -f "$flow_source/tests/faults/mean.sql" || return 1
        cp "$flow_source/tests/faults/mean_work.sql" "$script"
    else
        "$PGC_BIN/pg_restore" -h "$PGC_DIR/$1" -U postgres --no-owner -d "$2" "$data" || return 1
        cat >"$script" <<'SQL'
\set rental random(1, 16000)
\set film random(1, 1000)
\set inventory random(1, 4581)
\set customer random(1, 599)
BEGIN;
INSERT INTO public.rental (rental_date, inventory_id, customer_id, staff_id) VALUES (clock_timestamp(), :inventory, :customer, 1) ON CONFLICT DO NOTHING;
INSERT INTO public.payment (customer_id, staff_id, rental_id, amount, payment_date) VALUES (:customer, 1, (SELECT max(rental_id) FROM public.rental), 2.99, now());
COMMIT;
UPDATE public.film SET rental_rate = rental_rate + 0.01, special_features = array_append(special_features[1:3], 'more') WHERE film_id = :film;
DELETE FROM public.payment WHERE payment_id = (SELECT payment_id FROM public.payment WHERE rental_id >= :rental ORDER BY rental_id LIMIT 1 FOR UPDATE SKIP LOCKED);
UPDATE public.customer SET email = 'c' || :rental || '@example' WHERE customer_id = :customer;
SQL
    fi
    echo "INSERT INTO public.ins_log (t) VALUES ('x');" >>"$script"
    on "$1" "$2" -c "CREATE TABLE public.bulk (id int PRIMARY KEY, text text NOT NULL, n int);
        INSERT INTO public.bulk SELECT i, repeat(md5(i::text), 4), i % 1000 FROM generate_series(1, ${PGC_BULK:-200000}) i;
        CREATE INDEX ON public.bulk (n); CREATE INDEX ON public.bulk (text);
        CREATE TABLE public.ins_log (id bigserial PRIMARY KEY, t text)"
}

workload_start() { # DATABASE SCRIPT [pgbench options]
    local database=$1 script=$2
    shift 2
    touch "$PGC_DIR/working"
    (
        trap - EXIT
        while [ -e "$PGC_DIR/working" ]; do
            "$PGBENCH" -n -h "$PGC_DIR/source" -U postgres -f "$script" -c 2 -T 600 --max-tries=20 "$@" "$database" >>"$PGC_DIR/pgbench.log" 2>&1 &
            echo $! >"$PGC_DIR/pgbench.pid"
            wait $!
            sleep 0.2 # its sessions were ended: the servers may be down, or frozen
        done
    ) &
    workload_pid=$!
}

workload_stop() {
    rm -f "$PGC_DIR/working"
    kill "$(cat "$PGC_DIR/pgbench.pid")" 2>/dev/null
    wait "$workload_pid" 2>/dev/null
}

# --- the end of every flow

same_at_end() { # WHAT DATABASE: after a cutover
    local views
    views=$(on source "$2" -c "SELECT string_agg(format('REFRESH MATERIALIZED VIEW %s;', oid::regclass), ' ') FROM pg_class WHERE relkind = 'm'")
    PGOPTIONS="-c default_transaction_read_only=off" on source "$2" -c "$views"
    assert_same_data "$1" "source/$2" "target/$2"
}

finish_flow() { # NAME DATABASE: after a cutover
    same_at_end "$1: equal after the cutover" "$2"
    assert_equal "$1: leftovers on the source" "$(leftovers_source source "$2")" ""
    assert_equal "$1: the source stays read-only" "$(on source "$2" -c 'SHOW default_transaction_read_only')" on
    assert_equal "$1: state left on the target" "$(on target "$2" -c "SELECT nspname FROM pg_namespace WHERE nspname = 'pgcutover'")" ""
    pgc delete "$1" -q || fail "$1: delete"
    [ ! -e "$STATE/$1" ] && pass "$1: deleted" || fail "$1: \"$STATE/$1\" is still there"
}

took() {
    echo "took $(($(date +%s) - flow_started)) s"
}
