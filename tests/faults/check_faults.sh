#!/usr/bin/env bash
# The heavy version of flow_kill.sh and flow_restart.sh (`make check-faults`): a hundred random instants of each, with
# the sample data and with dvdrental.tar when it is found (PGC_DVDRENTAL says where). PGC_SEED repeats a run.
servers=$(cd "$(dirname "$0")/../servers" && pwd)
dvdrental=${PGC_DVDRENTAL:-$servers/../../../shared/data/dvdrental.tar}
seed=${PGC_SEED:-$(($(date +%s) % 32768))}
wanted=${PGC_FAULTS:-100}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "seed $seed (PGC_SEED repeats it)"

rounds() { # SCRIPT PATTERN: runs until there were enough lines that match
    local faults=0 round=0 data status
    while [ $faults -lt "$wanted" ]; do
        round=$((round + 1))
        data=sample
        [ $((round % 2)) = 0 ] && [ -e "$dvdrental" ] && data=$dvdrental
        echo "== $1, round $round, $(basename "$data"), $faults faults so far"
        PGC_SEED=$((seed + round)) PGC_DATA=$data PGC_BULK=400000 PGC_KILLS=8 PGC_RESTARTS=12 PGC_LIMIT=300 \
            bash "$servers/$1" 2>&1 | tee "$log"
        status=${PIPESTATUS[0]}
        [ "$status" = 0 ] || { echo "FAIL: $1, round $round, exit status $status"; exit "$status"; }
        faults=$((faults + $(grep -c "$2" "$log")))
    done
    echo "== $1: $faults faults, equal each time"
}

rounds flow_kill.sh '^killed '
rounds flow_restart.sh '^\(source\|target\): \(restarted\|sessions ended\)'
