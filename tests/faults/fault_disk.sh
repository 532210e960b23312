#!/usr/bin/env bash
# The disk under the spool, or under the whole state directory, is full at random instants and has room again later:
# nothing more is confirmed to the source meanwhile, the status says so, and it goes on (L15). A small tmpfs: wants root.
#   PGC_DISK   spool | state: what lies on it (by chance)
. "$(dirname "$0")/fault_lib.sh"
choices=(spool state)
disk=${PGC_DISK:-${choices[$((RANDOM % 2))]}}
mount_at=$STATE
[ "$disk" = spool ] && mount_at=$STATE/disk/db-0/spool
(umask 077 && mkdir -p "$mount_at")
mount -t tmpfs -o size=24m,mode=700 pgc_faults "$mount_at" 2>/dev/null || { echo "SKIP: no tmpfs can be mounted here"; exit 77; }
trap 'status=$?; stop_engines; umount -l "$mount_at" 2>/dev/null; (exit $status); finish' EXIT
cluster_start source && cluster_start target || exit 1
echo "a full disk under the $disk"

fill() { # what is left, to the last byte
    dd if=/dev/zero of="$mount_at/ballast" bs=64k 2>/dev/null
    dd if=/dev/zero of="$mount_at/ballast2" bs=1 count=65536 2>/dev/null
}

fault_ends() {
    rm -f "$mount_at/ballast" "$mount_at/ballast2"
    # A decision that could not be written stops the migration: somebody has to say "resume".
    sleep 1
    [ "$disk" = state ] && is_held disk && pgc resume disk -q
    return 0
}

fault_over() { # a directory that something is mounted on cannot be removed
    [ "$disk" = state ] || umount -l "$mount_at"
}

one_fault() {
    echo "full"
    fill
    nap 4000
    if [ $((RANDOM % 3)) = 0 ]; then
        kill_engine disk && echo "... and the engine killed"
        [ "$disk" = spool ] && pgc resume disk -q
    fi
    nap 2000
    fault_ends
    engine_gone disk && pgc resume disk -q
    return 0
}

fault_run disk one_fault
