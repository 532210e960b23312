# Two clusters, each behind a proxy (proxy.c) that the migration goes through. Sourced; brings fault_lib.sh.
#
#   to_proxy source|target COMMAND...    see the head of proxy.c
. "$(dirname "${BASH_SOURCE[0]}")/fault_lib.sh"
FAULT_PROXY=$(realpath "${FAULT_PROXY:-./fault_proxy}")
[ -x "$FAULT_PROXY" ] || { echo "SKIP: no ./fault_proxy here: make fault_proxy"; exit 77; }
cluster_start source && cluster_start target || exit 1

proxy_start() { # NAME
    mkdir -p "$PGC_DIR/via_$1"
    mkfifo "$PGC_DIR/proxy_$1"
    "$FAULT_PROXY" "$PGC_DIR/via_$1/.s.PGSQL.5432" "$PGC_DIR/$1/.s.PGSQL.5432" "$seed" <"$PGC_DIR/proxy_$1" >"$PGC_DIR/proxy_$1.out" &
}
proxy_start source
exec 7>"$PGC_DIR/proxy_source"
proxy_start target
exec 8>"$PGC_DIR/proxy_target"

to_proxy() { # NAME COMMAND...
    local fd=7
    [ "$1" = target ] && fd=8
    shift
    echo "$*" >&$fd
}

fault_plan() { # FILE
    sed -i "s#host=$PGC_DIR/\(source\|target\)#host=$PGC_DIR/via_\1#" "$1"
}
