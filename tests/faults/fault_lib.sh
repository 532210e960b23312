# What the fault_*.sh runs share: one migration under load that is harmed at random instants from its first
# moment through its cutover, and is compared in full at its end. Sourced; brings flow_lib.sh.
#
#   fault_run NAME FUNCTION     runs a whole migration; FUNCTION does one fault and says which
#   PGC_FAULT_COUNT             how many faults before it is cut over (25); PGC_RATE transactions a second
#   PGC_SEED                    repeats the choices
. "$(dirname "${BASH_SOURCE[0]}")/../servers/flow_lib.sh"
export PGC_DATA=${PGC_DATA:-mean} PGC_BULK=${PGC_BULK:-300000}
fault_count=${PGC_FAULT_COUNT:-25}
faults=0

nap() { # up to MS
    local ms=$((RANDOM % $1))
    sleep "$((ms / 1000)).$(printf %03d $((ms % 1000)))"
}

fault_failed() { # WHAT: the end of this run
    fail "$*"
    pgc status "$migration"
    grep -a '"level": *"\(warning\|error\)"' "$STATE/$migration/log.jsonl" | tail -15
    exit 1
}

# A fault is never a reason to stop and wait for a person: everything here heals by itself.
fault_not_held() {
    is_held "$migration" && fault_failed "held after a fault: $(pgc status "$migration" 2>&1 | grep -A3 -i error)"
    in_state "$migration" FAILED CANCELLED && fault_failed "failed after a fault"
    return 0
}

applies_more() {
    [ "$(field "$migration" appliedChanges)" -gt "$applied_before" ]
}

fault_heals() { # nothing harms any more: changes arrive
    applied_before=$(field "$migration" appliedChanges)
    wait_until 120 applies_more || fault_failed "nothing is applied any more"
    wait_until 180 in_state "$migration" READY_TO_COMPLETE || fault_failed "not ready"
}

fault_some() { # FUNCTION COUNT: until there were so many; not in a subshell, which would choose its own chances
    while [ $faults -lt "$2" ]; do
        nap 1500
        faults=$((faults + 1))
        echo -n "fault $faults while $(field "$migration" phase): "
        $1
        fault_not_held
    done
    type fault_ends >/dev/null 2>&1 && fault_ends
    fault_heals
}

fault_cutover() { # FUNCTION: with faults in the middle of it; undone or carried through, never half
    local try ended
    for try in $(seq 6); do
        pgc cutover "$migration" -q >"$PGC_DIR/cutover.out" 2>&1 &
        ended=$!
        [ "$try" -lt 6 ] && { nap 4000; $1; }
        wait $ended
        ended_or_ready() { in_state "$migration" READY_TO_COMPLETE COMPLETE; }
        wait_until 180 ended_or_ready || fault_failed "neither cut over nor ready"
        in_state "$migration" COMPLETE && return 0
        echo "the cutover was undone: $(head -1 "$PGC_DIR/cutover.out")"
        [ "$(on source work -c 'SHOW default_transaction_read_only')" = off ] || fault_failed "undone, and the source is read-only"
    done
    fault_failed "no cutover went through"
}

fault_run() { # NAME FUNCTION [JSON]
    migration=$1
    flow_data source work || exit 1
    workload_start work "$script" -R "${PGC_RATE:-60}"
    flow_plan "$1" work ", \"load\": {\"jobs\": 3}, \"sync\": {\"jobs\": 3}, \"cutover\": {\"maxLag\": \"5s\"}${3:-}"
    type fault_plan >/dev/null 2>&1 && fault_plan "$PGC_DIR/$1.json"
    pgc --batch "$PGC_DIR/$1.json" --detach -q || { fail "the engine did not start"; exit 1; }
    fault_some "$2" $((fault_count / 2))
    pass "$1: ready after $faults faults"
    fault_some "$2" "$fault_count"
    pass "$1: ready again after $faults faults"
    fault_cutover "$2"
    type fault_ends >/dev/null 2>&1 && fault_ends
    workload_stop
    type fault_over >/dev/null 2>&1 && fault_over
    finish_flow "$1" work
    took
}
