#!/usr/bin/env bash
# `pgcutover demo`: ends well as root and as an ordinary user, and leaves no file and no process behind,
# however it ends.
. "$(dirname "$0")/lib.sh"

cp ./pgcutover "$PGC_DIR/pgcutover" && chmod 755 "$PGC_DIR/pgcutover" || exit 1

# demo_start USER ARGUMENTS...: in the background, in a process group of its own, as a terminal has it.
# USER: self, or nobody (which is self where this script is not run by root).
demo_start() {
    local user=$1 as=
    shift
    demo_tmp=$(mktemp -d "$PGC_DIR/tmp.XXXXXX")
    chmod 755 "$demo_tmp"
    if [ "$user" = nobody ] && [ "$(id -u)" = 0 ]; then
        chown nobody "$demo_tmp"
        as="setpriv --reuid=nobody --regid=$(id -g nobody) --clear-groups --"
    fi
    # What the last one said must not be taken for this one's.
    : >"$PGC_DIR/out" 2>"$PGC_DIR/err"
    # What the environment says of servers must not matter.
    # shellcheck disable=SC2086
    (cd "$demo_tmp" && exec setsid env TMPDIR="$demo_tmp" PGHOST=/nowhere PGPORT=1 PGUSER=who PGOPTIONS=--nonsense=1 \
        $as "$PGC_DIR/pgcutover" demo "$@" </dev/null >"$PGC_DIR/out" 2>"$PGC_DIR/err") &
    demo_pid=$!
}

demo_end() { # waits; the exit code in $demo_code
    demo_code=0
    wait "$demo_pid" || demo_code=$?
}

left_processes() { # by their arguments (servers), and by their environment (all the others)
    local file
    for file in /proc/[0-9]*/cmdline /proc/[0-9]*/environ; do
        if tr '\0' '\n' 2>/dev/null <"$file" | grep -q -F -e "$demo_tmp"; then
            file=${file#/proc/}
            echo "${file%%/*} $(tr '\0' ' ' <"/proc/${file%%/*}/cmdline")"
        fi
    done 2>/dev/null
}

nothing_left() { # WHAT
    assert_equal "$1: files left" "$(ls -A "$demo_tmp")" ""
    assert_equal "$1: processes left" "$(left_processes)" ""
}

show() { # when something failed
    [ "${PGC_FAILED:-0}" = 0 ] || tail -n 40 "$PGC_DIR/err" "$PGC_DIR/out" >&2
}

# interrupted USER SIGNAL MARKER [at-once]: after the line, to the whole group; at-once: what follows the line is short, and looking
# at all processes is not.
interrupted() {
    demo_start "$1"
    if ! wait_until 300 grep -q "$3" "$PGC_DIR/err"; then
        fail "$2: no «$3»"
        kill -KILL "$demo_pid"
        return
    fi
    # It must be possible to see what is there now.
    [ -n "${4:-}" ] || { [ -n "$(left_processes)" ] && pass "$2 after «$3»: processes are seen before" || fail "$2: no process is seen before"; }
    kill -s "$2" -- "-$demo_pid"
    demo_end
    assert_equal "$2 after «$3»: exit code" "$demo_code" 130
    assert_contains "$2 after «$3»: message" "$(cat "$PGC_DIR/err")" "interrupted"
    nothing_left "$2 after «$3»"
    show
}

# Well, quietly, by whoever runs this.
demo_start self -q
demo_end
assert_equal "exit code" "$demo_code" 0
assert_contains "verdict" "$(cat "$PGC_DIR/out")" "source and target are equal"
assert_contains "leftovers" "$(cat "$PGC_DIR/out")" "nothing on either server"
assert_equal "-q: standard error" "$(cat "$PGC_DIR/err")" ""
nothing_left "well"
show

# Well, for programs, by an ordinary user.
demo_start nobody --json
demo_end
assert_equal "--json: exit code" "$demo_code" 0
assert_equal "--json: lines" "$(wc -l <"$PGC_DIR/out")" 1
for part in '"type":"result"' '"equal":true' '"differences":[]' '"leftovers":[]' '"exitCode":0' '"error":null'; do
    assert_contains "--json" "$(cat "$PGC_DIR/out")" "$part"
done
for number in postgresMajor tables rows sequences definitions workloadRounds appliedChanges downtimeMs; do
    grep -q "\"$number\":[1-9]" "$PGC_DIR/out" && pass "--json: $number" || fail "--json: no $number"
done
nothing_left "--json"
show

interrupted nobody INT "demo: syncing"
interrupted self TERM "demo: sample data"
interrupted self HUP "demo: cutting over" at-once

# A server that goes away in the middle.
demo_start nobody
if wait_until 300 grep -q "demo: syncing" "$PGC_DIR/err"; then
    kill -QUIT "$(head -n 1 "$demo_tmp"/pgcutover-demo.*/source/data/postmaster.pid)"
    demo_end
    assert_equal "server gone: exit code" "$demo_code" 1
    assert_contains "server gone: message" "$(cat "$PGC_DIR/err")" "pgcutover: the source server ended with exit status"
    case $(cat "$PGC_DIR/err") in
        *WARNING*) fail "server gone: the workload's connection writes to the terminal" ;;
        *) pass "server gone: the workload is silent" ;;
    esac
    assert_contains "server gone: log" "$(cat "$PGC_DIR/err")" "received immediate shutdown request"
else
    fail "server gone: never syncing"
    kill -KILL "$demo_pid"
fi
nothing_left "server gone"
show

# A directory that is too long for a socket: nothing is started.
long=$PGC_DIR/$(printf 'long%.0s' {1..25})
mkdir "$long"
TMPDIR=$long ./pgcutover demo </dev/null >"$PGC_DIR/out" 2>"$PGC_DIR/err"
assert_equal "long TMPDIR: exit code" $? 2
assert_contains "long TMPDIR: message" "$(cat "$PGC_DIR/err")" "too long for the address of a Unix socket"
assert_equal "long TMPDIR: files left" "$(ls -A "$long")" ""

./pgcutover demo --state-dir "$PGC_DIR/state" </dev/null 2>"$PGC_DIR/err"
assert_equal "--state-dir: exit code" $? 2
