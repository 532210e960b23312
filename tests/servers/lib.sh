# Throw-away PostgreSQL clusters for tests, and plain SQL to compare what they hold.
# Sourced by the test scripts. Shares no code with the program.
#
#   cluster_start NAME [setting=value ...]   initdb + start; socket directory $PGC_DIR/NAME
#   cluster_stop NAME [fast|immediate]       cluster_again NAME
#   on NAME DATABASE [psql options ...]      psql -X -q -A -t against it, errors are fatal to psql
#   uri NAME DATABASE                        a libpq URI
#   assert_equal WHAT GOT WANT               assert_same_data DBA DBB (NAME/DATABASE each)
#   wait_until SECONDS COMMAND...            polls every 0.1 s
# Everything lives in $PGC_DIR and is gone when the script ends, however it ends.

set -u

PGC_BIN=${PGC_BIN:-}
if [ -z "$PGC_BIN" ]; then
    for dir in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/bin; do
        [ -x "$dir/initdb" ] && PGC_BIN=$dir
    done
fi
[ -x "$PGC_BIN/initdb" ] || { echo "SKIP: no PostgreSQL server programs (initdb) found"; exit 77; }

PGC_DIR=$(mktemp -d "${TMPDIR:-/tmp}/pgc-test.XXXXXX")
chmod 755 "$PGC_DIR"
PGC_USER=
if [ "$(id -u)" = 0 ]; then # initdb refuses root
    PGC_USER=nobody
    chown "$PGC_USER" "$PGC_DIR"
fi
PGC_CLUSTERS=
export LC_ALL=C.UTF-8 PGCONNECT_TIMEOUT=10
unset PGHOST PGPORT PGUSER PGDATABASE PGSERVICE PGPASSWORD 2>/dev/null || true

as_server() {
    if [ -n "$PGC_USER" ]; then
        (cd "$PGC_DIR" && setpriv --reuid="$PGC_USER" --regid="$(id -g "$PGC_USER")" --clear-groups -- "$@")
    else
        "$@"
    fi
}

programs_of() { # NAME: where the programs of its version are; a copy of a cluster has the usual ones
    if [ -f "$PGC_DIR/$1.bin" ]; then cat "$PGC_DIR/$1.bin"; else echo "$PGC_BIN"; fi
}

cluster_start() {
    local name=$1 dir=$PGC_DIR/$1 setting
    shift
    as_server mkdir -p "$dir"
    echo "$PGC_BIN" > "$PGC_DIR/$name.bin" # clusters of other versions: PGC_BIN=... cluster_start NAME
    as_server "$PGC_BIN/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 -N >"$PGC_DIR/$name.initdb" 2>&1 ||
        { cat "$PGC_DIR/$name.initdb"; return 1; }
    {
        echo "listen_addresses = ''"
        echo "unix_socket_directories = '$dir'"
        echo "port = 5432"
        echo "wal_level = logical"
        echo "max_connections = 60"
        echo "max_wal_senders = 20"
        echo "max_replication_slots = 20"
        echo "shared_buffers = 64MB"
        echo "autovacuum_naptime = 5s"
        echo "fsync = off" # tests end processes, never the kernel
        for setting in "$@"; do echo "${setting%%=*} = ${setting#*=}"; done
    } | as_server tee -a "$dir/data/postgresql.conf" >/dev/null
    # Before 10 a walsender is matched by this word alone, and initdb leaves it out.
    grep -q '^local *replication' "$dir/data/pg_hba.conf" ||
        echo "local replication all trust" | as_server tee -a "$dir/data/pg_hba.conf" >/dev/null
    cluster_again "$name"
    PGC_CLUSTERS="$PGC_CLUSTERS $name"
}

cluster_again() {
    as_server "$(programs_of "$1")/pg_ctl" -D "$PGC_DIR/$1/data" -l "$PGC_DIR/$1/log" -w -t 60 start >/dev/null ||
        { tail -n 20 "$PGC_DIR/$1/log"; return 1; }
}

cluster_stop() {
    as_server "$(programs_of "$1")/pg_ctl" -D "$PGC_DIR/$1/data" -m "${2:-fast}" -w stop >/dev/null 2>&1
}

uri() { # NAME DATABASE
    echo "postgresql://postgres@/$2?host=$PGC_DIR/$1"
}

on() { # NAME DATABASE psql-options
    local name=$1 database=$2
    shift 2
    psql -X -q -A -t -v ON_ERROR_STOP=1 -U postgres -h "$PGC_DIR/$name" -d "$database" "$@"
}

fail() {
    echo "FAIL: $*" >&2
    PGC_FAILED=$((${PGC_FAILED:-0} + 1))
    return 1
}

pass() {
    PGC_PASSED=$((${PGC_PASSED:-0} + 1))
    echo "ok: $*"
}

assert_equal() { # WHAT GOT WANT
    if [ "$2" = "$3" ]; then
        pass "$1"
    else
        fail "$1: got «$2», want «$3»"
    fi
}

assert_contains() { # WHAT TEXT PART
    case "$2" in
        *"$3"*) pass "$1" ;;
        *) fail "$1: «$3» is not in «$2»" ;;
    esac
}

wait_until() { # SECONDS COMMAND...
    local until=$(($(date +%s) + $1))
    shift
    while ! "$@" >/dev/null 2>&1; do
        [ "$(date +%s)" -lt "$until" ] || { echo "timed out: $*" >&2; return 1; }
        sleep 0.1
    done
}

# All rows of all tables of a database but the program's own (each row as text, sorted), sequences and materialized views:
# one digest a relation. Floats, in arrays, composites and geometry too, by their bits: 12 writes them shorter
# than 11 does; "char" by its byte: 16 writes some otherwise.
digest_database() { # NAME DATABASE
    on "$1" "$2" <<'SQL'
SET search_path = ''; SET extra_float_digits = 3; SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres';
SET bytea_output = 'hex'; SET lc_monetary = 'C';
SELECT pg_catalog.format($f$SELECT %4$L || ' rows ' || count(*) || ' ' || coalesce(pg_catalog.md5(pg_catalog.string_agg(d, ',' ORDER BY d COLLATE "C")), '-')
  FROM (SELECT pg_catalog.md5(ROW(%3$s)::text) AS d FROM ONLY %1$I.%2$I t) x$f$,
  n.nspname, c.relname,
  coalesce((SELECT pg_catalog.string_agg(CASE WHEN y.typnamespace = 'pg_catalog'::regnamespace AND coalesce(e.typname, y.typname) IN
         ('float4', 'float8', 'point', 'lseg', 'line', 'box', 'path', 'polygon', 'circle', 'char')
         OR y.typtype = 'c' AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute f WHERE f.attrelid = y.typrelid AND f.atttypid >= 16384)
         THEN pg_catalog.format('%s(%I)', y.typsend, a.attname) ELSE pg_catalog.quote_ident(a.attname) END, ',' ORDER BY a.attname)
     FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type y ON y.oid = a.atttypid
     LEFT JOIN pg_catalog.pg_type e ON e.oid = y.typelem AND e.typarray = y.oid
     WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), 'NULL'), n.nspname || '.' || c.relname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND c.relispopulated AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pgcutover'
ORDER BY n.nspname, c.relname \gexec
SELECT pg_catalog.format($f$SELECT %3$L || ' sequence ' || last_value || ' ' || is_called FROM %1$I.%2$I$f$, n.nspname, c.relname, n.nspname || '.' || c.relname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'S' AND n.nspname !~ '^(pg_|pgcutover)'
ORDER BY n.nspname, c.relname \gexec
SQL
}

assert_same_data() { # WHAT NAME/DB NAME/DB
    local a b
    a=$(digest_database "${2%%/*}" "${2#*/}") || { fail "$1: digest of $2"; return 1; }
    b=$(digest_database "${3%%/*}" "${3#*/}") || { fail "$1: digest of $3"; return 1; }
    if [ -n "$a" ] && [ "$a" = "$b" ]; then
        pass "$1: $(echo "$a" | wc -l) relations equal"
    else
        fail "$1: $2 and $3 differ"
        diff <(echo "$a") <(echo "$b") | head -20 >&2
        return 1
    fi
}

# What a migration makes on a source; empty when nothing is left.
leftovers_source() { # NAME DATABASE
    local publications="UNION ALL SELECT 'publication ' || pubname FROM pg_publication WHERE pubname LIKE 'pgcutover%'"
    [ "$(on "$1" "$2" -c 'SHOW server_version_num')" -ge 100000 ] || publications=
    on "$1" "$2" -c "SELECT 'slot ' || slot_name FROM pg_replication_slots WHERE slot_name LIKE 'pgcutover%'
        $publications
        UNION ALL SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname LIKE 'pgcutover%'
        UNION ALL SELECT 'event trigger ' || evtname FROM pg_event_trigger WHERE evtname LIKE 'pgcutover%'
        UNION ALL SELECT 'session ' || application_name FROM pg_stat_activity WHERE application_name LIKE 'pgcutover:%'"
}

# A server that refuses what the condition (on pg_event_trigger_ddl_commands()) is true of. Members of an extension are nobody's own
# objects: the database is still an empty one.
guard_refuses() { # CLUSTER DATABASE CONDITION
    on "$1" "$2" -o /dev/null <<SQL
CREATE SCHEMA guard;
CREATE FUNCTION guard.refuse() RETURNS event_trigger LANGUAGE plpgsql AS \$\$
BEGIN
    IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() WHERE $3) THEN
        RAISE EXCEPTION 'the guard says no' USING ERRCODE = '0A000';
    END IF;
END \$\$;
CREATE EVENT TRIGGER guard ON ddl_command_end EXECUTE FUNCTION guard.refuse();
ALTER EXTENSION plpgsql ADD FUNCTION guard.refuse();
ALTER EXTENSION plpgsql ADD EVENT TRIGGER guard;
ALTER EXTENSION plpgsql ADD SCHEMA guard;
SQL
}

finish() {
    local status=$?
    trap - EXIT
    for job in $(jobs -p); do kill "$job" 2>/dev/null; done
    for name in $PGC_CLUSTERS; do cluster_stop "$name" immediate; done
    if [ "${PGC_KEEP:-}" ]; then echo "kept: $PGC_DIR"; else rm -rf "$PGC_DIR"; fi
    echo "${PGC_PASSED:-0} passed, ${PGC_FAILED:-0} failed"
    [ "$status" = 0 ] && [ "${PGC_FAILED:-0}" = 0 ] && [ "${PGC_PASSED:-0}" -gt 0 ] && exit 0
    [ "$status" = 0 ] && exit 1
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM
