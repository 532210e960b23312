# sshd on loopback as an ordinary user, for tests of what goes through SSH. Sourced after flow_lib.sh; skips where there is none.
#
#   make_key NAME TYPE [PASSPHRASE]   of this test's user, in $HOME, which is a directory of the test's
#   host_key SERVER, host_key_text SERVER, fingerprint SERVER
#   sshd_start SERVER [option=value ...], sshd_kill SERVER   SERVER: bastion or first; its port is in $PGC_DIR/SERVER.port
#   stop_ssh   for the test's trap
SSHD=$(command -v sshd || ls /usr/sbin/sshd /usr/local/sbin/sshd 2>/dev/null | head -1)
if [ -z "$SSHD" ] || ! command -v ssh-keygen >/dev/null; then
    echo "SKIP: no sshd and ssh-keygen here (Debian: openssh-server; Fedora: openssh-server), so nothing of SSH is tested"
    exit 77
fi

ssh_dir=$PGC_DIR/ssh
ssh_user=$(id -un "$(as_server id -u)")
as_server mkdir -m 700 "$ssh_dir"
export HOME=$PGC_DIR/home # no configuration, keys or known hosts of whoever runs this
unset SSH_AUTH_SOCK
mkdir -m 700 "$HOME" "$HOME/.ssh"

free_port() { # somewhere that nobody listens now
    local port
    while :; do
        port=$((20000 + RANDOM % 30000))
        grep -qi ":$(printf %04X "$port") .* 0A " /proc/net/tcp || { echo "$port"; return; }
    done
}

make_key() { # NAME TYPE [PASSPHRASE]: of this test's user
    ssh-keygen -q -t "$2" -N "${3:-}" -C "$1" -f "$HOME/$1"
}

host_key() { # SERVER: a new one
    as_server rm -f "$ssh_dir/$1.key" "$ssh_dir/$1.key.pub"
    as_server ssh-keygen -q -t ed25519 -N '' -C host -f "$ssh_dir/$1.key"
}

host_key_text() { # SERVER
    cut -d' ' -f1,2 "$ssh_dir/$1.key.pub"
}

fingerprint() { # SERVER
    ssh-keygen -lf "$ssh_dir/$1.key.pub" | cut -d' ' -f2
}

# sshd wants privilege separation's directory only when root starts it: here it is nobody, or who runs this.
sshd_start() { # SERVER [option=value ...]
    local name=$1 option
    shift
    [ -f "$ssh_dir/$name.key" ] || host_key "$name"
    {
        for option in "$@"; do echo "${option%%=*} ${option#*=}"; done # of two lines the first counts
        echo "Port $(cat "$PGC_DIR/$name.port")"
        echo "ListenAddress 127.0.0.1"
        echo "HostKey $ssh_dir/$name.key"
        echo "PidFile $ssh_dir/$name.pid"
        echo "AuthorizedKeysFile $ssh_dir/authorized_keys"
        echo "StrictModes no"
        echo "UsePAM yes" # without it accounts that have no password count as locked
        echo "PasswordAuthentication no"
        echo "KbdInteractiveAuthentication no"
        echo "RekeyLimit 8M"
    } | as_server tee "$ssh_dir/$name.conf" >/dev/null
    as_server "$SSHD" -f "$ssh_dir/$name.conf" -E "$ssh_dir/$name.log" || { cat "$ssh_dir/$name.log"; return 1; }
    wait_until 10 test -s "$ssh_dir/$name.pid"
}

sshd_kill() { # SERVER: the listener, and every session with it
    local pid
    pid=$(cat "$ssh_dir/$1.pid")
    # shellcheck disable=SC2046 # a list of numbers
    kill -9 "$pid" $(session_pids "$pid") 2>/dev/null
    rm -f "$ssh_dir/$1.pid"
}

session_pids() { # PID: its children, and theirs
    local child
    for child in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
        echo "$child"
        session_pids "$child"
    done
}

stop_ssh() {
    [ -z "${agent:-}" ] || kill "$agent" 2>/dev/null
    for name in bastion first; do [ ! -f "$ssh_dir/$name.pid" ] || sshd_kill "$name"; done
}
