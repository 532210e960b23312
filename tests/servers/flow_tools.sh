# What the flow tests share: the program run as people run it, what it said, and what it left behind.
# Sourced by them; brings lib.sh.
#
#   run ARGS...                     pgcutover ARGS... with our state directory: $status, $out, $err
#   run_when_ready ARGS...          the same again and again while it is refused (exit code 2), for a minute
#   assert_run WHAT CODE PART...    of the last run: its exit code, and what its stderr has in it
#   plan NAME 'DATABASES' ['MORE']  writes $PGC_DIR/NAME.json: databases and further members as JSON
#   status_of NAME SQL              SQL over the status document doc (json) and the rows of output (item json)
#   lines_of FILE SQL               SQL over lines (doc json), one a line; fails where one is not JSON
#   in_state NAME DATABASE STATE    is its migrationState that? for wait_until
#   workload_begin DB SQL-FILE      runs it again and again on the source, until workload_end
#   assert_clean WHAT DB ...        nothing of ours on source and target but what is said
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

PGC_PROGRAM=${PGC_PROGRAM:-$PWD/pgcutover}
[ -x "$PGC_PROGRAM" ] || { echo "FAIL: there is no program $PGC_PROGRAM"; exit 1; }
flow_tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PGC_SHARED=${PGC_SHARED:-$flow_tree/../shared}
STATE=$PGC_DIR/state
export HOME=$PGC_DIR XDG_STATE_HOME=$PGC_DIR/xdg
unset PGPASSFILE PGSERVICEFILE 2>/dev/null || true
out= err= status=0

run() {
    timeout -k 5 120 "$PGC_PROGRAM" "$@" --state-dir "$STATE" >"$PGC_DIR/out" 2>"$PGC_DIR/err" </dev/null
    status=$?
    out=$(cat "$PGC_DIR/out")
    err=$(cat "$PGC_DIR/err")
}

# A cutover is refused while the target is behind, and on a busy machine it may be again by the time it is asked: it is asked again.
is_taken() {
    run "$@"
    [ "$status" != 2 ]
}
run_when_ready() { # ARGS...
    wait_until 60 is_taken "$@"
}

assert_run() { # WHAT CODE PART...
    local what=$1 part
    if [ "$status" = "$2" ]; then
        pass "$what: exit code $2"
    else
        fail "$what: exit code $status, want $2: $err"
        tail -n 5 "$STATE"/*/log.jsonl >&2 2>/dev/null
    fi
    shift 2
    for part in "$@"; do assert_contains "$what" "$err" "$part"; done
}

plan() { # NAME DATABASES [MORE]
    cat >"$PGC_DIR/$1.json" <<JSON
{
  "name": "$1",
  "source": {"serverName": "$PGC_DIR/source", "userName": "postgres", "password": ""},
  "target": {"serverName": "$PGC_DIR/target", "userName": "postgres", "password": ""},
  "databases": $2${3:+,
  $3}
}
JSON
}

# Plain SQL over a JSON document; any server will do.
status_of() { # NAME SQL
    "$PGC_PROGRAM" status "$1" --json --state-dir "$STATE" >"$PGC_DIR/status.$1" 2>/dev/null
    document_of "$PGC_DIR/status.$1" "$2"
}

document_of() { # FILE SQL
    on "${PGC_JSON_SERVER:-target}" postgres <<SQL
\\set text \`cat $1\`
CREATE TEMP TABLE document AS SELECT :'text'::json AS doc;
CREATE TEMP VIEW output AS SELECT item, item->>'resultType' AS type, item->>'databaseName' AS db, item->>'tableName' AS tbl
  FROM document, json_array_elements(doc#>'{properties,output}') WITH ORDINALITY AS o(item, n);
$2
SQL
}

lines_of() { # FILE SQL
    on "${PGC_JSON_SERVER:-target}" postgres <<SQL
CREATE TEMP TABLE lines (doc json);
\\copy lines FROM '$1' WITH (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')
$2
SQL
}

state_of() { # NAME DATABASE
    status_of "$1" "SELECT item->>'migrationState' FROM output WHERE type = 'DatabaseLevelOutput' AND db = '${2//\'/\'\'}'"
}

in_state() { # NAME DATABASE STATE
    [ "$(state_of "$1" "$2")" = "$3" ]
}

engine_pid() { # NAME: of the engine that ran last
    sed -n 's/.*the engine runs as process \([0-9]*\).*/\1/p' "$STATE/$1/log.jsonl" | tail -n 1
}

engine_gone() { # NAME
    local pid
    pid=$(engine_pid "$1")
    [ -n "$pid" ] && ! kill -0 "$pid" 2>/dev/null
}

# A transaction's end on a frozen or restarted source is an error that an application has to bear.
workload_begin() { # DATABASE SQL-FILE
    touch "$PGC_DIR/working.$1"
    (
        trap - EXIT
        while [ -e "$PGC_DIR/working.$1" ]; do
            on source "$1" -o /dev/null -f "$2" 2>>"$PGC_DIR/workload.$1" || sleep 0.2
            [ "${3:-}" ] && sleep "$3"
        done
    ) &
    eval "workload_$1=$!"
}

workload_end() { # DATABASE
    rm -f "$PGC_DIR/working.$1"
    eval "wait \$workload_$1"
}

# Everything on a server that a migration could have made or set, one a line.
footprint() { # NAME DATABASE
    on "$1" "$2" -c "SELECT 'slot ' || slot_name FROM pg_replication_slots WHERE database = current_database()
        UNION ALL SELECT 'session ' || application_name FROM pg_stat_activity WHERE application_name LIKE 'pgcutover:%' AND datname = current_database()
        UNION ALL SELECT 'publication ' || pubname FROM pg_publication
        UNION ALL SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname LIKE 'pgcutover%'
        UNION ALL SELECT 'setting ' || datname || ' ' || coalesce(rolname, '') || array_to_string(setconfig, ' ') FROM pg_db_role_setting
          JOIN pg_database d ON d.oid = setdatabase AND datname = current_database() LEFT JOIN pg_roles r ON r.oid = setrole
        UNION ALL SELECT 'identity ' || oid::regclass || ' ' || relreplident::text FROM pg_class WHERE relkind IN ('r', 'p') AND relreplident <> 'd' AND relnamespace <> 'pg_catalog'::regnamespace
        UNION ALL SELECT 'disabled trigger ' || tgname || ' ' || tgenabled::text FROM pg_trigger WHERE tgenabled <> 'O'
        UNION ALL SELECT 'origin ' || roname FROM pg_replication_origin
        UNION ALL SELECT 'subscription ' || subname FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
        UNION ALL SELECT 'event trigger ' || evtname FROM pg_event_trigger
        UNION ALL SELECT 'invalid ' || conname FROM pg_constraint WHERE NOT convalidated
        UNION ALL SELECT 'prepared ' || gid FROM pg_prepared_xacts WHERE database = current_database() ORDER BY 1" || echo "no footprint: $RANDOM"
}

dump_schema() { # NAME DATABASE
    "$PGC_BIN/pg_dump" -s -h "$PGC_DIR/$1" -U postgres "$2" | sed '/^\\\(un\)\?restrict /d'
}

assert_same_schema() { # WHAT NAME/DB NAME/DB
    local difference
    if difference=$(diff <(dump_schema "${2%%/*}" "${2#*/}") <(dump_schema "${3%%/*}" "${3#*/}")); then
        pass "$1: the same pg_dump -s"
    else
        fail "$1: pg_dump -s differs"
        echo "$difference" | head -n 20 >&2
    fi
}

# Materialized views are as new as their last refresh, on each side.
refresh_source() { # DATABASE
    PGOPTIONS='-c default_transaction_read_only=off' on source "$1" -o /dev/null <<'SQL'
SELECT format('REFRESH MATERIALIZED VIEW %s', oid::regclass) FROM pg_class WHERE relkind = 'm' AND relispopulated ORDER BY oid \gexec
SQL
}

# What every flow ends in, after the cutover: equal, nothing left, and after "delete" nothing at all.
# $before is the footprint of the source before the migration; the target's database is called the same.
assert_finished() { # MIGRATION DATABASE BEFORE
    local read_only="setting $2 default_transaction_read_only=on"
    refresh_source "$2"
    assert_same_data "$1: contents" "source/$2" "target/$2"
    assert_same_schema "$1" "source/$2" "target/$2"
    assert_equal "$1: left on the source but the read-only setting" "$(footprint source "$2" | grep -vxF "$read_only")" "$3"
    assert_equal "$1: the source is read-only" "$(on source "$2" -c 'SHOW default_transaction_read_only')" on
    assert_equal "$1: left on the target" "$(footprint target "$2")" "$3"
    wait_until 10 engine_gone "$1" || fail "$1: the engine still runs after the cutover"
    run delete "$1"
    assert_run "$1: delete" 0
    assert_deleted "$1" "$2" "$3"
}

assert_deleted() { # MIGRATION DATABASE BEFORE
    assert_equal "$1: left on the source after delete" "$(footprint source "$2")" "$3"
    assert_equal "$1: files left" "$(ls -A "$STATE/$1" 2>/dev/null)" ""
    [ ! -e "$STATE/$1" ] && pass "$1: no state directory" || fail "$1: its state directory is still there"
}

# The newest pg_dump here; servers of other versions come without one.
PGC_TOOLS=$(dirname "$(ls -d /usr/lib/postgresql/*/bin/pg_dump /usr/pgsql-*/bin/pg_dump 2>/dev/null | tail -n 1)")

# Definitions as pg_dump prints them, but for what depends on its own or the server's version.
dump_options=()
dump_of() { # CLUSTER DATABASE
    "$PGC_TOOLS/pg_dump" -s --no-publications "${dump_options[@]}" -h "$PGC_DIR/$1" -U postgres "$2" |
        sed '/^\\\(un\)\?restrict /d; /^-- Dumped/d; /^SET default_table_access_method/d; s/EXECUTE PROCEDURE/EXECUTE FUNCTION/'
}

can_dump() { # CLUSTER: no pg_dump reads a server that is newer than itself
    local ours
    ours=$("$PGC_TOOLS/pg_dump" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
    [ "$(on "$1" postgres -c 'SHOW server_version_num')" -lt $((ours * 10000 + 10000)) ]
}

same_dump() { # WHAT DATABASE FILE: of the target
    if ! can_dump target; then
        echo "not compared by pg_dump: $1"
    elif diff -B "$3" <(dump_of target "$2") >"$PGC_DIR/diff"; then
        pass "$1: the target's schema is what it was to be"
    else
        fail "$1: the target's schema: $(cat "$PGC_DIR/diff")"
    fi
}
