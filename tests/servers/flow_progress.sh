#!/usr/bin/env bash
# What the status tells while tables are copied adds up, parts to tables and tables to the database; what indexes are built is
# told, with a stream and without.
. "$(dirname "$0")/flow_lib.sh"
cluster_start source && cluster_start target || exit 1
case $("$PGC_BIN/postgres" --version) in *\ 9.*|*\ 1[01].*) echo "SKIP: servers tell how far an index is from PostgreSQL 12 on"; exit 77 ;; esac

fill() { # DATABASE; the index is slow where it is built by this program
    on source postgres -c "CREATE DATABASE $1" && on source "$1" <<'SQL' || exit 1
CREATE FUNCTION slow(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
    $$ BEGIN IF pg_catalog.current_setting('application_name') = 'pgcutover:index' THEN PERFORM pg_catalog.pg_sleep(0.002); END IF; RETURN i; END $$;
CREATE TABLE slowly (id int PRIMARY KEY, t text);
CREATE INDEX "slow index" ON slowly (slow(id));
CREATE TABLE large (id int PRIMARY KEY, t text);
CREATE TABLE middle (id int PRIMARY KEY, t text);
INSERT INTO slowly SELECT i, repeat('s', 1000) FROM generate_series(1, 2000) i;
INSERT INTO large SELECT i, repeat(md5(i::text), 8) FROM generate_series(1, 20000) i;
INSERT INTO middle SELECT i, repeat(md5(i::text), 8) FROM generate_series(1, 3000) i;
VACUUM ANALYZE;
SQL
}

sums() { # NAME: of the database, and of its tables: rows, bytes, expected bytes
    status "$1" | awk '
        function number(key) { return match($0, "\"" key "\": *[0-9.]+") ? substr($0, RSTART + length(key) + 3, RLENGTH - length(key) - 3) + 0 : -1 }
        /TableLevelOutput/ { rows += number("fullLoadTotalRows"); bytes += number("fullLoadTotalVolumeBytes"); expected += number("fullLoadExpectedBytes") }
        /DatabaseLevelOutput/ { database = number("fullLoadRows") " " number("fullLoadBytes") " " number("fullLoadExpectedBytes"); rate = number("fullLoadBytesPerSecond") }
        END { printf "%s=%d %d %d=%d\n", database, rows, bytes, expected, rate }'
}

adds_up() { # NAME: for as long as it loads
    local line seen=0
    while in_phase "$1" loading && ! in_builds "$1"; do
        line=$(sums "$1")
        IFS== read -r database tables rate <<<"$line"
        [ "$database" = "$tables" ] || { fail "$1: $line"; return; }
        [ "${rate:-0}" -gt 0 ] && [ "${database%% *}" -gt 0 ] && seen=$((seen + 1))
    done
    [ "$seen" -ge 3 ] && pass "$1: tables add up to the database, $seen times while it loads" || fail "$1: seen $seen times: $line"
}

in_builds() {
    pgc status "$1" --json | grep -q '"indexName": *"\\"slow index\\""'
}

told() { # NAME
    pgc status "$1" | grep -q 'building "slow index" of public.slowly: scanning table, [1-9][0-9]* %'
}

begin() { # NAME JSON
    fill "$1"
    flow_plan "$1" "$1" ', "load": {"jobs": 3, "splitAbove": "2MB"}, "limits": {"bytesPerSecond": "4MB"}'"$2"
    pgc --batch "$PGC_DIR/$1.json" --detach -q || { fail "$1: start"; exit 1; }
    wait_until 30 in_phase "$1" loading || { fail "$1: does not load"; pgc status "$1"; exit 1; }
    adds_up "$1"
    wait_until 20 told "$1" && pass "$1: $(pgc status "$1" | grep -m1 building)" || { fail "$1: nothing is told of the index"; pgc status "$1"; }
}

begin streamed ''
wait_until 60 in_state streamed READY_TO_COMPLETE || { fail "streamed: not ready"; pgc status streamed; exit 1; }
assert_equal "no build is told of any more" "$(pgc status streamed | grep -c building)" 0
assert_equal "all of it" "$(field streamed fullLoadPercent)" 100
pgc cutover streamed -q || fail "streamed: cutover"
finish_flow streamed streamed

begin copied ', "sync": {"mode": "load-only"}'
wait_until 60 in_state copied COMPLETE || { fail "copied: not complete"; pgc status copied; exit 1; }
same_at_end "copied: equal" copied
took
