#!/usr/bin/env bash
# Cases in which changes are lost or spoiled without a word, that no other flow has (tests/README says which has what).
# Each ends in a comparison of full contents. case_loss.sh CASE... runs some of: L2 L7 L10 L12 L15 L16.
. "$(dirname "$0")/flow_lib.sh"
cluster_start source max_prepared_transactions=20 logical_decoding_work_mem=1MB && cluster_start target || exit 1

target_has() { # DATABASE SQL WANT
    [ "$(on target "$1" -c "$2")" = "$3" ]
}

logged() { # NAME TEXT
    grep -aqF "$2" "$STATE/$1/log.jsonl"
}

ready() { # NAME DATABASE [JSON]
    flow_plan "$1" "$2" ", \"cutover\": {\"maxLag\": \"10s\"}${3:-}"
    pgc --batch "$PGC_DIR/$1.json" --until ready -q || { fail "$1: not ready"; pgc status "$1"; exit 1; }
}

cut_over() { # NAME DATABASE
    wait_until 60 in_state "$1" READY_TO_COMPLETE || { fail "$1: not ready"; pgc status "$1"; exit 1; }
    pgc cutover "$1" -q || { fail "$1: cutover"; pgc status "$1"; exit 1; }
    finish_flow "$1" "$2"
}

stopped() { # DATABASE TABLE SQLSTATE
    case "$(status "$1" | tr '\n' ' ')" in *"$3"*) return 0 ;; *) return 1 ;; esac
}

# A trigger of the target that fires all the same (ENABLE ALWAYS) and raises; a disk of the target that is full. What comes
# after is not said to be applied; after mending nothing is lost.
L2() {
    local room=$PGC_DIR/room
    on source postgres -c 'CREATE DATABASE l2' && on source l2 <<'SQL' || exit 1
CREATE TABLE raised (id int PRIMARY KEY, t text);
CREATE TABLE filled (id int PRIMARY KEY, t text);
CREATE TABLE beside (id int PRIMARY KEY, t text);
SQL
    ready l2 l2
    on target l2 <<'SQL'
CREATE FUNCTION public.raises() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.id = 5 THEN RAISE EXCEPTION 'no fives' USING ERRCODE = 'P0V05'; END IF; RETURN NEW; END $$;
CREATE TRIGGER raises BEFORE INSERT OR UPDATE ON raised FOR EACH ROW EXECUTE FUNCTION public.raises();
ALTER TABLE raised ENABLE ALWAYS TRIGGER raises;
SQL
    on source l2 -c "INSERT INTO raised SELECT i, 'r' FROM generate_series(1, 4) i" -c "INSERT INTO raised VALUES (5, 'five')" \
        -c "INSERT INTO beside VALUES (1, 'b')" -c "INSERT INTO raised VALUES (6, 'six')"
    says_why() { case "$(pgc status l2 --json | tr -d '\n')" in *P0V05* | *raises*) return 0 ;; *) return 1 ;; esac; }
    wait_until 30 says_why && pass "L2: a raising trigger is named" || { fail "L2: a raising trigger"; pgc status l2; }
    assert_equal "L2: nothing after it in its table" "$(on target l2 -c 'SELECT count(*) FROM raised WHERE id > 4')" 0
    local counted
    counted=$(table_field l2 public.raised cdcInsertCounter)
    [ "${counted:-0}" -le "$(on target l2 -c 'SELECT count(*) FROM raised')" ] && pass "L2, L17: counted $counted" || fail "L2, L17: counted $counted"
    on target l2 -c "DROP TRIGGER raises ON raised; DROP FUNCTION public.raises()"
    pgc resume l2 -q || fail "L2: resume"
    wait_until 30 target_has l2 "SELECT count(*) FROM raised" 6 && pass "L2: goes on after mending" || { fail "L2: after mending"; pgc status l2; }

    as_server mkdir -p "$room"
    if mount -t tmpfs -o "size=12m,uid=$(id -u "${PGC_USER:-$USER}"),mode=700" pgc_case "$room" 2>/dev/null; then
        on target l2 -c "CREATE TABLESPACE small LOCATION '$room'"
        on target l2 -c "ALTER TABLE filled SET TABLESPACE small; ALTER INDEX filled_pkey SET TABLESPACE small"
        on source l2 -c "INSERT INTO filled SELECT i, repeat(md5(i::text), 20) FROM generate_series(1, 20000) i" -c "INSERT INTO beside VALUES (2, 'after it')"
        disk_full() { logged l2 53100 || logged l2 "No space left"; }
        wait_until 60 disk_full && pass "L2: the target's full disk is said" || { fail "L2: full disk of the target"; pgc status l2; }
        [ "$(on target l2 -c 'SELECT count(*) FROM filled')" = 0 ] || fail "L2: part of a transaction is there"
        mount -o remount,size=64m "$room"
        is_held l2 && pgc resume l2 -q
        wait_until 90 target_has l2 "SELECT count(*) FROM filled" 20000 && pass "L2: goes on when there is room" || { fail "L2: room was made"; pgc status l2; }
        # A state that must not outlive the mount.
        cut_over l2 l2
        on target l2 -c "ALTER TABLE filled SET TABLESPACE pg_default; ALTER INDEX filled_pkey SET TABLESPACE pg_default"
        on target postgres -c "DROP TABLESPACE small"
        umount -l "$room"
    else
        echo "SKIPPED: L2, disk full on the target: no tmpfs can be mounted here"
        cut_over l2 l2
    fi
}

# The source's side of a COPY ends in the middle, while rows come and go: the part is made again, from a snapshot.
L7() {
    local again
    on source postgres -c 'CREATE DATABASE l7' && on source l7 <<'SQL' || exit 1
CREATE TABLE copied (id int PRIMARY KEY, t text, n int DEFAULT 0);
CREATE TABLE keyed (a int, b int, t text, PRIMARY KEY (b, a));
INSERT INTO copied SELECT i, repeat(md5(i::text), 10) FROM generate_series(1, 150000) i;
INSERT INTO keyed SELECT i, i % 7, repeat(md5(i::text), 10) FROM generate_series(1, 100000) i;
SQL
    echo "UPDATE copied SET n = n + 1 WHERE id = 1 + floor(random() * 150000)::int;
INSERT INTO copied SELECT 1000000 + nextval('public.more')::int, 'new' ON CONFLICT DO NOTHING;
DELETE FROM copied WHERE id = 1 + floor(random() * 150000)::int;
UPDATE keyed SET a = a + 1000000 WHERE b = 3 AND a = 1 + floor(random() * 100000)::int;" >"$PGC_DIR/l7.sql"
    on source l7 -c 'CREATE SEQUENCE public.more'
    workload_start l7 "$PGC_DIR/l7.sql" -R 50
    flow_plan l7 l7 ', "load": {"jobs": 2, "splitAbove": "4MB"}, "cutover": {"maxLag": "10s"}'
    pgc --batch "$PGC_DIR/l7.json" --detach -q 2>"$PGC_DIR/l7.err" || {
        flow_plan l7 l7 ', "load": {"jobs": 2}, "cutover": {"maxLag": "10s"}' # no splitting in this version
        pgc --batch "$PGC_DIR/l7.json" --detach -q || { fail "L7: start"; exit 1; }
    }
    again=0
    for try in $(seq 400); do
        [ "$(on source postgres -c "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
            WHERE application_name = 'pgcutover:copy' AND state = 'active' AND query LIKE 'COPY%' AND clock_timestamp() - query_start > interval '20 ms'")" -gt 0 ] && again=$((again + 1))
        [ $again -ge 3 ] && break
        in_phase l7 syncing && break
    done
    [ $again -gt 0 ] && pass "L7: $again times in the middle of a COPY" || fail "L7: no COPY was caught"
    wait_until 90 in_state l7 READY_TO_COMPLETE || { fail "L7: not ready"; pgc status l7; }
    workload_stop
    cut_over l7 l7
}

# Transactions of every length, with savepoints, rolled back, prepared, begin and end in every order around the slot, the
# snapshot and the commits, from before the slot is made to after the load.
L10() {
    local writer
    on source postgres -c 'CREATE DATABASE l10' && on source l10 <<'SQL' || exit 1
CREATE TABLE orders (id bigserial PRIMARY KEY, writer int, n int NOT NULL DEFAULT 0, state text);
CREATE TABLE counts (writer int PRIMARY KEY, n int NOT NULL DEFAULT 0);
CREATE TABLE moved (id int PRIMARY KEY, n int);
INSERT INTO counts SELECT generate_series(1, 12);
INSERT INTO orders (writer, state) SELECT 1 + i % 12, 'before' FROM generate_series(1, 30000) i;
INSERT INTO moved SELECT generate_series(1, 2000), 0;
SQL
    touch "$PGC_DIR/l10.on"
    for writer in $(seq 12); do
        (
            trap - EXIT
            RANDOM=$((seed + writer))
            i=0
            while [ -e "$PGC_DIR/l10.on" ]; do
                i=$((i + 1))
                pause="SELECT pg_sleep(0.$((RANDOM % 10))$((RANDOM % 10)));"
                [ $((RANDOM % 5)) = 0 ] && pause="SELECT pg_sleep($((RANDOM % 2)).$((RANDOM % 10)));"
                work="INSERT INTO orders (writer, n, state) VALUES ($writer, $i, 'new'); UPDATE counts SET n = n + 1 WHERE writer = $writer;
                    UPDATE orders SET n = n + 1 WHERE id = 1 + $writer * 12 + $((RANDOM % 2000)) * 12; DELETE FROM moved WHERE id = $writer * 100; INSERT INTO moved VALUES ($writer * 100, $i);"
                case $((RANDOM % 6)) in
                    0) echo "BEGIN; $work $pause ROLLBACK;" ;;
                    1) echo "BEGIN; $work SAVEPOINT a; UPDATE orders SET state = 'lost' WHERE writer = $writer; $pause ROLLBACK TO a; INSERT INTO orders (writer, n, state) VALUES ($writer, $i, 'after a savepoint'); COMMIT;" ;;
                    2) echo "BEGIN; $work PREPARE TRANSACTION 'w$writer.$i'; $pause COMMIT PREPARED 'w$writer.$i';" ;;
                    3) echo "BEGIN; $pause $work COMMIT;" ;;
                    4) echo "BEGIN; SAVEPOINT a; $work RELEASE a; $pause SAVEPOINT b; UPDATE moved SET n = n + 1 WHERE id = $writer * 100; COMMIT;" ;;
                    5) echo "BEGIN; $work $pause COMMIT;" ;;
                esac
            done | on source l10 -o /dev/null 2>>"$PGC_DIR/l10.err"
        ) &
    done
    # A prepared transaction in sight is refused by the checks; these come and go in between.
    flow_plan l10 l10 ', "cutover": {"maxLag": "10s"}'
    for try in $(seq 20); do
        pgc --batch "$PGC_DIR/l10.json" --until ready -q 2>"$PGC_DIR/l10.out" && break
        sleep 0.3
    done
    in_state l10 READY_TO_COMPLETE && pass "L10: ready with 12 writers" || { fail "L10: $(cat "$PGC_DIR/l10.out")"; exit 1; }
    sleep 1
    grep ERROR "$PGC_DIR/l10.err" && fail "L10: the writers"
    rm -f "$PGC_DIR/l10.on"
    # What they have been told already would take them minutes.
    on source l10 -o /dev/null -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'l10' AND application_name = 'psql' AND pid <> pg_backend_pid()"
    wait $(jobs -p) 2>/dev/null
    for gid in $(on source l10 -c "SELECT gid FROM pg_prepared_xacts"); do on source l10 -c "COMMIT PREPARED '$gid'"; done
    assert_equal "L10: the writers' work adds up" "$(on source l10 -c "SELECT count(*) > 12 FROM orders WHERE state <> 'before'")" t
    cut_over l10 l10
}

# The values of one table, by the bytes of their types' send functions: no setting and no rendering between them and us.
sent_values() { # NAME DATABASE
    on "$1" "$2" -c "SELECT string_agg(md5(concat_ws('|', id, encode(float4send(f4), 'hex'), encode(float8send(f8), 'hex'), encode(numeric_send(n), 'hex'), encode(date_send(d), 'hex'),
        encode(timestamp_send(ts), 'hex'), encode(timestamptz_send(tz), 'hex'), encode(interval_send(iv), 'hex'), encode(timetz_send(tt), 'hex'), encode(bytea, 'hex'), encode(textsend(x::text), 'hex'),
        encode(array_send(fa), 'hex'), encode(box_send(b), 'hex'), encode(cash_send(m), 'hex'))), E'\n' ORDER BY id) FROM extreme"
}

one_of_L12() { # WHAT DATABASE
    on source postgres -c "CREATE DATABASE $2" && on source "$2" <<SQL || exit 1
ALTER DATABASE $2 SET datestyle = 'SQL, DMY'; ALTER DATABASE $2 SET intervalstyle = 'sql_standard'; ALTER DATABASE $2 SET extra_float_digits = -3;
ALTER DATABASE $2 SET timezone = 'Asia/Kathmandu'; ALTER DATABASE $2 SET bytea_output = 'escape'; ALTER DATABASE $2 SET lc_monetary = 'C';
SQL
    cat >"$PGC_DIR/extreme.sql" <<'SQL'
INSERT INTO extreme (f4, f8, n, d, ts, tz, iv, tt, bytea, x, fa, b, m) VALUES
    (0.1::float4 + 0.2::float4, 0.1::float8 + 0.2::float8, 0.1, 'epoch', 'epoch', 'epoch', '0', '00:00:00+00', '', '', '{}', '((0.1,0.2),(0.3,1e-300))', '0'),
    ('NaN', 'NaN', 'NaN', 'infinity', 'infinity', 'infinity', '-1 day +02:03:04.000001', '24:00:00-1559', '\x00ff5c27', E'\\.\r\n\t\\N"', '{NaN,-0,Infinity,NULL}', '((-0,0),(1,1))', '-92233720368547758.08'),
    ('-Infinity', '-Infinity', repeat('9', 600)::numeric + ('0.' || repeat('123456789', 45))::numeric, '-infinity', '-infinity', '-infinity', '178000000 years', '23:59:59.999999+14:59', '\x5c', 'ü𝄞', '{{1.5,2.5},{3.5,4.5}}', '((1e300,1e300),(-1e300,-1e300))', '92233720368547758.07'),
    ('-0', '-0', -0.000, '5874897-12-31', '294276-12-31 23:59:59.999999', '294276-12-31 23:59:59.999999+00', '1 mon -1 day', '12:00:00+05:45', NULL, NULL, NULL, NULL, NULL),
    ('1.17549435e-38', '4.9e-324', 1e-1000, '4713-01-01 BC', '4713-01-01 00:00:00 BC', '4713-01-02 00:00:00+00 BC', '-178000000 years', '00:00:00+15:59', '\x', ' ', '{0.1,0.30000000000000004}', '((1,1),(0,0))', '0.01'),
    ('3.4028235e38', '1.7976931348623157e308', (repeat('7', 1000))::numeric, '0001-01-01', '0001-01-01 00:00:00', '1883-11-18 12:03:57+00', '-00:00:00.000001', '01:02:03.456789-00:30', '\xdeadbeef', E'\x01\x7f', '[5:6]={1,2}', '((1,2),(3,4))', '1');
SQL
    on source "$2" -c "CREATE TABLE extreme (id serial PRIMARY KEY, f4 float4, f8 float8, n numeric, d date, ts timestamp, tz timestamptz, iv interval, tt timetz, bytea bytea, x text, fa float8[], b box, m money)" \
        -f "$PGC_DIR/extreme.sql" || exit 1
    ready "$2" "$2"
    # The same by the stream: new rows, rows changed in one place, and rows that are read to be changed.
    on source "$2" -f "$PGC_DIR/extreme.sql" -c "UPDATE extreme SET x = x || '.' WHERE id <= 6" -c "UPDATE extreme SET id = id + 100 WHERE id BETWEEN 7 AND 9" || fail "$1: stream"
    wait_until 30 in_state "$2" READY_TO_COMPLETE
    wait_until 30 target_has "$2" "SELECT count(*) FROM extreme WHERE id > 100" 3 || fail "$1: the stream did not arrive"
    assert_equal "$1: bit for bit" "$(sent_values target "$2")" "$(sent_values source "$2")"
    pgc cutover "$2" -q || { fail "$1: cutover"; pgc status "$2"; }
    assert_equal "$1: bit for bit after the cutover" "$(sent_values target "$2")" "$(sent_values source "$2")"
    assert_equal "$1: rows" "$(on target "$2" -c 'SELECT count(*) FROM extreme')" 12
    pgc delete "$2" -q || fail "$1: delete"
}

L12() {
    one_of_L12 "L12" l12
    local old=${PGC_VERSIONS_DIR:-/nowhere}/10/package/native/bin
    if [ -x "$old/initdb" ]; then
        cluster_stop source
        rm -rf "$PGC_DIR/source"
        PGC_BIN=$old cluster_start source max_prepared_transactions=20 || exit 1
        one_of_L12 "L12, source 10" l12_ten
    else
        echo "SKIPPED: L12 with a source of version 10: PGC_VERSIONS_DIR has none; make check-matrix has one"
    fi
}

# The spool is lost while changes wait in it that the source was told are safe: refused with the way out, nothing is guessed.
# With the whole state directory lost, the next one who comes is told what was left on the source.
L15() {
    on source postgres -c 'CREATE DATABASE l15' && on source l15 -c "CREATE TABLE t (id int PRIMARY KEY, t text); INSERT INTO t SELECT i, 't' FROM generate_series(1, 1000) i" || exit 1
    ready l15 l15
    on source l15 -c "INSERT INTO t SELECT i, 'more' FROM generate_series(2001, 2100) i"
    wait_until 30 target_has l15 "SELECT count(*) FROM t" 1100 || fail "L15: before"
    kill -STOP "$(worker_pids l15 apply | cut -d' ' -f1)"
    on source l15 -c "INSERT INTO t SELECT i, 'waits in the spool' FROM generate_series(3001, 3100) i"
    confirmed() { [ "$(on source l15 -c "SELECT confirmed_flush_lsn >= '$written'::pg_lsn FROM pg_replication_slots WHERE slot_name LIKE 'pgcutover%'")" = t ]; }
    written=$(on source l15 -c 'SELECT pg_current_wal_lsn()')
    wait_until 40 confirmed || fail "L15: not confirmed"
    kill_engine l15
    mv "$STATE/l15/db-0/spool" "$PGC_DIR/l15.spool"
    pgc resume l15 -q
    wait_until 30 is_held l15 && pass "L15: a lost spool stops the migration" || { fail "L15: a lost spool"; pgc status l15; }
    local shown
    shown=$(pgc status l15 --json | tr -d '\n')
    assert_contains "L15: says what is lost" "$shown" "spool"
    case "$shown" in *'"hint": "'*) pass "L15: with the way out" ;; *) fail "L15: no hint: $shown" ;; esac
    assert_equal "L15: nothing is guessed" "$(on target l15 -c 'SELECT count(*) FROM t')" 1100
    pgc cutover l15 -q 2>/dev/null && fail "L15: cut over without its spool"
    kill_engine l15
    rm -rf "$STATE/l15/db-0/spool"
    mv "$PGC_DIR/l15.spool" "$STATE/l15/db-0/spool"
    pgc resume l15 -q
    wait_until 30 target_has l15 "SELECT count(*) FROM t" 1200 && pass "L15: goes on when it is found again" || { fail "L15: after it was found"; pgc status l15; }
    # Now everything here.
    kill_engine l15
    mv "$STATE/l15" "$PGC_DIR/l15.state"
    pgc resume l15 -q 2>"$PGC_DIR/l15.err"
    assert_equal "L15: without its state directory there is no such migration" $? 5
    pgc check "$PGC_DIR/l15.json" >"$PGC_DIR/l15.check" 2>&1
    assert_contains "L15: the check names the slot that is left" "$(cat "$PGC_DIR/l15.check")" "$(on source l15 -c "SELECT slot_name FROM pg_replication_slots WHERE slot_name LIKE 'pgcutover%'")"
    mv "$PGC_DIR/l15.state" "$STATE/l15"
    pgc resume l15 -q || fail "L15: resume"
    cut_over l15 l15
}

# Transactions that stay open over load and sync, with savepoints, and a prepared one; what they did early comes last.
L16() {
    on source postgres -c 'CREATE DATABASE l16' && on source l16 <<'SQL' || exit 1
CREATE TABLE held (id int PRIMARY KEY, n int NOT NULL DEFAULT 0, t text);
INSERT INTO held SELECT i, 0, repeat('h', 200) FROM generate_series(1, 5000) i;
SQL
    ready l16 l16
    mkfifo "$PGC_DIR/l16.a" "$PGC_DIR/l16.b"
    on source l16 -o /dev/null <"$PGC_DIR/l16.a" &
    local a=$!
    on source l16 -o /dev/null <"$PGC_DIR/l16.b" &
    local b=$!
    exec 5>"$PGC_DIR/l16.a" 6>"$PGC_DIR/l16.b"
    waits_after() { # STATEMENT
        [ "$(on source l16 -c "SELECT count(*) FROM pg_stat_activity WHERE datname = 'l16' AND state = 'idle in transaction' AND query LIKE '$1%'")" = 1 ]
    }
    echo "BEGIN; UPDATE held SET n = n + 1 WHERE id <= 1000; SAVEPOINT a; UPDATE held SET n = n + 100; INSERT INTO held SELECT i, 1, 'a' FROM generate_series(10001, 30000) i; ROLLBACK TO a; INSERT INTO held SELECT i, 2, 'a' FROM generate_series(10001, 20000) i;" >&5
    # Not before the rows that it locked for a while are free again: it would wait for the second, and that one,
    # prepared and committed after it, for this script.
    wait_until 30 waits_after "INSERT INTO held SELECT i, 2" || fail "L16: the first transaction"
    echo "BEGIN; INSERT INTO held SELECT i, 3, 'b' FROM generate_series(40001, 45000) i; SAVEPOINT x; DELETE FROM held WHERE id BETWEEN 2000 AND 2500;" >&6
    wait_until 30 waits_after "DELETE FROM held" || fail "L16: the second transaction"
    for i in $(seq 20); do on source l16 -c "UPDATE held SET t = '$i' WHERE id = 3000 + $i"; done
    # The receiver starts over in the middle of them: what was half received comes again.
    kill -9 $(worker_pids l16 receive | cut -d' ' -f1)
    on source l16 -c "UPDATE held SET t = 'later' WHERE id = 4000"
    wait_until 60 target_has l16 "SELECT t FROM held WHERE id = 4000" later || fail "L16: nothing arrives while others are open"
    assert_equal "L16: nothing of what is open" "$(on target l16 -c 'SELECT count(*) FROM held WHERE id > 10000 OR n > 0')" 0
    kill_engine l16 && pgc resume l16 -q
    echo "RELEASE x; PREPARE TRANSACTION 'l16';" >&6
    echo "UPDATE held SET n = n + 5 WHERE id = 1; COMMIT;" >&5
    exec 5>&- 6>&-
    wait $a $b
    on source l16 -c "COMMIT PREPARED 'l16'" || fail "L16: prepared"
    wait_until 60 target_has l16 "SELECT count(*) FROM held WHERE id > 10000" 15000 && pass "L16: held transactions arrive whole" || { fail "L16: held"; pgc status l16; }
    read_ahead
    cut_over l16 l16
}

# A transaction so large that the applier is in it before its end is here; then the receiver begins again.
read_ahead() {
    local try
    is_in_it() { [ "$(on target l16 -c "SELECT count(*) FROM pg_stat_activity WHERE datname = 'l16' AND application_name LIKE 'pgcutover:apply%' AND backend_xid IS NOT NULL")" -gt 0 ]; }
    on source l16 -c 'CREATE TABLE ahead (id bigint PRIMARY KEY, t text)'
    for try in 1 2 3; do
        pgc pause l16 -q || fail "L16: pause"
        on source l16 -c "INSERT INTO ahead SELECT i, repeat(md5(i::text), 6) FROM generate_series($try * 1000000, $try * 1000000 + 400000) i" \
            -c "UPDATE held SET n = n + 1 WHERE id = 2"
        pgc resume l16 -q || fail "L16: resume"
        wait_until 30 is_in_it && kill -9 $(worker_pids l16 receive | cut -d' ' -f1)
        wait_until 60 target_has l16 "SELECT count(*) FROM ahead" $((try * 400001)) || { fail "L16: read ahead"; pgc status l16; }
        logged l16 "before what was read of the spool" && break
    done
    [ "$try" -le 3 ] && logged l16 "before what was read of the spool" && pass "L16: what was read ahead of its commit comes again" || fail "L16: nothing was read ahead"
}

for case in ${*:-L2 L7 L10 L12 L15 L16}; do
    echo "== $case"
    $case
done
took
