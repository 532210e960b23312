#!/usr/bin/env bash
# `make check-faults`: migrations under load that are harmed at random instants, each compared in full at its end. Every
# kind goes on until it has done PGC_FAULT_COUNT (100) faults:
#
#   kill     -9 for the engine and each kind of its workers (flow_kill.sh)
#   restart  both servers restarted, fast and immediate; sessions ended (flow_restart.sh)
#   proxy    connections cut in the middle of a message, stalled, delayed, refused (fault_proxy.sh)
#   slow     100 ms, and pieces that come late, through the same proxy (fault_slow.sh)
#   net      the link between engine and servers down; netem where the kernel has it (fault_net.sh)
#   disk     the disk of the spool or of the state directory full (fault_disk.sh)
#   cutover  a cutover that fails at each of its steps, in each way (fault_cutover.sh)
#   large    once: values of 200 MB, a transaction of 5 million rows, one that is held (case_large.sh), and the
#            cases that wait for long (case_harm.sh H3)
#
#   PGC_FAULTS="kill proxy"  some of them       PGC_FAULT_JOBS  how many kinds at a time (1)
#   PGC_SEED                 repeats a run      PGC_FAULT_COUNT of each kind
# With the sample, with the tables of mean.sql, and with dvdrental.tar when PGC_DVDRENTAL says where it is.
here=$(cd "$(dirname "$0")" && pwd)
servers=$here/../servers
seed=${PGC_SEED:-$(($(date +%s) % 32768))}
wanted=${PGC_FAULT_COUNT:-100}
kinds=${PGC_FAULTS:-kill restart proxy slow net disk cutover large}
out=$(mktemp -d "${TMPDIR:-/tmp}/pgc-faults.XXXXXX")
echo "seed $seed (PGC_SEED repeats it); output in $out"

data_of() { # ROUND
    local data=(mean sample mean "${PGC_DVDRENTAL:-mean}")
    echo "${data[$(($1 % 4))]}"
}

one_round() { # KIND
    case $1 in
        kill) PGC_KILLS=8 PGC_LIMIT=300 bash "$servers/flow_kill.sh" ;;
        large) bash "$here/case_large.sh" && bash "$servers/case_harm.sh" H3 ;;
        cutover) PGC_PROGRAM=${PGC_PROGRAM:-${PGCUTOVER:-$PWD/pgcutover}} bash "$here/fault_cutover.sh" ;;
        restart) PGC_RESTARTS=12 bash "$servers/flow_restart.sh" ;;
        *) PGC_FAULT_COUNT=$((wanted < 25 ? wanted : 25)) bash "$here/fault_$1.sh" ;;
    esac
}

count_faults() { # FILE
    grep -cE '^(killed |fault [0-9]+ |(source|target): (restarted|sessions ended))' "$1"
}

rounds() { # KIND: until there were enough faults, or one round fails
    local faults=0 round=0 status log
    while [ $faults -lt "$wanted" ]; do
        round=$((round + 1))
        log=$out/$1.$round
        PGC_SEED=$(((seed + 31 * round) % 32768)) PGC_DATA=$(data_of $round) PGC_RATE=${PGC_RATE:-40} PGC_BULK=300000 one_round "$1" >"$log" 2>&1
        status=$?
        if [ $status = 77 ]; then
            grep -h SKIP "$log" | sed "s/^/$1: /"
            return 0
        elif [ $status != 0 ]; then
            echo "FAIL: $1, round $round, exit status $status, $(grep -h '^seed' "$log")"
            tail -40 "$log"
            return 1
        fi
        grep -h SKIPPED "$log" | sed "s/^/$1: /"
        faults=$((faults + $(count_faults "$log")))
        [ "$1" = large ] && { echo "large: equal"; return 0; }
        echo "$1: round $round, $(data_of $round | sed 's,.*/,,'): equal, $faults faults so far"
    done
}

export servers here wanted seed out
export -f rounds one_round data_of count_faults
if echo "$kinds" | tr ' ' '\n' | xargs -P "${PGC_FAULT_JOBS:-1}" -I{} bash -c 'rounds {}'; then
    echo "equal each time"
    rm -rf "$out"
else
    exit 1
fi
