#!/usr/bin/env bash
# Checks of what belongs to a whole cluster: a badly set up source, a pg_hba.conf that rejects, prepared
# transactions, "*" in synchronous_standby_names, a standby as source and as target.
. "$(dirname "$0")/lib.sh"

check() { # SOURCE TARGET [TARGET-DATABASE] -> $found, $status
    found=$(./test_check_servers "$@" 2>&1)
    status=$?
}

found_is() { # WHAT LINE-PATTERN
    if grep -Eq -- "$2" <<<"$found"; then pass "$1"; else fail "$1: «$2» is not in «$found»"; fi
}

found_not() { # WHAT LINE-PATTERN
    if grep -Eq -- "$2" <<<"$found"; then fail "$1: «$2» is in «$found»"; else pass "$1"; fi
}

standbys_are() { # VALUE
    on good postgres -c "ALTER SYSTEM SET synchronous_standby_names = '$1'" -c 'SELECT pg_reload_conf()' >/dev/null
    wait_until 10 setting_is "$1"
}

setting_is() {
    [ "$(on good postgres -c 'SHOW synchronous_standby_names')" = "$1" ]
}

cluster_start good max_prepared_transactions=3 max_wal_size=4GB fsync=off || exit 1
major=$("$PGC_BIN/postgres" --version | sed -E 's/.* ([0-9]+).*/\1/')
old_snapshots= # gone in 17
[ "$major" -ge 17 ] || old_snapshots=old_snapshot_threshold=60
keep_size= # since 13
[ "$major" -lt 13 ] || keep_size=max_slot_wal_keep_size=512MB
# shellcheck disable=SC2086 # nothing, where there is no such setting
cluster_start bad wal_level=replica max_replication_slots=1 max_wal_senders=1 $keep_size \
    max_locks_per_transaction=10 max_wal_size=32MB wal_sender_timeout=5s fsync=off $old_snapshots || exit 1
for name in good bad; do
    on $name postgres -c 'CREATE DATABASE shop'
    on $name shop -c 'CREATE TABLE public.t (id int PRIMARY KEY); INSERT INTO t VALUES (1)'
done
on good postgres -c 'CREATE DATABASE empty'

# a source without any fault, and the exit code that goes with it
check "$(uri good shop)" "$(uri bad postgres)"
assert_equal "a good source" "$status" 0
found_not "a good source has no failure" '^F '

# a source that is not set up
on bad postgres -c "SELECT pg_create_physical_replication_slot('taken', true)" >/dev/null
for _ in 1 2 3 4 5 6; do on bad shop -c "UPDATE t SET id = id" -c "SELECT pg_switch_wal()" >/dev/null; done
echo "SELECT 'CREATE TABLE public.many_' || g || ' (id int PRIMARY KEY)' FROM generate_series(1, 260) AS g \\gexec" | on bad shop
check "$(uri bad shop)" "$(uri good empty)"
assert_equal "failures give exit code 3" "$status" 3
found_is "wal-level" '^F source wal-level wal_level is replica, not logical'
found_is "wal-level: fix" "ALTER SYSTEM SET wal_level = 'logical';"
found_is "slots-free" '^F source slots-free .*max_replication_slots is 1 and all are taken \(taken idle\)'
found_is "slots-free: fix" 'ALTER SYSTEM SET max_replication_slots = 6;'
found_is "senders-free" '^F source senders-free .*max_wal_senders is 1 and 0 are in use'
[ "$major" -lt 13 ] || found_is "slot-wal-limit" '^W source slot-wal-limit .*max_slot_wal_keep_size is 512MB'
found_is "idle-slots" '^W source idle-slots .*taken'
found_not "slot-probe says nothing new" ' slot-probe '
found_is "wal-volume" '^W source wal-volume .* MB in [0-9]+ files, where max_wal_size is 32 MB'
found_is "locks" '^W source locks .*52[0-9] relations, and room for 600 locks'
found_is "locks: fix" 'ALTER SYSTEM SET max_locks_per_transaction = 64;'
[ "$major" -ge 12 ] && [ "$major" -lt 90 ] || found_is "sender-timeout" '^W source sender-timeout wal_sender_timeout is 5000ms'
[ "$major" -ge 17 ] || found_is "snapshot-old" '^W source snapshot-old old_snapshot_threshold is 60min'
check "$(uri good shop)" "$(uri good empty)"
for id in wal-level slots-free senders-free slot-wal-limit idle-slots repl-conn slot-probe sender-timeout same-cluster locks snapshot-old failover-slot tls hba wal-volume t-tuning; do
    found_not "$id: not on a good source" " $id "
done

# the server is not asked for a replication connection to the word "replication", but to the database
as_server cp "$PGC_DIR/good/data/pg_hba.conf" "$PGC_DIR/good/hba.saved"
on good postgres -c 'CREATE ROLE mover LOGIN REPLICATION SUPERUSER'
printf 'local shop mover reject\nlocal all all trust\n' | as_server tee "$PGC_DIR/good/data/pg_hba.conf" >/dev/null
on good postgres -c 'SELECT pg_reload_conf()' >/dev/null
# the SQL connections come as postgres, the probe as mover
PGC_PROBE_USER=mover check "$(uri good shop)" "$(uri bad postgres)"
found_is "repl-conn" '^F source repl-conn .*pg_hba.conf rejects (replication )?connection'
found_is "repl-conn: fix" 'In pg_hba.conf, above any line that rejects: local "shop"'
as_server cp "$PGC_DIR/good/hba.saved" "$PGC_DIR/good/data/pg_hba.conf"
on good postgres -c 'SELECT pg_reload_conf()' >/dev/null
PGC_PROBE_USER=mover check "$(uri good shop)" "$(uri bad postgres)"
found_not "repl-conn: let in" ' repl-conn '

# a line that the server could not read at the next reload
echo 'host all all nowhere-at-all' | as_server tee -a "$PGC_DIR/good/data/pg_hba.conf" >/dev/null
check "$(uri good shop)" "$(uri bad postgres)"
found_is "hba" '^W source hba .*line [0-9]+ \(end-of-line before authentication method\)'
found_is "t-tuning" '^I target t-tuning .*max_wal_size is 32MB'
found_is "t-tuning: fix" "ALTER SYSTEM SET max_wal_size = '16GB';"
as_server cp "$PGC_DIR/good/hba.saved" "$PGC_DIR/good/data/pg_hba.conf"

# prepared transactions of any database
on good empty -c 'BEGIN; CREATE TABLE public.p (id int); PREPARE TRANSACTION '"'left alone'"
check "$(uri good shop)" "$(uri bad postgres)"
found_is "prepared-xact" "^F source prepared-xact .*'left alone' of postgres in database empty"
found_is "prepared-xact: fix" "COMMIT PREPARED 'left alone'"
found_is "slot-probe: prepared" "^F source slot-probe .*prepared transaction 'left alone'"
on good empty -c "ROLLBACK PREPARED 'left alone'"
check "$(uri good shop)" "$(uri bad postgres)"
found_not "prepared-xact: ended" ' (prepared-xact|slot-probe) '

# a standby
as_server "$PGC_BIN/pg_basebackup" -h "$PGC_DIR/good" -U postgres -D "$PGC_DIR/standby/data" -R -c fast >/dev/null || fail "pg_basebackup"
as_server mkdir -p "$PGC_DIR/standby"
echo "unix_socket_directories = '$PGC_DIR/standby'" | as_server tee -a "$PGC_DIR/standby/data/postgresql.conf" >/dev/null
cluster_again standby && PGC_CLUSTERS="$PGC_CLUSTERS standby"
check "$(uri standby shop)" "$(uri bad postgres)"
found_is "standby-src" '^F source standby-src '
check "$(uri good shop)" "$(uri standby shop)"
found_is "t-recovery" '^F target t-recovery '
found_not "a copy of the cluster is another one" ' same-cluster '
found_is "failover-slot" '^W source failover-slot .*walreceiver \(streaming\)'

# over a network without encryption, and over the loopback
address=$(hostname -I 2>/dev/null | tr ' ' '\n' | grep -m1 '^[0-9.]*$')
if [ -n "$address" ]; then
    port=$((20000 + RANDOM % 30000))
    printf "listen_addresses = '127.0.0.1,%s'\nport = %s\n" "$address" $port | as_server tee -a "$PGC_DIR/standby/data/postgresql.conf" >/dev/null
    echo "host all all $address/32 trust" | as_server tee -a "$PGC_DIR/standby/data/pg_hba.conf" >/dev/null
    cluster_stop standby && cluster_again standby
    check "postgresql://postgres@$address:$port/shop" "$(uri bad postgres)"
    found_is "tls" "^W source tls .*role postgres from $address; ssl is off"
    check "postgresql://postgres@127.0.0.1:$port/shop" "$(uri bad postgres)"
    found_not "tls: the loopback" ' tls '
    check "$(uri good shop)" "postgresql://postgres@$address:$port/shop"
    found_is "tls of the target" '^W target tls '
fi

# "*" among the synchronous standbys, with that standby's name in the fix
for value in '*' 'ANY 1 ("*")' 'FIRST 2 (a, *)'; do
    standbys_are "$value"
    check "$(uri good shop)" "$(uri bad postgres)"
    found_is "sync-star: $value" '^F source sync-star '
    found_is "sync-star: $value: fix" "ALTER SYSTEM SET synchronous_standby_names = '.*walreceiver"
done
for value in 'walreceiver' 'FIRST 1 (a, b)' '"a*b"' ''; do
    standbys_are "$value"
    check "$(uri good shop)" "$(uri bad postgres)"
    found_not "sync-star: not with «$value»" ' sync-star '
done

# a collation that the host has in another version now, a tablespace, and a page with a wrong checksum
if [ "$major" -ge 15 ] && on good postgres -c "CREATE DATABASE sorted TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'de'" 2>/dev/null; then
    check "$(uri good sorted)" "$(uri bad postgres)"
    found_not "coll-drift: as built" ' coll-drift '
    on good postgres -c "UPDATE pg_database SET datcollversion = '1.0' WHERE datname = 'sorted'"
    check "$(uri good sorted)" "$(uri bad postgres)"
    found_is "coll-drift" '^W source coll-drift .*database sorted was built with 1\.0, the host has '
fi
found_not "tablespace: none" ' tablespace '
as_server mkdir "$PGC_DIR/space"
on good postgres -c "CREATE TABLESPACE roomy LOCATION '$PGC_DIR/space'"
on good shop -c 'ALTER TABLE t SET TABLESPACE roomy'
check "$(uri good shop)" "$(uri bad postgres)"
found_is "tablespace" '^I source tablespace .*: 1 relation of roomy'
if [ "$major" -ge 12 ]; then
    found_not "checksum: none wrong" ' checksum '
    on bad shop -c 'CREATE TABLE torn AS SELECT 1 AS a'
    torn=$(on bad shop -c "SELECT pg_relation_filepath('torn')")
    cluster_stop bad
    [ "$major" -ge 18 ] || as_server "$PGC_BIN/pg_checksums" --enable -D "$PGC_DIR/bad/data" >/dev/null || fail "pg_checksums"
    printf 'torn' | as_server dd of="$PGC_DIR/bad/data/$torn" bs=1 seek=8100 conv=notrunc 2>/dev/null
    cluster_again bad
    on bad shop -c 'SELECT * FROM torn' >/dev/null 2>&1 && fail "the torn page was read"
    sleep 0.6 # until the statistics are there
    check "$(uri bad shop)" "$(uri good empty)"
    found_is "checksum" '^F source checksum .*shop: [1-9]'
fi
