#!/usr/bin/env bash
# 100 ms between engine and servers and one piece in a hundred late by a retransmission, from beginning to end; the
# workload goes on meanwhile, and the engine is killed now and then.
. "$(dirname "$0")/proxy_lib.sh"
for name in source target; do
    to_proxy $name "delay 50"
    to_proxy $name "loss 1 200"
done

one_fault() {
    case $((RANDOM % 2)) in
        0) echo "a lossy moment"; to_proxy target "loss 10 300"; nap 2000; to_proxy target "loss 1 200" ;;
        1) echo "killed the engine"; kill_engine slow; pgc resume slow -q ;;
    esac
}

fault_run slow one_fault
