#!/usr/bin/env bash
# Every connection of a migration goes through a proxy that cuts it in the middle of a message, lets it stall, holds
# back, or refuses new ones; sessions are ended by the administrator too (L2, L7, L14).
. "$(dirname "$0")/proxy_lib.sh"

# What lasts is put an end to, so that the rest can heal.
fault_ends() {
    local name
    for name in source target; do
        for line in "delay 0" "loss 0 0" "piece 0" "refuse 0"; do to_proxy $name "$line"; done
    done
}

one_fault() {
    local name=source line
    [ $((RANDOM % 2)) = 0 ] && name=target
    case $((RANDOM % 10)) in
        0 | 1 | 2) line="cut $((20 + RANDOM % 60))" ;;
        3) line="cut 100" ;;
        4) line="stall $((RANDOM % 3000))" ;;
        5) line="delay $((RANDOM % 60))" ;;
        6) line="loss $((RANDOM % 4)) 200" ;;
        7) line="piece $((1 + RANDOM % 700))" ;;
        8)
            to_proxy $name "refuse 1"
            to_proxy $name "cut 100"
            nap 3000
            line="refuse 0"
            ;;
        9)
            echo "$name: sessions ended by the administrator: $(on $name postgres -c "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                WHERE application_name LIKE 'pgcutover:%' AND random() < 0.6")"
            return
            ;;
    esac
    to_proxy $name "$line"
    echo "$name: $line"
    [ $((RANDOM % 3)) = 0 ] && fault_ends
    return 0
}

fault_run proxied one_fault
