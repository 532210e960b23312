#!/usr/bin/env bash
# The commands of a running migration: status in its three forms with the very keys of Azure DMS, pause and
# resume in load and in sync, cancel, cutover, delete, and the control socket they go through.
. "$(dirname "$0")/flow_tools.sh"
cluster_start source fsync=off || exit 1
cluster_start target fsync=off || exit 1

make_shop() { # DATABASE ROWS
    on source postgres -c "CREATE DATABASE $1"
    on source "$1" <<SQL
CREATE SCHEMA "Odd Name";
CREATE TABLE t (id int PRIMARY KEY, v text);
CREATE TABLE "Odd Name"."T|x" (id int PRIMARY KEY, v text);
CREATE TABLE big (id int PRIMARY KEY, a text, b text, c text);
INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 500) i;
INSERT INTO "Odd Name"."T|x" SELECT i, 'v' || i FROM generate_series(1, 10) i;
INSERT INTO big SELECT i, md5(i::text), repeat(md5(i::text), 3), repeat('x', 100) FROM generate_series(1, $2) i;
CREATE INDEX ON big (a); CREATE INDEX ON big (b);
SQL
}
make_shop shop 1000
make_shop second 200000
before=$(footprint source shop)

# --- status

plan shop '[{"name": "shop"}]'
run --batch "$PGC_DIR/shop.json"
assert_run "batch" 0
on source shop -c "INSERT INTO t VALUES (1001, 'new'), (1002, 'new'); UPDATE t SET v = 'w' WHERE id <= 3; DELETE FROM t WHERE id = 500"
arrived() { # DATABASE SQL WANT
    [ "$(on target "$1" -c "$2")" = "$3" ]
}
wait_until 20 arrived shop "SELECT count(*) FROM t WHERE v = 'w' OR v = 'new'" 5 || fail "the changes did not arrive"
counted() {
    [ "$(status_of shop "SELECT item->>'appliedChanges' FROM output WHERE type = 'DatabaseLevelOutput'")" = 6 ]
}
wait_until 10 counted || fail "appliedChanges is not 6"

database_keys="appliedChanges cdcDeleteCounter cdcInsertCounter cdcUpdateCounter databaseName endedOn fullLoadCompletedTables fullLoadErroredTables
    fullLoadLoadingTables fullLoadQueuedTables id incomingChanges initializationCompleted latency migrationState resultType startedOn"
migration_keys="databaseCount endedOn id resultType sourceServer sourceVersion startedOn state targetServer targetVersion"
table_keys="cdcDeleteCounter cdcInsertCounter cdcUpdateCounter dataErrorsCount databaseName fullLoadEndedOn fullLoadEstFinishTime fullLoadStartedOn
    fullLoadTotalRows fullLoadTotalVolumeBytes id lastModifiedTime resultType state tableName totalChangesApplied"
sample=$PGC_SHARED/data/azure/output.json
if [ -r "$sample" ]; then
    for kind in Database Migration Table; do
        wanted=$(document_of "$sample" "SELECT string_agg(k, ' ' ORDER BY k COLLATE \"C\") FROM output, json_object_keys(item) k WHERE type = '${kind}LevelOutput'")
        name=${kind,,}_keys
        assert_equal "the sample's keys of $kind" "$(echo ${!name})" "$wanted"
    done
fi
for kind in Database Migration Table; do
    name=${kind,,}_keys
    missing=$(status_of shop "SELECT DISTINCT w FROM output, unnest(string_to_array('$(echo ${!name})', ' ')) w
        WHERE type = '${kind}LevelOutput' AND NOT EXISTS (SELECT FROM json_object_keys(item) k WHERE k = w)")
    assert_equal "status --json: keys of $kind that are missing" "$missing" ""
    assert_equal "status --json: keys of $kind are sorted" "$(status_of shop "SELECT bool_and(keys = sorted) FROM output,
        LATERAL (SELECT array_agg(k ORDER BY n) AS keys, array_agg(k ORDER BY k COLLATE \"C\") AS sorted FROM json_object_keys(item) WITH ORDINALITY AS o(k, n)) x
        WHERE type = '${kind}LevelOutput'")" t
done
assert_equal "status --json: top keys" "$(status_of shop "SELECT string_agg(k, ' ') FROM document, json_object_keys(doc) k")" "id name properties type"
assert_equal "status --json: state and type" "$(status_of shop "SELECT doc#>>'{properties,state}', doc->>'name', doc->>'type', doc#>>'{properties,taskType}' FROM document")" \
    "Running|shop|Microsoft.DataMigration/services/projects/tasks|"
assert_equal "status --json: ids" "$(status_of shop "SELECT string_agg(item->>'id', ' ' ORDER BY item->>'id' COLLATE \"C\") FROM output WHERE type <> 'MigrationLevelOutput'")" \
    "db|shop or|shop|Odd Name|T|x or|shop|public|big or|shop|public|t"
assert_equal "status --json: the migration's id is a uuid" "$(status_of shop "SELECT (item->>'id')::uuid::text = item->>'id', item->>'databaseCount', item->>'state' FROM output WHERE type = 'MigrationLevelOutput'")" "t|1|PENDING"
assert_equal "status --json: counters of a table" "$(status_of shop "SELECT item->>'cdcInsertCounter', item->>'cdcUpdateCounter', item->>'cdcDeleteCounter', item->>'totalChangesApplied', item->>'fullLoadTotalRows', item->>'state'
    FROM output WHERE tbl = 'public.t'")" "2|3|1|6|500|COMPLETED"
assert_equal "status --json: counters of the database" "$(status_of shop "SELECT item->>'cdcInsertCounter', item->>'cdcUpdateCounter', item->>'cdcDeleteCounter', item->>'fullLoadCompletedTables', item->>'initializationCompleted', item->>'endedOn'
    FROM output WHERE type = 'DatabaseLevelOutput'")" "2|3|1|3|true|"
assert_equal "status --json: times" "$(status_of shop "SELECT string_agg(DISTINCT v, ' ') FROM output, json_each_text(item) e(k, v)
    WHERE k IN ('startedOn', 'fullLoadStartedOn', 'fullLoadEndedOn', 'fullLoadEstFinishTime', 'lastModifiedTime') AND v !~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?\+00:00$'")" ""
assert_equal "status --json: numbers are numbers" "$(status_of shop "SELECT string_agg(DISTINCT k, ' ') FROM output, json_each(item) e(k, v)
    WHERE k ~ '(Counter|Tables|Rows|Bytes|Changes|Applied|latency|Count)$' AND json_typeof(v) <> 'number'")" ""

run status shop
assert_run "status" 0
for part in "Migration shop: Running" READY_TO_COMPLETE public.t Insert '"Odd Name"."T|x"'; do
    case $out in *"${part//\"/}"* | *"$part"*) pass "status shows $part" ;; *) fail "status does not show $part: $out" ;; esac
done
run status
assert_contains "the list of migrations" "$out" "READY_TO_COMPLETE"
run status --json
assert_equal "the list as JSON" "$(document_of "$PGC_DIR/out" "SELECT json_array_length(doc), doc->0->>'name' FROM document")" "1|shop"

# --- two clients at once, and the socket

"$PGC_PROGRAM" status shop --watch --json --state-dir "$STATE" >"$PGC_DIR/watch1" 2>&1 </dev/null &
watch1=$!
"$PGC_PROGRAM" status shop --watch --state-dir "$STATE" >"$PGC_DIR/watch2" 2>&1 </dev/null &
watch2=$!
watched() {
    [ "$(grep -c 'Migration shop' "$PGC_DIR/watch2")" -ge 2 ] && [ -s "$PGC_DIR/watch1" ]
}
wait_until 10 watched || fail "--watch does not go on"
run status shop
assert_run "a third client beside two that watch" 0

assert_equal "mode of the migration's directory" "$(stat -c %a "$STATE/shop")" 700
assert_equal "mode of the socket" "$(stat -c %a "$STATE/shop/control.sock")" 600
assert_equal "files that others could read" "$(find "$STATE" -type f -perm /077)" ""

# One line to the socket, one back: psql cannot, perl and python may not be there.
talker=
for tool in perl python3; do command -v $tool >/dev/null && talker=$tool && break; done
talk() { # LINE; in the socket's directory
    case $talker in
        perl) perl -MSocket -e '$SIG{PIPE} = "IGNORE"; alarm 10; socket(S, PF_UNIX, SOCK_STREAM, 0); connect(S, sockaddr_un("control.sock")) or die "connect: $!\n"; syswrite(S, "$ARGV[0]\n"); print scalar(<S>) // "closed\n"' "$1" ;;
        python3) python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX); s.settimeout(10); s.connect("control.sock"); s.sendall(sys.argv[1].encode() + b"\n"); print(s.makefile().readline() or "closed")' "$1" ;;
    esac
}
if [ "$talker" ]; then
    cd "$STATE/shop" || exit 1
    assert_contains "another version of the protocol" "$(talk '{"type":"hello","version":99,"client":"test"}')" 'the engine speaks control protocol'
    assert_contains "our version" "$(talk '{"type":"hello","version":2,"client":"test"}')" '"type":"hello"'
    assert_equal "a request before the greeting" "$(talk '{"type":"status"}')" closed
    assert_equal "no JSON" "$(talk 'hello?')" closed
    if [ "$PGC_USER" ]; then
        # Even where the directory would let it in.
        chmod 755 "$STATE" "$STATE/shop"
        chmod 666 control.sock
        assert_equal "another user is refused" "$(setpriv --reuid="$PGC_USER" --clear-groups -- bash -c "talker=$talker; $(declare -f talk); talk '{\"type\":\"hello\",\"version\":2,\"client\":\"test\"}'" 2>&1 | sed 's/^.*reset.*$/closed/I')" closed
        chmod 700 "$STATE" "$STATE/shop"
        chmod 600 control.sock
    else
        echo "SKIPPED: another user at the control socket: this is not root"
    fi
    cd "$OLDPWD" || exit 1
else
    echo "SKIPPED: talking to the control socket: neither perl nor python3"
fi
run status shop
assert_run "the engine still answers" 0

# --- pause and resume in sync

run pause shop
assert_run "pause" 0 "slot and place are kept"
held() { # NAME HOLD
    [ "$(status_of "$1" "SELECT item->>'hold' FROM output WHERE type = 'DatabaseLevelOutput'")" = "$2" ]
}
no_sessions() { # DATABASE
    [ "$(on source postgres -c "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'pgcutover:%'")" = 0 ]
}
held shop paused && pass "status says paused" || fail "status does not say paused"
wait_until 10 no_sessions && pass "paused: no session on the source" || fail "paused, but there are sessions on the source"
assert_equal "paused: the slot is kept" "$(on source shop -c "SELECT count(*), bool_or(active) FROM pg_replication_slots")" "1|f"
on source shop -c "INSERT INTO t SELECT i, 'while paused' FROM generate_series(2001, 2500) i"
run cutover shop
assert_run "cutover while paused" 2 'not ready to be cut over' paused
run delete shop
assert_run "delete while paused" 2 'cannot be deleted'
assert_equal "paused: nothing is applied" "$(on target shop -c "SELECT count(*) FROM t WHERE v = 'while paused'")" 0
run resume shop
assert_run "resume" 0
wait_until 20 arrived shop "SELECT count(*) FROM t WHERE v = 'while paused'" 500 && pass "what was written meanwhile arrives" || fail "what was written while paused did not arrive"
wait_until 20 in_state shop shop READY_TO_COMPLETE || fail "not ready after resume"

# --- pause, resume and cutover during the load; cancel

plan second '[{"name": "second"}]' '"load": {"jobs": 1}'
run --batch "$PGC_DIR/second.json" --detach
assert_run "second: detach" 0
loading() {
    [ "$(status_of second "SELECT item->>'phase' FROM output WHERE type = 'DatabaseLevelOutput'")" = loading ]
}
wait_until 20 loading || fail "the load was not seen"
run cutover second
assert_run "cutover while it loads" 2 'not ready to be cut over' 'READY_TO_COMPLETE'
run pause second
assert_run "pause in the load" 0
on source second -c "INSERT INTO big VALUES (-1, 'while paused'); UPDATE big SET c = 'while paused' WHERE id <= 100; DELETE FROM big WHERE id > 199900"
sessions_of() { # DATABASE
    on source postgres -c "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'pgcutover:%' AND datname = '$1'"
}
second_is_quiet() {
    [ "$(sessions_of second)" = 0 ]
}
wait_until 10 second_is_quiet || fail "paused in the load, but $(sessions_of second) sessions stay"
assert_equal "paused in the load: state" "$(state_of second second)" RUNNING
run resume second
assert_run "resume in the load" 0
wait_until 60 in_state second second READY_TO_COMPLETE || fail "second: not ready after resume: $(state_of second second)"
digest_equal() { # DATABASE
    [ "$(digest_database source "$1")" = "$(digest_database target "$1")" ]
}
wait_until 20 digest_equal second && pass "equal after a pause in the load" || fail "not equal after a pause in the load"

run cancel second
assert_run "cancel" 0 "everything made on the source is gone"
assert_equal "cancel: on the source" "$(footprint source second)" ""
assert_equal "cancel: schema pgcutover on the target" "$(on target second -c "SELECT count(*) FROM pg_namespace WHERE nspname = 'pgcutover'")" 0
wait_until 10 engine_gone second || fail "cancelled, but the engine runs"
assert_equal "cancelled: state" "$(state_of second second)" CANCELLED
assert_equal "cancelled: task state" "$(status_of second "SELECT doc#>>'{properties,state}' FROM document")" Canceled
run status second
assert_run "status of a cancelled one" 0
run resume second
assert_run "resume of a cancelled one" 2 'cannot be resumed'
run pause second
assert_run "pause of a cancelled one" 2 'has ended'
run delete second
assert_run "delete of a cancelled one" 0
assert_deleted second second ""

# --- Ctrl-C: the command ends, the engine does not

on target postgres -c 'DROP DATABASE second'
bash -c 'trap - INT; exec "$@"' _ "$PGC_PROGRAM" --batch "$PGC_DIR/second.json" --state-dir "$STATE" >"$PGC_DIR/out" 2>"$PGC_DIR/err" </dev/null &
batch=$!
wait_until 20 loading || fail "the load was not seen again"
kill -INT $batch
wait $batch
status=$?
err=$(cat "$PGC_DIR/err")
assert_run "Ctrl-C" 130 interrupted 'The engine of "second" goes on'
engine_gone second && fail "Ctrl-C ended the engine" || pass "Ctrl-C: the engine goes on"
run cancel second
assert_run "cancel in the load" 0
assert_equal "cancel in the load: on the source" "$(footprint source second)" ""

# --- a cutover that finds a difference is undone: exit code 4, the source is writable again

row=$(on target shop -c 'DELETE FROM t WHERE id = 5 RETURNING v')
run cutover shop
assert_run "cutover with a row missing" 4 'public.t' 'The source is writable again' 'pgcutover cutover shop'
on source shop -c "INSERT INTO t VALUES (3001, 'after')" && pass "the source is writable again" || fail "the source is still frozen"
assert_equal "left of the cutover on the source" "$(footprint source shop | grep -c '^setting')" 0
wait_until 20 arrived shop "SELECT count(*) FROM t WHERE id = 3001" 1 || fail "sync does not go on after a cutover that was undone"
on target shop -c "INSERT INTO t VALUES (5, '$row')"
wait_until 20 in_state shop shop READY_TO_COMPLETE || fail "after a cutover that was undone: $(state_of shop shop)"

# --- cutover, delete

run cutover shop --json
assert_run "cutover" 0
assert_equal "cutover: steps" "$(lines_of "$PGC_DIR/out" "SELECT DISTINCT s->>'state' FROM lines, json_array_elements(doc->'cutoverSteps') s WHERE doc->>'type' = 'result'")" done
wait $watch1
assert_equal "--watch ends with the migration" $? 0
wait $watch2
assert_contains "--watch showed the end" "$(tac "$PGC_DIR/watch2" | sed "/^Migration shop/q")" "Succeeded"
assert_equal "after the cutover" "$(status_of shop "SELECT item->>'migrationState', doc#>>'{properties,state}', item->>'endedOn' IS NOT NULL, (item->>'downtimeSeconds')::float > 0, item->>'incomingChanges'
    FROM output, document WHERE type = 'DatabaseLevelOutput'")" "COMPLETE|Succeeded|t|t|0"
assert_equal "after the cutover: state" "$(status_of shop "SELECT item->>'state' FROM output WHERE type = 'MigrationLevelOutput'")" COMPLETE
assert_finished shop shop "$before"
run status
assert_equal "only the cancelled one is listed" "$(echo "$out" | awk 'NR > 1 {print $1, $3}')" "second CANCELLED"
