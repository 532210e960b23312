#!/usr/bin/env bash
# The wizard's form through SSH servers, in a terminal (tmux) and line by line: keys that are not known are shown and asked about,
# trusted with the whole word alone; a passphrase, a key that has changed; from the form to the finished migration.
command -v tmux >/dev/null || { echo "SKIP: no tmux: the screens are not tested"; exit 77; }
. "$(dirname "$0")/../servers/flow_lib.sh"
. "$(dirname "$0")/../servers/ssh_lib.sh"
. "$(dirname "$0")/tmux_lib.sh"
trap 'status=$?; screen kill-server 2>/dev/null; stop_ssh; stop_engines; (exit $status); finish' EXIT

free_port >"$PGC_DIR/bastion.port"
free_port >"$PGC_DIR/first.port"
pg_port=$(free_port)
make_key locked ed25519 "open sesame"
cat "$HOME/locked.pub" | as_server tee "$ssh_dir/authorized_keys" >/dev/null
sshd_start bastion && sshd_start first || { echo "SKIP: sshd does not start as an ordinary user here"; exit 77; }
cluster_start source listen_addresses="'127.0.0.1'" port="$pg_port" && cluster_start target || exit 1
export PGPORT=$pg_port
on() { # the source has a port of its own
    local name=$1 database=$2 port=5432
    shift 2
    [ "$name" = source ] && port=$pg_port
    psql -X -q -A -t -v ON_ERROR_STOP=1 -U postgres -h "$PGC_DIR/$name" -p "$port" -d "$database" "$@"
}
on source postgres -c "CREATE DATABASE shop"
on source shop -c "CREATE TABLE item (id int PRIMARY KEY, v text); INSERT INTO item SELECT i, md5(i::text) FROM generate_series(1, 3000) i"

begin_screen 80 24
program="$PGCUTOVER --state-dir $STATE"
press "$program" Enter
expect "the wizard" "1 Connect"
at=0
typed shop
press Tab Tab; typed 127.0.0.1
press Tab; typed "$pg_port"
press Tab; typed shop
press Tab; typed postgres
press Tab Tab Tab Tab; typed "$ssh_user@127.0.0.1:$(cat "$PGC_DIR/bastion.port")"
expect "the fields of SSH are shown" "Jump host"
press Tab Space
expect "a key file" "key file"
press Tab; typed "$HOME/locked"
press Tab; typed "wrong"
press Tab; typed "$ssh_user@127.0.0.1:$(cat "$PGC_DIR/first.port")"
press Tab Tab; typed "$PGC_DIR/target"
press Tab; typed 5432
press Tab; typed copy
press Tab; typed postgres
press Enter
expect "the jump host's key is asked about first" "The key of the source's jump host is not known"
expect "with its fingerprint" "$(fingerprint first)"
typed y
press Enter
shows "jump host is not known" && pass "a y alone trusts nobody" || fail "a y alone was enough"
typed es
press Enter
expect "the passphrase is wrong" "is not let in"
press C-e
expect "all that was said" "What the source says"
expect "with the passphrase" "passphrase"
press Escape
press BTab BTab BTab BTab BTab BTab C-u # the passphrase
typed "open sesame"
press Enter
expect "then the SSH server's key is asked about" "The key of the source's SSH server is not known"
expect "with another fingerprint" "$(fingerprint bastion)"
typed yes
press Enter
expect "the checks" "0 must be mended"
grep -rq -e sesame "$STATE" && fail "the passphrase is on disk" || pass "the passphrase is not on disk"
grep -q "$(fingerprint bastion)" "$STATE/.draft.json" && grep -q "$(fingerprint first)" "$STATE/.draft.json" && pass "what is trusted is in the draft" || fail "the draft: $(cat "$STATE/.draft.json")"
press Enter
expect "how it is moved" "Stop writes by"
press Enter
expect "the tables" "1 of 1 tables"
press Enter
expect "the review" "CREATE DATABASE"
press w
expect "the plan is written" "Written: "
press Enter
expect "the dashboard" "ready to cut over"
on source shop -c "INSERT INTO item SELECT i, 'new' FROM generate_series(3001, 3100) i"
press c
expect "the word" "Type the target database's name"
typed copy
press Enter
expect "cut over" "open the target .*done"
press q
expect "a shell" "^prompt>"
assert_equal "rows" "$(on target copy -c 'SELECT count(*), md5(string_agg(i::text, $$,$$ ORDER BY id)) FROM item i')" "$(on source shop -c 'SELECT count(*), md5(string_agg(i::text, $$,$$ ORDER BY id)) FROM item i')"

# The plan opens with all of it; another key than the trusted one is refused without a question.
sshd_kill bastion
host_key bastion
sshd_start bastion
press "clear; $program open shop.json" Enter
expect "a plan opens with its SSH server" "SSH server $ssh_user@127.0.0.1:"
expect "and its jump host" "Jump host  $ssh_user@127.0"
press Tab Tab Tab Tab Tab Tab Tab Tab Tab Tab Tab Tab
typed "open sesame"
press C-t
press C-e
expect "another key is refused" "host key is not the one that"
press Escape
press Escape
press q
expect "left" "^prompt>"

# Line by line.
{ printf '%s\n' n two "" 127.0.0.1 "$pg_port" shop postgres "" "" "" "$ssh_user@127.0.0.1:$(cat "$PGC_DIR/first.port")" "$HOME/locked" "" yes "open sesame"; echo; } |
    pgc --plain >plain.out 2>&1
assert_contains "plain: the key is shown" "$(cat plain.out)" "It shows the key $(fingerprint first)"
assert_contains "plain: the passphrase is asked for" "$(cat plain.out)" "Passphrase of the key"
assert_contains "plain: the source answers" "$(cat plain.out)" "as postgres"
assert_contains "plain: the target is next" "$(cat plain.out)" "The target."
took
