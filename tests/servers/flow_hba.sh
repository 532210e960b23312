#!/usr/bin/env bash
# A role that pg_hba.conf keeps out is let in over SSH, with a real sshd on loopback, and here: what would be done is shown and
# asked about, the file is written by position with a copy beside it, the server reads it before it takes it over, and what
# does not help is put back. The migration then runs, and takes the record out again.
. "$(dirname "${BASH_SOURCE[0]}")/flow_lib.sh"
# The account that sshd runs as needs a shell that runs commands.
if [ "$(id -u)" = 0 ] && getent passwd "$PGC_USER" | grep -qE '(nologin|false)$'; then
    getent passwd postgres | grep -q 'sh$' || { echo "SKIP: no account here but root has a shell, so nothing is run over SSH"; exit 77; }
    PGC_USER=postgres
    chown "$PGC_USER" "$PGC_DIR"
fi
. "$(dirname "${BASH_SOURCE[0]}")/ssh_lib.sh"
trap 'status=$?; stop_ssh; stop_engines; (exit $status); finish' EXIT

pg_port=$(free_port)
cluster_start source listen_addresses="'127.0.0.1'" port="$pg_port" && cluster_start target || exit 1
on() { # the source has a port of its own
    local name=$1 database=$2 port=5432
    shift 2
    [ "$name" = source ] && port=$pg_port
    psql -X -q -A -t -v ON_ERROR_STOP=1 -U postgres -h "$PGC_DIR/$name" -p "$port" -d "$database" "$@"
}
free_port >"$PGC_DIR/bastion.port"
free_port >"$PGC_DIR/first.port"
make_key plain ed25519
as_server tee "$ssh_dir/authorized_keys" <"$HOME/plain.pub" >/dev/null
sshd_start bastion "SetEnv=PGHOST=$PGC_DIR/source PGUSER=postgres PATH=$PATH" || { echo "SKIP: sshd does not start as an ordinary user here"; exit 77; }
echo "[127.0.0.1]:$(cat "$PGC_DIR/bastion.port") $(host_key_text bastion)" >"$HOME/known"

on source postgres -c 'CREATE DATABASE "my shop"' -c "CREATE ROLE \"The \"\"mover\" SUPERUSER LOGIN PASSWORD 'secret'" -c 'CREATE ROLE bare SUPERUSER LOGIN'
on target postgres -c 'CREATE DATABASE "my shop"' -c "CREATE ROLE mover SUPERUSER LOGIN PASSWORD 'secret'"
on source 'my shop' -c 'CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, i FROM generate_series(1, 1000) i'
version=$(on source postgres -c 'SHOW server_version_num')
method=scram-sha-256
[ "$version" -ge 100000 ] || method=md5
source_hba=$PGC_DIR/source/data/pg_hba.conf target_hba=$PGC_DIR/target/data/pg_hba.conf

reload() { on "$1" postgres -c 'SELECT pg_reload_conf()' >/dev/null; }
hba() { # SERVER: the file from stdin
    as_server tee "$PGC_DIR/$1/data/pg_hba.conf" >/dev/null
    reload "$1"
}
first_lines() { # what stands before the records; the mover is let in nowhere
    cat <<'HBA'
# not a record: goes on \
# in this line, from 14 on
   # nor this

local   all all trust
local   replication all trust
host    all all 10.0.0.0/8 md5
host    all postgres 127.0.0.1/32 trust
HBA
}
kept_out() { # of the source
    ! PGPASSWORD=secret psql -X -c '' "host=127.0.0.1 port=$pg_port user='The \"mover' dbname='my shop'" 2>/dev/null
}
plan() { # NAME [USER] [PASSWORD]
    cat >"$PGC_DIR/$1.json" <<JSON
{"name": "$1", "source": {"serverName": "127.0.0.1", "port": $pg_port, "userName": "${2:-The \\\"mover}", "password": "${3:-secret}", "databaseName": "my shop",
  "ssh": {"host": "127.0.0.1", "port": $(cat "$PGC_DIR/bastion.port"), "user": "$ssh_user", "identityFile": "$HOME/plain", "knownHosts": "$HOME/known"}},
 "target": {"uri": "postgresql://postgres@/my%20shop?host=$PGC_DIR/target"}, "databases": [{"name": "my shop"}], "stateDir": "$STATE"}
JSON
}
says() { # WHAT CODE PART... of the last run
    local what=$1 part
    assert_equal "$what: exit code" "$status" "$2"
    shift 2
    for part in "$@"; do assert_contains "$what" "$said" "$part"; done
}
run() {
    said=$(setsid "$PGCUTOVER" "$@" --state-dir "$STATE" 2>&1 </dev/null)
    status=$?
}

first_lines | hba source
wait_until 10 kept_out
cp "$source_hba" "$PGC_DIR/hba.before"
plan shop

# --- shown, and asked about

run check "$PGC_DIR/shop.json"
says "kept out" 1 "pg_hba.conf" "--fix hba --side source"
run check "$PGC_DIR/shop.json" --fix hba
says "without a word" 2 "copy $source_hba to $source_hba.pgcutover-shop" 'before its line 5: host "my shop" "The ""mover" 127.0.0.1/32 ' \
    "nothing was run" "on 127.0.0.1: cat -- '$source_hba'"
run check "$PGC_DIR/shop.json" --fix repl-conn --dry-run --json
says "--dry-run" 0 '"outcome": "open"'
cmp -s "$source_hba" "$PGC_DIR/hba.before" && pass "the file is as it was" || fail "the file was changed: $(diff "$PGC_DIR/hba.before" "$source_hba")"
run check "$PGC_DIR/shop.json" --fix tls
says "for another check" 1 "--fix hba --side source"
run check "$PGC_DIR/shop.json" --fix hba --side target --yes
says "of the other side" 1 "pg_hba.conf"

# --- what cannot be done is not done

plan bare bare x
run check "$PGC_DIR/bare.json" --fix hba --yes
says "a role without a password" 3 'role "bare" of the source has no password'
if [ "$version" -ge 100000 ]; then
    { first_lines; echo 'host all all nowhere-at-all'; } | as_server tee "$source_hba" >/dev/null
    run check "$PGC_DIR/shop.json" --fix hba --yes
    says "a file that the server cannot read" 1 "the server cannot read" "line 9"
    first_lines | hba source
fi
cmp -s "$source_hba" "$PGC_DIR/hba.before" && pass "still as it was" || fail "the file was changed"
[ ! -e "$STATE/.fixes" ] && pass "nothing is in the store" || fail "the store: $(cat "$STATE"/.fixes/*)"

# --- what the server cannot read, and what does not help, is put back: a psql between says so, or forgets the reload

as_server mkdir "$PGC_DIR/between"
sshd_start first "SetEnv=PGHOST=$PGC_DIR/source PGUSER=postgres PATH=$PGC_DIR/between:$PATH"
echo "[127.0.0.1]:$(cat "$PGC_DIR/first.port") $(host_key_text first)" >>"$HOME/known"
between() { # PATTERN N COMMAND: in place of the n-th psql whose arguments have it, and of those after
    as_server tee "$PGC_DIR/between/psql" >/dev/null <<SH
#!/bin/sh
case "\$*" in *"$1"*)
    echo x >>"$PGC_DIR/between/count"
    [ "\$(wc -l <"$PGC_DIR/between/count")" -lt "$2" ] || { $3; exit; } ;;
esac
exec $(command -v psql) "\$@"
SH
    as_server chmod +x "$PGC_DIR/between/psql"
    as_server rm -f "$PGC_DIR/between/count"
}
plan worse
sed -i "s/\"port\": $(cat "$PGC_DIR/bastion.port")/\"port\": $(cat "$PGC_DIR/first.port")/" "$PGC_DIR/worse.json"
for case in "pg_hba_file_rules|2|echo line 6: no such method|the server cannot read|line 6: no such method" "pg_reload_conf|1|echo t|no pg_hba.conf entry|is as it was"; do
    IFS='|' read -r pattern from command part more <<<"$case"
    [ "$version" -ge 100000 ] || [ "$pattern" != pg_hba_file_rules ] || continue
    between "$pattern" "$from" "$command"
    run check "$PGC_DIR/worse.json" --fix hba --yes
    says "$pattern" 1 "$part" "$more"
    cmp -s "$source_hba" "$PGC_DIR/hba.before" && pass "$pattern: put back" || fail "$pattern: not put back: $(diff "$PGC_DIR/hba.before" "$source_hba")"
    assert_equal "$pattern: no copy is left" "$(ls "$source_hba".* 2>/dev/null)" ""
    [ ! -e "$STATE/.fixes" ] && pass "$pattern: not in the store" || fail "$pattern: the store: $(cat "$STATE"/.fixes/*)"
done
sshd_kill first

# --- let in, for as long as the migration lasts

run check "$PGC_DIR/shop.json" --fix hba --yes
says "let in" 0 "pg_hba.conf of the source lets this migration in."
assert_equal "before all records" "$(sed -n 6p "$source_hba")" "host \"my shop\" \"The \"\"mover\" 127.0.0.1/32 $method"
cmp -s "$source_hba.pgcutover-shop" "$PGC_DIR/hba.before" && pass "the copy is the file as it was" || fail "the copy"
assert_equal "owner and mode" "$(stat -c '%U %a' "$source_hba")" "$(stat -c '%U %a' "$source_hba.pgcutover-shop")"
run check "$PGC_DIR/shop.json"
assert_contains "what is run on the host is shown" "$said" "on 127.0.0.1: df -Pk -- '$PGC_DIR/source/data' '$PGC_DIR/source/data/pg_"
if grep -q 'host-disk .*could not' <<<"$said"; then fail "the disk: $said"; else pass "the account may look at the disk"; fi
if [ "$version" -lt 100000 ]; then # replication has a record of its own there
    run check "$PGC_DIR/shop.json" --fix repl-conn --yes
    says "let in for replication" 0
    assert_equal "before all records, and beside its comment" "$(sed -n 6p "$source_hba")" 'host replication "The ""mover" 127.0.0.1/32 md5'
fi
if [ "$version" -ge 100000 ]; then
    run --batch "$PGC_DIR/shop.json" --until ready
    says "the migration runs" 0
    run cutover shop
    says "cutover" 0
    assert_same_data "migrated" "source/my shop" "target/my shop"
    echo "local all somebody reject" | as_server tee -a "$source_hba" >/dev/null # meanwhile
    run delete shop
    says "delete" 0
else
    run check "$PGC_DIR/shop.json" --undo all --yes
    says "taken back" 0
    echo "local all somebody reject" | as_server tee -a "$source_hba" >/dev/null
fi
assert_equal "the record is gone, and what others wrote is not" "$(diff "$PGC_DIR/hba.before" "$source_hba" | grep '^[<>]')" "> local all somebody reject"
assert_equal "no copy is left" "$(ls "$source_hba".* 2>/dev/null)" ""
wait_until 10 kept_out && pass "kept out again" || fail "still let in"
[ ! -e "$STATE/.fixes" ] && pass "the store is empty" || fail "the store: $(cat "$STATE"/.fixes/*)"

# --- a line that rejects is none that is in the way; a wrong password is; no line feed at the end

printf 'host all all 127.0.0.1/32 reject\nlocal all all trust' | hba source
cp "$source_hba" "$PGC_DIR/hba.before"
plan shop 'The \"mover' wrong
run check "$PGC_DIR/shop.json" --fix hba --yes
says "let in, with a wrong password" 1 "pg_hba.conf was mended, but" "28P01"
plan shop
run check "$PGC_DIR/shop.json" --undo all --yes
says "taken back by hand" 0 "hba on the source was taken back"
cmp -s "$source_hba" "$PGC_DIR/hba.before" && pass "byte by byte" || fail "not as it was: $(diff "$PGC_DIR/hba.before" "$source_hba")"
# a file without a record, which the server takes no more than the one before; its last line has no line feed
printf '# nothing but this' | hba source
run check "$PGC_DIR/shop.json" --fix hba --yes
says "the first record at all" 0
assert_equal "the first record at all: the file" "$(head -1 "$source_hba"; sed -n 3p "$source_hba")" '# nothing but this
host "my shop" "The ""mover" 127.0.0.1/32 '"$method"
# the host's own account is let in no more than anybody: nothing can be asked, and nothing is done
printf 'local all all reject\n' | as_server tee "$source_hba" >/dev/null
kill -HUP "$(head -1 "$PGC_DIR/source/data/postmaster.pid")"
wait_until 10 kept_out
run check "$PGC_DIR/shop.json" --fix hba --yes
says "nobody at all is let in" 1 "a command failed, exit code 2" "Command: psql"
assert_equal "nobody at all is let in: not changed" "$(cat "$source_hba")" "local all all reject"

# --- on this host, without SSH

printf 'local all mover reject\nlocal all all trust\n' | hba target
cp "$target_hba" "$PGC_DIR/hba.before"
export PGUSER=postgres # psql's own
cat >"$PGC_DIR/here.json" <<JSON
{"name": "here", "source": {"uri": "postgresql://postgres@/my%20shop?host=$PGC_DIR/target"}, "target": {"serverName": "$PGC_DIR/target", "userName": "mover", "password": "secret",
 "databaseName": "my shop"}, "databases": [{"name": "my shop"}], "stateDir": "$STATE"}
JSON
run check "$PGC_DIR/here.json" --fix hba --yes --json
says "here" 0 '"outcome": "mended"' '"side": "target"'
assert_equal "the first record" "$(sed -n 2p "$target_hba")" "local \"my shop\" \"mover\" $method"
# what another role did, over a connection of that role
run check "$PGC_DIR/here.json" --undo hba --as postgres --yes
says "taken back as another role" 0
cmp -s "$target_hba" "$PGC_DIR/hba.before" && pass "as it was" || fail "not as it was"
took
