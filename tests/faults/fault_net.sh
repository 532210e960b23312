#!/usr/bin/env bash
# The network goes away and comes back: engine and servers in network namespaces of their own, whose link is taken down
# for seconds or, sometimes, for longer than either side waits for the other (half-open connections). Where the kernel
# has netem, 100 ms and 1 % loss all the time besides. Wants root.
if [ "$(id -u)" != 0 ] || ! ip netns add "pgc_e$$" 2>/dev/null; then
    echo "SKIP: network namespaces are not permitted here"
    exit 77
fi
ip netns add "pgc_s$$"
. "$(dirname "$0")/fault_lib.sh"
trap 'status=$?; stop_engines; ip netns del pgc_e$$; ip netns del pgc_s$$; (exit $status); finish' EXIT
inside() { ip netns exec "pgc_e$$" "$@"; }
pgc() { inside "$PGCUTOVER" "$@" --state-dir "$STATE"; }
as_server() {
    (cd "$PGC_DIR" && ip netns exec "pgc_s$$" setpriv --reuid="$PGC_USER" --regid="$(id -g "$PGC_USER")" --clear-groups -- "$@")
}

ip link add "pgc_e$$" netns "pgc_e$$" type veth peer name "pgc_s$$" netns "pgc_s$$" || { fail "veth"; exit 1; }
ip -n "pgc_e$$" addr add 10.213.0.1/24 dev "pgc_e$$"
ip -n "pgc_s$$" addr add 10.213.0.2/24 dev "pgc_s$$"
ip -n "pgc_s$$" addr add 10.213.0.3/24 dev "pgc_s$$"
for side in e s; do
    ip -n "pgc_$side$$" link set lo up
    ip -n "pgc_$side$$" link set "pgc_$side$$" up
    ip netns exec "pgc_$side$$" tc qdisc add dev "pgc_$side$$" root netem delay 50ms loss 1% 2>/dev/null && netem=yes
done
[ "${netem:-}" ] && echo "100 ms and 1 % loss" ||
    echo "SKIPPED: netem (this kernel has none); fault_slow.sh has a proxy that delays and stalls like it"

hba="host all all 10.213.0.0/24 trust"
for name in source target; do
    address=10.213.0.2
    [ $name = target ] && address=10.213.0.3
    cluster_start $name "listen_addresses='$address'" || exit 1
    echo "$hba" | as_server tee -a "$PGC_DIR/$name/data/pg_hba.conf" >/dev/null
    on $name postgres -c 'SELECT pg_reload_conf()' -o /dev/null
done

fault_plan() { # FILE
    sed -i "s#@/work?host=$PGC_DIR/source#@10.213.0.2/work#; s#@/work?host=$PGC_DIR/target#@10.213.0.3/work#" "$1"
}

link() { # up|down
    ip -n "pgc_s$$" link set "pgc_s$$" "$1"
    [ "$1" = down ] || for address in 10.213.0.2 10.213.0.3; do
        ip -n "pgc_s$$" addr add $address/24 dev "pgc_s$$" 2>/dev/null
    done
}

# The engine's host gets another address while the link is down: what was connected hears of nobody any more.
address_no=1
move_away() {
    link down
    ip -n "pgc_e$$" addr del "10.213.0.$((address_no == 1 ? 1 : 9 + address_no))/24" dev "pgc_e$$"
    address_no=$((address_no + 1))
    ip -n "pgc_e$$" addr add "10.213.0.$((9 + address_no))/24" dev "pgc_e$$"
    link up
}

one_fault() {
    local seconds=$((RANDOM % 5))
    case $((RANDOM % 12)) in
        0) seconds=75 ;;
        1) echo "moved to another address"; move_away; return ;;
    esac
    echo "link down for $seconds.$((RANDOM % 10)) s"
    link down
    # Some of what is on the way is for a server that is not the same any more.
    [ $((RANDOM % 4)) = 0 ] && { cluster_stop target immediate; cluster_again target; }
    sleep "$seconds"
    link up
}

fault_ends() { link up; }

fault_run net one_fault
