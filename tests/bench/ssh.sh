# The tunnel beside ssh -L: the same sshd, the same server, the same bytes, turn by turn. Sourced by bench.sh.

ssh_servers() {
    . "$bench_source/../servers/ssh_lib.sh"
    local port
    port=$(free_port)
    free_port >"$PGC_DIR/bastion.port"
    free_port >"$PGC_DIR/first.port"
    make_key plain ed25519
    as_server tee "$ssh_dir/authorized_keys" <"$HOME/plain.pub" >/dev/null
    sshd_start bastion RekeyLimit=default || return 1
    ssh_at=$(cat "$PGC_DIR/bastion.port")
    echo "[127.0.0.1]:$ssh_at $(host_key_text bastion)" >"$HOME/known"
    # shellcheck disable=SC2086 # a list
    cluster_start far $settings listen_addresses="'127.0.0.1'" port="$port" max_connections=200 || return 1
    far_port=$port
    psql -X -q -h 127.0.0.1 -p "$port" -U postgres -d postgres -c 'CREATE TABLE t (id int PRIMARY KEY)' -c 'CREATE UNLOGGED TABLE sink (v text)'
}

# The engine's tunnel stands for as long as its migration waits to be cut over.
our_tunnel() {
    local pid inode
    cat >"$PGC_DIR/tunnel.json" <<JSON
{"name": "tunnel", "source": {"serverName": "127.0.0.1", "port": $far_port, "userName": "postgres", "password": "", "databaseName": "postgres",
  "ssh": {"host": "127.0.0.1", "port": $ssh_at, "user": "$ssh_user", "identityFile": "$HOME/plain", "knownHosts": "$HOME/known"}},
 "target": {"uri": "postgresql://postgres@/tunnel?host=$PGC_DIR/target"}, "databases": [{"name": "postgres", "target_database_name": "tunnel", "selectedTables": ["t"]}]}
JSON
    pgc --batch "$PGC_DIR/tunnel.json" --until ready --yes -q >"$PGC_DIR/bench.out" 2>&1 || { cat "$PGC_DIR/bench.out"; return 1; }
    pid=$(sed -n 's/.*the engine runs as process \([0-9]*\).*/\1/p' "$STATE/tunnel/log.jsonl" | tail -1)
    for pid in $(cat "/proc/$pid/task/$pid/children"); do
        [ "$(cat "/proc/$pid/comm")" = pgc-tunnel ] && break
    done
    inode=$(ls -l "/proc/$pid/fd" | sed -n 's/.*socket:\[\([0-9]*\)\]/\1/p' | paste -sd'|')
    our_port=$((16#$(awk -v inodes="^($inode)\$" '$10 ~ inodes && $4 == "0A" { split($2, a, ":"); print a[2] }' /proc/net/tcp)))
}

through() { # PORT SQL: to nowhere
    psql -X -q -h 127.0.0.1 -p "$1" -U postgres -d postgres -c "$2"
}
down() { # PORT
    through "$1" "COPY (SELECT repeat('x', 999) FROM generate_series(1, $ssh_rows)) TO STDOUT" >/dev/null
}
up() { # PORT
    head -c $((ssh_rows * 1000)) "$PGC_DIR/rows" | through "$1" "COPY sink FROM STDIN" && through "$1" 'TRUNCATE sink'
}
trips() { # PORT: one after the other, for what a round trip costs
    "$PGBENCH" -n -h 127.0.0.1 -p "$1" -U postgres -c 1 -t "$(scaled 4000)" -f "$PGC_DIR/trip.sql" postgres
}
crowd() { # PORT: a hundred at once, each a connection of its own
    "$PGBENCH" -n -h 127.0.0.1 -p "$1" -U postgres -c 100 -j 2 -t 2 -C -f "$PGC_DIR/trip.sql" postgres
}

section_ssh() {
    local run what their_port
    command -v ssh >/dev/null && command -v ssh-keygen >/dev/null && ls /usr/sbin/sshd /usr/local/sbin/sshd >/dev/null 2>&1 ||
        [ "$(command -v sshd)" ] || { echo "SKIP: no ssh and sshd: the tunnel is not measured"; return 0; }
    head_row "Through SSH, against ssh -L (ratio: of their speed)"
    ssh_servers && our_tunnel || return 1
    their_port=$(free_port)
    ssh -N -L "127.0.0.1:$their_port:127.0.0.1:$far_port" -p "$ssh_at" -i "$HOME/plain" -o UserKnownHostsFile="$HOME/known" -o IdentityAgent=none \
        -o ExitOnForwardFailure=yes "$ssh_user@127.0.0.1" &
    wait_until 10 psql -X -h 127.0.0.1 -p "$their_port" -U postgres -d postgres -c '' || return 1
    ssh_rows=$(scaled 400000)
    yes "$(printf '%999s' '' | tr ' ' x)" | head -n "$ssh_rows" >"$PGC_DIR/rows"
    echo 'SELECT 1' >"$PGC_DIR/trip.sql"
    for run in $(seq "$RUNS"); do
        for what in down up trips crowd; do
            timed "$PGC_DIR/ssh.$what.ours" "$what" "$our_port" && timed "$PGC_DIR/ssh.$what.theirs" "$what" "$their_port" || break 2
        done
    done
    forget tunnel
    sshd_kill bastion
    for what in "down:400 MB from the server" "up:400 MB to the server" "trips:4000 round trips" "crowd:100 connections at once, twice"; do
        row "${what#*:}" "$(median "$PGC_DIR/ssh.${what%%:*}.ours") s" "$(median "$PGC_DIR/ssh.${what%%:*}.theirs") s" \
            "$(ratio "$PGC_DIR/ssh.${what%%:*}.theirs" "$PGC_DIR/ssh.${what%%:*}.ours")" ">= 0.8"
    done
}
