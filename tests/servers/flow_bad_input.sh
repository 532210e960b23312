#!/usr/bin/env bash
# What goes wrong before anything runs: servers, passwords, prerequisites, plans, names, the state directory,
# commands in the wrong state. Each has its exit code and a message that says who, what and what to do;
# nothing is left anywhere.
. "$(dirname "$0")/flow_tools.sh"
cluster_start source fsync=off max_replication_slots=2 || exit 1
cluster_start target fsync=off || exit 1
cluster_start bad fsync=off wal_level=replica || exit 1
secret='Wrs9-secret-qJ'

for name in source bad; do
    on $name postgres -c 'CREATE DATABASE shop'
    on $name shop -c "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 100) i; CREATE TABLE u (id int PRIMARY KEY)"
done
on source shop -c "CREATE ROLE mover LOGIN REPLICATION SUPERUSER PASSWORD '$secret'; CREATE ROLE plain LOGIN PASSWORD '$secret'; GRANT SELECT ON t, u TO plain"
printf 'local all mover,plain scram-sha-256\nlocal all all trust\n' | as_server tee "$PGC_DIR/source/data/pg_hba.conf" >/dev/null
on source postgres -c 'SELECT pg_reload_conf()' >/dev/null
before=$(footprint source shop)

# As `plan`, with ends of one's own.
ends() { # NAME SOURCE TARGET [DATABASES] [MORE]
    local databases='[{"name": "shop"}]'
    echo "{\"name\": \"$1\", \"source\": $2, \"target\": $3, \"databases\": ${4:-$databases}${5:+, $5}}" >"$PGC_DIR/$1.json"
}

# A plan that must fail, by --batch and by check; nothing is left.
refused() { # WHAT CODE NAME PART...
    local what=$1 code=$2 name=$3
    shift 3
    run --batch "$PGC_DIR/$name.json"
    assert_run "$what" "$code" "$@"
    nothing_left "$what" "$name"
}

left_nothing() {
    [ "$(footprint source shop)" = "$before" ]
}

nothing_left() { # WHAT NAME
    wait_until 5 left_nothing # the engine's last sessions
    assert_equal "$1: on the source" "$(footprint source shop)" "$before"
    assert_equal "$1: on the target" "$(on target postgres -c "SELECT datname FROM pg_database WHERE datname = 'shop' UNION ALL SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'pgcutover%'")" ""
    rm -rf "${STATE:?}/$2"
}

socket="\"serverName\": \"$PGC_DIR/source\""
good_source="{$socket, \"userName\": \"postgres\", \"password\": \"\"}"
good_target="{\"serverName\": \"$PGC_DIR/target\", \"userName\": \"postgres\", \"password\": \"\"}"

# --- servers

ends nowhere "{\"serverName\": \"$PGC_DIR/nowhere\", \"userName\": \"postgres\", \"password\": \"\"}" "$good_target"
refused "source unreachable" 1 nowhere "source $PGC_DIR/nowhere:5432/shop" "No such file" hint:
ends closed "$good_source" '{"serverName": "127.0.0.1", "port": 1, "userName": "postgres", "password": ""}'
refused "target unreachable" 1 closed "target 127.0.0.1:1/shop" "refused" hint: 08
ends unknown_host '{"serverName": "no-such-host.invalid", "userName": "postgres"}' "$good_target"
refused "unknown host" 1 unknown_host "no-such-host.invalid" hint:
ends nodb "$good_source" "$good_target" '[{"name": "shopp"}]'
refused "no such database" 1 nodb 'database "shopp" does not exist' 3D000 hint: "source $PGC_DIR/source"
ends secondnodb "$good_source" "$good_target" '[{"name": "shop"}, {"name": "shopp"}]'
refused "no such second database" 1 secondnodb 'database "shopp" does not exist' 3D000 hint:

# --- passwords

mover="$socket, \"userName\": \"mover\""
ends wrongpw "{$mover, \"password\": \"not it\"}" "$good_target"
refused "wrong password" 1 wrongpw 'user "mover"' 28P01 hint: "source $PGC_DIR/source"
ends nopw "{$mover, \"password\": null}" "$good_target"
refused "password null, no terminal" 1 nopw "no password supplied" passfile hint:
run check "$PGC_DIR/nopw.json"
assert_run "check: password null, no terminal" 1 "no password supplied" passfile

printf '%s\n' "$PGC_DIR/source:*:*:mover:$secret" >"$PGC_DIR/passfile"
chmod 600 "$PGC_DIR/passfile"
PGPASSFILE=$PGC_DIR/passfile run check "$PGC_DIR/nopw.json"
assert_run "password from the passfile" 0
PGPASSWORD=$secret run check "$PGC_DIR/nopw.json"
assert_run "password from the environment" 0

# In the plan: nowhere else afterwards, and never in an argument of any process.
ends planpw "{$mover, \"password\": \"$secret\"}" "$good_target"
(trap - EXIT; while [ ! -e "$PGC_DIR/seen_enough" ]; do ps -eo args; sleep 0.05; done >"$PGC_DIR/ps" 2>&1) &
run --batch "$PGC_DIR/planpw.json" --log-level debug
assert_run "password in the plan" 0
touch "$PGC_DIR/seen_enough"
assert_equal "processes seen of the engine" "$(grep -c 'pgcutover' "$PGC_DIR/ps" | sed 's/^[1-9][0-9]*$/some/')" some
assert_equal "password in arguments" "$(grep -cF "$secret" "$PGC_DIR/ps")" 0
assert_equal "password in files" "$(grep -rlF "$secret" "$STATE" "$PGC_DIR/out" "$PGC_DIR/err")" ""
assert_equal "password in the server's log" "$(grep -F "$secret" "$PGC_DIR/source/log" | grep -cv 'CREATE ROLE')" 0
kill -9 "$(engine_pid planpw)"
wait_until 10 engine_gone planpw
(cd "$PGC_DIR" && run resume planpw && echo "$status" >"$PGC_DIR/resumed")
assert_equal "resumed with the password of the plan" "$(cat "$PGC_DIR/resumed")" 0
run cancel planpw
assert_run "cancel" 0
run delete planpw
assert_run "delete" 0
on target postgres -c 'DROP DATABASE IF EXISTS shop'
nothing_left "password in the plan" planpw

# The same from the three files of Azure DMS, said in another directory.
here=$PWD
cd "$PGC_DIR" || exit 1
echo "{$mover, \"password\": \"$secret\", \"databaseName\": \"shop\"}" >source.azure
echo "$good_target" >target.azure
echo '[{"name": "shop"}]' >options.azure
run --batch --source-connection-json source.azure --target-connection-json target.azure --database-options-json options.azure --name azure
assert_run "password in the file of Azure DMS" 0
kill -9 "$(engine_pid azure)"
wait_until 10 engine_gone azure
cd / || exit 1
run resume azure
assert_run "resumed with the password of that file" 0
assert_equal "that password in files" "$(grep -rlF "$secret" "$STATE")" ""
cd "$here" || exit 1
run cancel azure
assert_run "azure: cancel" 0
run delete azure
assert_run "azure: delete" 0
on target postgres -c 'DROP DATABASE IF EXISTS shop'
nothing_left "password in the file of Azure DMS" azure

asked() {
    grep -q 'Password for' "$PGC_DIR/screen"
}

if command -v script >/dev/null && script --version 2>/dev/null | grep -q util-linux; then
    mkfifo "$PGC_DIR/keys"
    PGC_CMD="'$PGC_PROGRAM' check '$PGC_DIR/nopw.json' --state-dir '$STATE'"
    script -qefc "$PGC_CMD" "$PGC_DIR/screen" <"$PGC_DIR/keys" >/dev/null 2>&1 &
    asking=$!
    exec 9>"$PGC_DIR/keys"
    wait_until 15 asked || fail "no password was asked for: $(cat "$PGC_DIR/screen")"
    assert_contains "the question" "$(cat "$PGC_DIR/screen")" 'mover'
    (trap '' PIPE; echo "$secret" >&9)
    wait $asking
    assert_equal "password asked for on the terminal" $? 0
    exec 9>&-
    assert_equal "the password is not shown" "$(grep -cF "$secret" "$PGC_DIR/screen")" 0
else
    echo "SKIPPED: asking for a password: there is no script(1) of util-linux"
fi

# --- prerequisites: exit code 3, all of them before anything is changed

ends walreplica "{\"serverName\": \"$PGC_DIR/bad\", \"userName\": \"postgres\", \"password\": \"\"}" "$good_target"
refused "wal_level replica" 3 walreplica "wal_level is replica" "wal_level = 'logical'" source "Nothing was changed"
assert_equal "wal_level replica: left" "$(footprint bad shop)" ""
on source postgres -o /dev/null -c "SELECT pg_create_physical_replication_slot('s1'), pg_create_physical_replication_slot('s2')"
ends noslot "$good_source" "$good_target"
refused "no free slot" 3 noslot max_replication_slots "s1" "Nothing was changed"
on source postgres -o /dev/null -c "SELECT pg_drop_replication_slot('s1'), pg_drop_replication_slot('s2')"
ends norepl "{$socket, \"userName\": \"plain\", \"password\": \"$secret\"}" "$good_target"
refused "no REPLICATION" 3 norepl 'ALTER ROLE' REPLICATION plain "Nothing was changed"
on target postgres -c 'CREATE DATABASE filled'
on target filled -c 'CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1)'
ends notempty "$good_source" "$good_target" '[{"name": "shop", "target_database_name": "filled"}]'
refused "target not empty" 3 notempty "target" "t" "Nothing was changed"
assert_equal "target not empty: untouched" "$(on target filled -c 'SELECT * FROM t')$(footprint target filled)" "1|"
older=
for dir in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin ${PGC_OLDER_BIN:+"$PGC_OLDER_BIN"}; do
    [ -x "$dir/initdb" ] && [ "$dir" != "$PGC_BIN" ] && older=$dir
done
if [ "$older" ]; then
    newer=$PGC_BIN
    PGC_BIN=$older
    cluster_start older fsync=off
    ends downgrade "$good_source" "{\"serverName\": \"$PGC_DIR/older\", \"userName\": \"postgres\", \"password\": \"\"}"
    refused "target older than the source" 3 downgrade 'these versions do not go together' 'the target is' "Nothing was changed"
    cluster_stop older
    PGC_BIN=$newer
else
    echo "SKIPPED: target older than the source: one version of PostgreSQL is installed"
fi
# several at once are all said
on source shop -c 'CREATE TABLE nokey (v text); CREATE SCHEMA tmp; CREATE TABLE tmp.nokey2 (v text)'
ends several "$good_source" "$good_target" '[{"name": "shop", "target_database_name": "filled"}]'
refused "two prerequisites" 3 several "2 prerequisites" nokey "t-empty"
on source shop -c 'DROP TABLE nokey; DROP SCHEMA tmp CASCADE'

# --- plans: exit code 2, with the place

ends nomatch "$good_source" "$good_target" '[{"name": "shop", "selectedTables": ["public.t", "public.nothing_*"]}]'
refused "a table that matches nothing" 2 nomatch '"public.nothing_*"' 'shop' hint:
run check "$PGC_DIR/nomatch.json"
assert_run "check: a table that matches nothing" 2 '"public.nothing_*"'

place() { # WHAT PART...; plan on stdin
    local what=$1
    shift
    cat >"$PGC_DIR/place.json"
    run --batch "$PGC_DIR/place.json"
    assert_run "$what" 2 "$@"
    [ -e "$STATE/place" ] && fail "$what: it left a state directory"
}
place "a wrong key" 'place.json:4:34: ' '"selectdTables"' 'Did you mean "selectedTables"?' <<JSON
{ // a comment
  "source": $good_source,
  "target": $good_target,
  "databases": [{"name": "shop", "selectdTables": ["a"]}],
}
JSON
place "a wrong type" 'place.json:2:25: ' 'source.port' <<JSON
{
  "source": {   "port": "many", "serverName": "x"}, "target": $good_target
}
JSON
place "not JSON" 'place.json:2:' <<JSON
{"source": $good_source,
 "target" $good_target}
JSON
run --batch "$PGC_DIR/absent.json"
assert_run "no plan there" 2 absent.json "No such file"
run --batch
assert_run "no plan said" 2 source-connection-json
place "a name that cannot be" 'place.json:1:10: name' <<<"{\"name\": \"a b\", \"source\": $good_source, \"target\": $good_target}"
place "no source" source <<<"{\"target\": $good_target}"

# --- options

ends fine "$good_source" "$good_target"
for wrong in '--unknown' '--until nowhere' '--until e' '--log-level loud' '--watch' '--database-name x'; do
    run --batch "$PGC_DIR/fine.json" $wrong
    assert_run "batch $wrong" 2 hint:
    [ -e "$STATE/fine" ] && fail "batch $wrong: something was started"
done
run launch fine
assert_run "unknown command" 2 '"launch"'
run status --until done
assert_run "an option of another command" 2 until
run cutover
assert_run "cutover without a name" 2
for command in status cutover pause resume cancel delete; do
    run $command nobody
    assert_run "$command: unknown migration" 5 '"nobody"' hint:
done
run status ../x
assert_run "a name that is a path" 5
run status nobody --json
assert_run "unknown migration, --json" 5
assert_equal "unknown migration, --json: the error" "$(lines_of "$PGC_DIR/out" "SELECT doc->>'type', doc->>'exitCode' FROM lines")" "error|5"
ends operator "$good_source" "$good_target" '' '"cutover": {"stopWrites": "operator"}'
run --batch "$PGC_DIR/operator.json" --until done
assert_run "a question without a terminal" 2 --yes

# --- the state directory

mkdir "$PGC_DIR/locked"
chmod 555 "$PGC_DIR/locked"
chmod 644 "$PGC_DIR/fine.json"
if [ "$PGC_USER" ] && as_server test -x "$PGC_PROGRAM"; then
    as_server "$PGC_PROGRAM" --batch "$PGC_DIR/fine.json" --state-dir "$PGC_DIR/locked" </dev/null >"$PGC_DIR/out" 2>"$PGC_DIR/err"
    status=$?
elif [ "$PGC_USER" ]; then
    cp "$PGC_PROGRAM" "$PGC_DIR/program" && chmod 755 "$PGC_DIR/program"
    as_server "$PGC_DIR/program" --batch "$PGC_DIR/fine.json" --state-dir "$PGC_DIR/locked" </dev/null >"$PGC_DIR/out" 2>"$PGC_DIR/err"
    status=$?
else
    "$PGC_PROGRAM" --batch "$PGC_DIR/fine.json" --state-dir "$PGC_DIR/locked" </dev/null >"$PGC_DIR/out" 2>"$PGC_DIR/err"
    status=$?
fi
err=$(cat "$PGC_DIR/err")
assert_run "state directory read-only" 1 "$PGC_DIR/locked" "ermission denied" --state-dir
nothing_left "state directory read-only" fine
echo x >"$PGC_DIR/file"
STATE_WAS=$STATE STATE=$PGC_DIR/file/dir
run --batch "$PGC_DIR/fine.json"
assert_run "state directory below a file" 1 "$PGC_DIR/file" --state-dir
STATE=$STATE_WAS
nothing_left "state directory below a file" fine

# --- Ctrl-C before an engine runs: the catalog of the source is locked for as long as it takes

mkfifo "$PGC_DIR/statements"
on source shop -o /dev/null <"$PGC_DIR/statements" &
locker=$!
exec 8>"$PGC_DIR/statements"
echo 'BEGIN; LOCK TABLE pg_catalog.pg_trigger IN ACCESS EXCLUSIVE MODE;' >&8
it_is_locked() {
    [ "$(on source shop -c "SELECT count(*) FROM pg_locks WHERE relation = 'pg_catalog.pg_trigger'::regclass AND mode = 'AccessExclusiveLock' AND granted")" = 1 ]
}
wait_until 30 it_is_locked || fail "Ctrl-C: the catalog was not locked"
it_waits() {
    [ "$(on source postgres -c "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'pgcutover:%' AND wait_event_type = 'Lock'")" -gt 0 ]
}
interrupt() { # WHAT PART ARGS...
    local what=$1 part=$2
    shift 2
    bash -c 'trap - INT; exec "$@"' _ "$PGC_PROGRAM" "$@" --state-dir "$STATE" >"$PGC_DIR/out" 2>"$PGC_DIR/err" </dev/null 8>&- &
    pid=$!
    wait_until 20 it_waits || fail "$what: the catalog was not waited for"
    kill -INT $pid
    wait $pid
    status=$?
    err=$(cat "$PGC_DIR/err")
    assert_run "$what" 130 interrupted "$part"
}
interrupt "Ctrl-C while checking" 'changed nothing' check "$PGC_DIR/fine.json"
interrupt "Ctrl-C in a dry run" 'changed nothing' --batch "$PGC_DIR/fine.json" --dry-run
interrupt "Ctrl-C in batch mode" 'The engine of "fine" goes on' --batch "$PGC_DIR/fine.json"
run cancel fine
assert_run "cancel while it checks" 0
run delete fine
assert_run "delete what was cancelled while checking" 0
printf 'ROLLBACK;\n\\q\n' >&8
exec 8>&-
wait $locker
nothing_left "Ctrl-C" fine

# --- what cannot be undone now is listed, with the statements; later it can

on source shop -c 'CREATE TABLE "No key" (v text); INSERT INTO "No key" VALUES (1)'
ends left "$good_source" "$good_target" '[{"name": "shop", "keylessTables": "full"}]'
run --batch "$PGC_DIR/left.json"
assert_run "left: batch" 0
on source shop -c "UPDATE \"No key\" SET v = 2"
cluster_stop source
run cancel left
assert_run "cancel, source down" 1 08 'resume left' "on the source: SELECT pg_drop_replication_slot('pgcutover_left_" 'on the source: DROP PUBLICATION IF EXISTS "pgcutover_left_' \
    'on the source: ALTER TABLE ONLY "public"."No key" REPLICA IDENTITY DEFAULT'
cluster_again source
run delete left
assert_run "delete while something is left" 2 'cannot be deleted'
run cancel left
assert_run "cancel, source up again" 0
on source shop -c 'DROP TABLE "No key"'
run delete left
assert_run "left: delete" 0
on target postgres -c 'DROP DATABASE shop'
nothing_left "cancelled later" left

# --- one that runs: name in use, a second engine, commands in the wrong state, a dead engine

run --batch "$PGC_DIR/fine.json" --until ready
assert_run "one that runs" 0
run --batch "$PGC_DIR/fine.json"
assert_run "name in use" 2 '"fine" is in use' 'resume fine' 'delete fine' --name
run delete fine
assert_run "delete while it runs" 2 '"shop" cannot be deleted' hint:
run cutover fine --database-name nothere
assert_run "cutover of another database" 2 '"nothere"'
assert_equal "it still runs" "$(state_of fine shop)" READY_TO_COMPLETE

pid=$(engine_pid fine)
mv "$STATE/fine/control.sock" "$STATE/fine/hidden.sock"
run resume fine
assert_run "a second engine for the same name" 2 'an engine for migration "fine" runs already' hint:
run --batch "$PGC_DIR/fine.json"
assert_run "a second --batch for the same name" 2 '"fine" is in use'
mv "$STATE/fine/hidden.sock" "$STATE/fine/control.sock"
assert_equal "the first is the engine" "$(engine_pid fine)" "$pid"

kill -9 "$pid"
wait_until 10 engine_gone fine
[ -S "$STATE/fine/control.sock" ] && pass "a dead engine's socket is there" || fail "the socket is gone"
run status fine
assert_run "status of a dead engine" 5 'does not answer' 'resume fine'
assert_contains "status of a dead engine: state" "$out" Faulted
for command in pause cutover; do
    run $command fine
    assert_run "$command: dead engine" 5 'resume fine'
done
run status
assert_run "list with a dead engine" 0
assert_contains "list with a dead engine" "$out" "does not answer"
run resume fine
assert_run "resume after the engine died" 0
wait_until 30 in_state fine shop READY_TO_COMPLETE || fail "not ready after the engine died"
on source shop -c "INSERT INTO t VALUES (1001, 'after')"
run cutover fine
assert_run "cutover after the engine died" 0
wait_until 10 engine_gone fine
assert_same_data "after a dead engine" source/shop target/shop
for command in resume cancel; do
    run $command fine
    assert_run "$command: after the cutover" 2 '"shop" cannot be' done
done
run pause fine
assert_run "pause: after the cutover" 2 'has ended'
run cutover fine
assert_run "cutover: after the cutover" 2 'has ended'
run --batch "$PGC_DIR/fine.json"
assert_run "name in use by one that has ended" 2 'delete fine'
run delete fine
assert_run "delete" 0
assert_deleted fine shop "$before"
