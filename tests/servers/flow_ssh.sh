#!/usr/bin/env bash
# Migrations through SSH, with a real sshd on loopback that runs as an ordinary user: keys with and without a passphrase,
# the agent, a jump host, ~/.ssh/config, unknown, changed, hashed and revoked host keys, what another user gets at the
# local port, and a bastion that is killed while a database is loaded and comes back.
. "$(dirname "${BASH_SOURCE[0]}")/flow_lib.sh"

. "$(dirname "${BASH_SOURCE[0]}")/ssh_lib.sh"
trap 'status=$?; stop_ssh; stop_engines; (exit $status); finish' EXIT

# --- servers

free_port >"$PGC_DIR/bastion.port"
free_port >"$PGC_DIR/first.port"
bastion_port=$(cat "$PGC_DIR/bastion.port") first_port=$(cat "$PGC_DIR/first.port")
pg_port=$(free_port)
make_key plain ed25519
make_key ecdsa ecdsa
make_key locked ed25519 "open sesame"
make_key other ed25519
cat "$HOME/plain.pub" "$HOME/ecdsa.pub" "$HOME/locked.pub" | as_server tee "$ssh_dir/authorized_keys" >/dev/null
host_key bastion && host_key first || exit 1
sshd_start bastion && sshd_start first || { echo "SKIP: sshd does not start as an ordinary user here"; exit 77; }

cluster_start source listen_addresses="'127.0.0.1'" port="$pg_port" max_connections=130 && cluster_start target || exit 1
export PGPORT=$pg_port # psql's; the target's is in its uri
flow_target_uri="postgresql://postgres@/shop?host=$PGC_DIR/target&port=5432"
on() { # the source has a port of its own
    local name=$1 database=$2 port=5432
    shift 2
    [ "$name" = source ] && port=$pg_port
    psql -X -q -A -t -v ON_ERROR_STOP=1 -U postgres -h "$PGC_DIR/$name" -p "$port" -d "$database" "$@"
}
PGC_BULK=${PGC_BULK:-90000} flow_data source shop || exit 1

known=$HOME/known_hosts
know() { # SERVER...: what is known from here on
    local name
    : >"$known"
    for name in "$@"; do echo "[127.0.0.1]:$(cat "$PGC_DIR/$name.port") $(host_key_text "$name")" >>"$known"; done
}

plan() { # NAME SSH-MEMBERS [JSON]
    cat >"$PGC_DIR/$1.json" <<JSON
{"name": "$1", "source": {"serverName": "127.0.0.1", "port": $pg_port, "userName": "postgres", "password": "", "databaseName": "shop",
  "ssh": {$2}},
 "target": {"uri": "$flow_target_uri"}, "databases": [{"name": "shop"}], "stateDir": "$STATE"${3:-}}
JSON
}

here() { # the usual members; more after a comma
    echo "\"host\": \"127.0.0.1\", \"port\": $bastion_port, \"user\": \"$ssh_user\", \"knownHosts\": \"$known\"${1:-}"
}

connects() { # WHAT PLAN
    local said
    said=$(pgc connect "$PGC_DIR/$2.json" source 2>&1 </dev/null)
    assert_contains "$1" "$said" "source 127.0.0.1:$pg_port/shop: PostgreSQL"
}

refused() { # WHAT PLAN PART...
    local what=$1 plan=$2 said part
    shift 2
    said=$(setsid "$PGCUTOVER" connect "$PGC_DIR/$plan.json" source --state-dir "$STATE" 2>&1 </dev/null)
    assert_equal "$what: exit code" $? 1
    for part in "$@"; do assert_contains "$what" "$said" "$part"; done
}

# --- ways in

know bastion first
plan key "$(here ", \"identityFile\": \"$HOME/plain\"")"
connects "a key file" key
if grep -q "not allowed because account is locked" "$ssh_dir/bastion.log"; then
    echo "SKIP: sshd takes the account of \"$ssh_user\" for locked, so nothing of SSH is tested"
    exit 77
fi
plan key "$(here ", \"identityFile\": \"$HOME/ecdsa\"")"
connects "a key file, ecdsa" key
plan key "$(here ", \"identityFile\": \"$HOME/locked\", \"passphrase\": \"open sesame\"")"
connects "a key file with a passphrase" key
plan key "$(here ", \"identityFile\": \"$HOME/locked\", \"passphrase\": \"wrong\"")"
refused "a wrong passphrase" key "user \"$ssh_user\" is not let in" "$HOME/locked"
plan key "$(here ", \"identityFile\": \"$HOME/locked\"")"
refused "no passphrase, no terminal" key "its passphrase is not known"
plan key "$(here ", \"identityFile\": \"$HOME/other\"")"
refused "a key that is not let in" key "The server takes: publickey" "$HOME/other"

plan agent "$(here)"
refused "no key and no agent" agent "no agent (SSH_AUTH_SOCK is not set)"
if command -v ssh-agent >/dev/null; then
    eval "$(ssh-agent -a "$PGC_DIR/agent")" >/dev/null
    agent=$SSH_AGENT_PID
    ssh-add -q "$HOME/plain" 2>/dev/null
    connects "the agent" agent
    kill "$agent"
    unset SSH_AUTH_SOCK agent
else
    echo "SKIP: no ssh-agent"
fi

plan jump "$(here ", \"identityFile\": \"$HOME/plain\", \"jumpHost\": \"$ssh_user@127.0.0.1:$first_port\"")"
connects "a jump host" jump
assert_contains "the jump host was used" "$(cat "$ssh_dir/first.log")" "Accepted publickey for $ssh_user"

cat >"$HOME/.ssh/config" <<CONF
Host way-*
    HostName 127.0.0.1
    User $ssh_user
    IdentityFile ~/plain
Host way-in
    Port $bastion_port
    ProxyJump way-first
Host way-first
    Port $first_port
CONF
plan config "\"host\": \"way-in\", \"knownHosts\": \"$known\""
jumps=$(grep -c Accepted "$ssh_dir/first.log")
connects "names of ~/.ssh/config" config
assert_equal "its ProxyJump was used" "$(grep -c Accepted "$ssh_dir/first.log")" $((jumps + 1))

# --- host keys

plan key "$(here ", \"identityFile\": \"$HOME/plain\"")"
know first
refused "an unknown host key" key "its host key is not known" "$(fingerprint bastion)" "hostKeyFingerprint"
know bastion
refused "an unknown key of the jump host" jump "its host key is not known" "$(fingerprint first)" "jumpHostKeyFingerprint"
know first
plan pinned "$(here ", \"identityFile\": \"$HOME/plain\", \"hostKeyFingerprint\": \"$(fingerprint bastion)\"")"
connects "the fingerprint in the plan" pinned
plan pinned "$(here ", \"identityFile\": \"$HOME/plain\", \"hostKeyFingerprint\": \"$(fingerprint first)\"")"
refused "another fingerprint in the plan" pinned "not the one that the plan names"
know bastion
ssh-keygen -q -H -f "$known" 2>/dev/null
connects "a hashed name in known_hosts" key
echo "[127.0.0.1]:$bastion_port $(host_key_text first)" >"$known"
plan pinned "$(here ", \"identityFile\": \"$HOME/plain\", \"hostKeyFingerprint\": \"$(fingerprint bastion)\"")"
refused "a changed host key" key "its host key has changed" "ssh-keygen -R"
refused "a changed host key, whatever the plan says" pinned "its host key has changed"
know bastion
echo "@revoked * $(host_key_text bastion)" >>"$known"
refused "a revoked host key" pinned "is revoked"
know bastion first

# --- what goes wrong behind, and who may use the tunnel

plan behind "$(here ", \"identityFile\": \"$HOME/plain\"")"
sed -i "s/\"port\": $pg_port/\"port\": 1/" "$PGC_DIR/behind.json"
refused "nobody listens behind" behind "source 127.0.0.1:1/shop"

said=$(pgc check "$PGC_DIR/key.json" 2>&1 </dev/null)
assert_contains "check through the tunnel" "$said" 'database "shop" -> "shop"'

# --- a whole migration, its bastion killed in mid-load

plan whole "$(here ", \"identityFile\": \"$HOME/plain\"")" ', "limits": {"bytesPerSecond": "6MB"}'
workload_port=$pg_port
PGHOST=$PGC_DIR/source PGPORT=$workload_port workload_start shop "$script"
pgc --batch "$PGC_DIR/whole.json" --until ready --detach -q </dev/null || { fail "start"; exit 1; }
wait_until 60 in_phase whole loading || { fail "no load: $(field whole phase)"; exit 1; }
sleep 1
tunnel_pid() {
    worker_pids whole tunnel | cut -d' ' -f1
}
first_tunnel=$(tunnel_pid)
[ -n "$first_tunnel" ] && pass "the tunnel is a process of the engine" || fail "no pgc-tunnel"
local_port=$(for inode in $(ls -l "/proc/$first_tunnel/fd" | sed -n 's/.*socket:\[\([0-9]*\)\]/\1/p'); do
    awk -v inode="$inode" '$10 == inode && $4 == "0A" { split($2, a, ":"); print a[1], a[2] }' /proc/net/tcp; done)
assert_equal "it listens on 127.0.0.1 alone" "${local_port% *}" 0100007F
local_port=$((16#${local_port#* }))
if [ "$(id -u)" = 0 ]; then
    said=$(as_server psql -X -h 127.0.0.1 -p "$local_port" -U postgres -c 'SELECT 1' shop 2>&1) && fail "another user got through the tunnel"
    assert_contains "another user is refused at the local port" "$said" "closed the connection"
fi
said=$(PGHOST=127.0.0.1 PGPORT=$local_port psql -X -A -t -U postgres -c "SELECT 'through'" shop 2>&1)
assert_equal "this user gets through" "$said" through
in_phase whole loading && pass "still loading when the bastion is killed" || fail "the load was too quick: $(field whole phase)"
sshd_kill bastion
sleep 3
sshd_start bastion
wait_until 30 grep -q "was lost, and is tried again" "$STATE/whole/log.jsonl" || fail "the loss was not told"
assert_equal "the tunnel's process is the same" "$(tunnel_pid)" "$first_tunnel"
kill -9 "$first_tunnel"
wait_until 60 grep -q "process of the source ended; it is started again" "$STATE/whole/log.jsonl" || fail "the end of the tunnel's process was not told"
wait_until 150 in_state whole READY_TO_COMPLETE || { fail "not ready: $(pgc status whole 2>&1)"; exit 1; }
[ -n "$(tunnel_pid)" ] && [ "$(tunnel_pid)" != "$first_tunnel" ] && pass "another tunnel's process runs" || fail "tunnel: $(tunnel_pid)"
crowd=()
for i in $(seq 100); do # each stays for a second, so that all are there at once
    PGHOST=127.0.0.1 PGPORT=$local_port psql -X -A -t -U postgres -c "SELECT $i, pg_sleep(1)" shop >"$PGC_DIR/crowd.$i" 2>&1 &
    crowd+=($!)
done
most=0
for _ in $(seq 100); do
    now=$(on source postgres -c "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(1)' AND client_addr IS NOT NULL" 2>/dev/null)
    [ "${now:-0}" -le "$most" ] || most=$now
    [ "$most" -lt 100 ] || break
    sleep 0.1
done
wait "${crowd[@]}"
assert_equal "a hundred connections, each with its own answer" "$(for i in $(seq 100); do [ "$(cat "$PGC_DIR/crowd.$i")" = "$i|" ] && echo x; done | wc -l)" 100
[ "$most" -gt 10 ] && pass "at once: $most of them were seen together" || fail "one after the other: $most at once"
workload_stop
pgc cutover whole -q </dev/null || fail "cutover"
finish_flow whole shop
took
