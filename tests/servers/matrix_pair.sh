#!/usr/bin/env bash
# One migration between two versions: matrix_pair.sh SOURCE-BIN TARGET-BIN (directories with initdb, pg_ctl
# and postgres). Every kind of object and value under load, every time limit set for everybody, cutover,
# equal contents, nothing left. Where no pg_dump reads the source, that is told (exit status 3) and the
# schema is made by SQL on both sides.
source_bin=$1 target_bin=$2
PGC_BIN=$target_bin
. "$(dirname "$0")/flow_lib.sh"
here=$(cd "$(dirname "$0")" && pwd)

major_of() { # source|target: 9.6, 10
    on "$1" postgres -c 'SHOW server_version' | sed 's/^\(9\.[0-9]*\).*/\1/;s/^\([1-9][0-9]\).*/\1/'
}

PGC_BIN=$source_bin cluster_start source && PGC_BIN=$target_bin cluster_start target || exit 1
version=$(($(on source postgres -c 'SHOW server_version_num') / 10000))
target_version=$(($(on target postgres -c 'SHOW server_version_num') / 10000))
what="$(major_of source) to $(major_of target)"

newest_dump() {
    local dump
    for dump in /usr/lib/postgresql/*/bin/pg_dump /usr/pgsql-*/bin/pg_dump $(command -v pg_dump); do
        "$dump" --version 2>/dev/null
    done | sed 's/.*(PostgreSQL) \([0-9]*\).*/\1/' | sort -n | tail -1
}

fill() { # source|target DATABASE
    on "$1" postgres -c "CREATE DATABASE $2" && on "$1" "$2" -v version="$version" -o /dev/null -f "$here/matrix_schema.sql"
}

can_dump() {
    [ "$version" -le "$(newest_dump)" ]
}

fill source mix && { can_dump || fill target mix; } || { fail "$what: the schema"; exit 1; }
# What an administrator may have set: none of it may reach the migration's own sessions.
for limit in statement_timeout lock_timeout idle_in_transaction_session_timeout:90600 idle_session_timeout:140000 transaction_timeout:170000; do
    for side in source target; do
        [ "$(on $side postgres -c 'SHOW server_version_num')" -ge "$(echo "$limit" | sed 's/[^0-9]//g;s/^$/0/')" ] || continue
        on $side postgres -c "ALTER ROLE postgres SET ${limit%%:*} = '800ms'"
    done
done
on source postgres -c "ALTER ROLE postgres SET extra_float_digits = 0" -c "ALTER ROLE postgres SET DateStyle = 'SQL, DMY'" \
    -c "ALTER ROLE postgres SET IntervalStyle = 'iso_8601'" -c "ALTER ROLE postgres SET bytea_output = 'escape'" -c "ALTER ROLE postgres SET TimeZone = 'Asia/Kathmandu'"

scripts="-f $here/matrix_workload.sql@5"
for since in 11 12 18; do
    [ "$version" -ge $since ] && scripts="$scripts -f $here/matrix_workload_$since.sql@1"
done
[ "$version" -ge 10 ] || scripts="$scripts -f $here/matrix_workload_9.sql@1"
workload_start mix "$here/matrix_workload.sql" -R 40 $scripts

if can_dump; then
    flow_plan pair mix ', "load": {"jobs": 2}'
else
    flow_plan refused mix
    refused=$(pgc --batch "$PGC_DIR/refused.json" --until ready 2>&1)
    assert_equal "$what: without a pg_dump that reads it: exit status" $? 3
    assert_contains "$what: it is told what is missing" "$refused" "no pg_dump of version $version or newer was found"
    pgc delete refused -q || fail "$what: delete what was refused"
    flow_plan pair mix ', "schema": {"mode": "existing"}, "load": {"jobs": 2, "prepare": "truncate"}'
fi
timeout 90 "$PGCUTOVER" --batch "$PGC_DIR/pair.json" --state-dir "$STATE" --until ready -q
assert_equal "$what: ready" $? 0
# The text of some types differs between versions, and old ones have no hash of 64 bits.
source_number=$(on source postgres -c 'SHOW server_version_num')
if [ "$source_number" -lt 90508 ] || { [ "$source_number" -ge 90600 ] && [ "$source_number" -lt 90604 ]; }; then
    echo "### SKIPPED: the snapshots of $(on source postgres -c 'SHOW server_version') are not reliable: not compared under load ###"
    assert_contains "$what: it is said" "$(pgc check "$PGC_DIR/pair.json" 2>&1)" "may export a wrong snapshot"
else
    compared=$(timeout 90 "$PGCUTOVER" verify pair --state-dir "$STATE" 2>&1)
    assert_equal "$what: compared under load: $compared" $? 0
fi
# Ready is what it was a moment ago: on a loaded machine it may be behind again (exit status 2).
for try in 1 2 3 4 5; do
    wait_until 60 in_state pair READY_TO_COMPLETE
    timeout 90 "$PGCUTOVER" cutover pair --state-dir "$STATE" -q
    status=$?
    [ $status = 2 ] || break
done
assert_equal "$what: cutover" $status 0
workload_stop
for side in source target; do
    on $side postgres -c "ALTER ROLE postgres RESET ALL"
done
finish_flow pair mix
[ "$(grep -c 'client.*aborted' "$PGC_DIR/pgbench.log")" -lt 10 ] || echo "the workload stumbled: $(grep ERROR "$PGC_DIR/pgbench.log" | sort | uniq -c | sort -rn | head -3)"
if [ "${PGC_FAILED:-0}" != 0 ]; then
    grep -hE 'ERROR|FATAL|PANIC|STATEMENT' "$PGC_DIR/source/log" "$PGC_DIR/target/log" | sort | uniq -c | sort -rn | head -8
fi
took
