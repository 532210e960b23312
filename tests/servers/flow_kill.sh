#!/usr/bin/env bash
# Kills (-9) the engine and each kind of its workers at random instants of a migration under load; the
# contents are equal after the cutover (L13), progress shown is progress committed (L17).
#   PGC_KILLS   how often the engine is killed (3)
#   PGC_SEED    repeats a run; PGC_PLAN: more of the plan, after a comma
. "$(dirname "$0")/flow_lib.sh"
cluster_start source && cluster_start target || exit 1
engine_kills=${PGC_KILLS:-3}
kinds="check schema epoch copy index receive apply monitor finish cutover thaw close"

flow_data source shop || exit 1
workload_start shop "$script" -R "${PGC_RATE:-20}"

flow_plan kill shop ', "load": {"jobs": 2}'"${PGC_PLAN:-}"
pgc --batch "$PGC_DIR/kill.json" --detach -q || { fail "the engine did not start"; exit 1; }

kill_some() { # the first worker of a kind that was not killed yet, after 0 to 300 ms
    local pid kind killed=1
    while read -r pid kind; do
        case " $left " in *" $kind "*) ;; *) continue ;; esac
        # Some are soon gone.
        case "$kind" in thaw | close | schema | check) ;; *) sleep "0.$((RANDOM % 4))$((RANDOM % 10))" ;; esac
        kill -9 "$pid" 2>/dev/null || continue
        echo "killed $kind while $(field kill phase)"
        kills=$((kills + 1))
        left=$(echo " $left " | sed "s/ $kind / /")
        killed=0
        break
    done < <(worker_pids kill | shuf --random-source=<(yes $RANDOM))
    return $killed
}

kill_the_engine() {
    local phase
    phase=$(field kill phase)
    kill_engine kill || return 1
    echo "killed engine while $phase"
    pgc resume kill -q || fail "resume after a kill while $phase"
    engine_left=$((engine_left - 1))
    kills=$((kills + 1))
}

samples=0
counters_hold() {
    local line loaded inserted rows
    line=$(status kill | grep '"tableName": *"public.ins_log"')
    loaded=$(echo "$line" | value fullLoadTotalRows)
    inserted=$(echo "$line" | value cdcInsertCounter)
    [ "$(echo "$line" | value state)" = COMPLETED ] || return 0
    rows=$(on target shop -c 'SELECT count(*) FROM public.ins_log') || return 0
    samples=$((samples + 1))
    [ $((loaded + inserted)) -le "$rows" ] || fail "progress: $loaded loaded + $inserted inserted, but $rows rows are there"
}

left=$kinds engine_left=$engine_kills kills=0
until_s=$(($(date +%s) + ${PGC_LIMIT:-100} + 10 * engine_kills))
next_engine=$(($(date +%s) + RANDOM % 4))
while [ "$(date +%s)" -lt $until_s ]; do
    counters_hold
    kill_some
    if [ $engine_left -gt 0 ] && [ "$(date +%s)" -ge "$next_engine" ]; then
        kill_the_engine
        next_engine=$(($(date +%s) + 1 + RANDOM % 6))
    fi
    is_held kill && { echo "held: $(pgc status kill 2>&1 | tail -5)"; pgc resume kill -q; }
    case "$(field kill migrationState)" in
        READY_TO_COMPLETE)
            # The workers of a running stream first; then the cutover, with its own.
            case " $left " in *" apply "* | *" receive "* | *" monitor "*) continue ;; esac
            [ $engine_left -gt $((engine_kills > 2)) ] && continue
            pgc cutover kill -q >/dev/null 2>&1 &
            ;;
        COMPLETE) break ;;
        FAILED | CANCELLED) break ;;
    esac
done
echo "$kills kills; not caught:$left; $samples samples of the counters"
[ $samples -gt 3 ] && pass "counters never ahead of the target" || fail "only $samples samples of the counters"
assert_equal "the migration ended" "$(field kill migrationState)" COMPLETE || pgc status kill
workload_stop
finish_flow kill shop
took
