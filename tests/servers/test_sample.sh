#!/usr/bin/env bash
# The sample data and the workload of the demonstration: deterministic, large enough, every written table
# with a key, no failed transaction with four clients at once, and a dump that restores to the same.
. "$(dirname "$0")/lib.sh"
demo=$(dirname "$0")/../../src/demo
cluster_start source || exit 1

load() { # DATABASE
    on source postgres -c "CREATE DATABASE $1" && on source "$1" <"$demo/sample.sql"
}
load shop && pass "the sample data loads" || { fail "the sample data does not load"; exit 1; }
load twin
assert_same_data "loading twice gives the same" source/shop source/twin

[ "$(on source shop -c "SELECT sum(reltuples) FROM pg_class WHERE relkind = 'r' AND relnamespace IN ('shop'::regnamespace, 'audit'::regnamespace)")" -ge 100000 ] &&
    pass "at least 100,000 rows" || fail "fewer than 100,000 rows"
assert_equal "tables without a primary key" "$(on source shop -c "SELECT string_agg(c.oid::regclass::text, ' ') FROM pg_class c
    WHERE relkind IN ('r', 'p') AND relnamespace IN ('shop'::regnamespace, 'audit'::regnamespace)
      AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = c.oid AND indisprimary)")" ""
assert_equal "helper functions left" "$(on source shop -c "SELECT count(*) FROM pg_proc WHERE proname LIKE 'demo%'")" 0

# One PQexec() a round, as the demonstration does it (psql -c sends its argument as it is).
for round in 1 2 3; do
    on source shop -o /dev/null -c "$(cat "$demo/workload.sql")" || fail "round $round of the workload"
done
pgbench=$PGC_BIN/pgbench
[ -x "$pgbench" ] || pgbench=$(command -v pgbench)
if [ -x "$pgbench" ]; then
    out=$("$pgbench" -n -h "$PGC_DIR/source" -U postgres -f "$demo/workload.sql" -t 25 -c 4 shop 2>&1)
    assert_contains "25 rounds of 4 clients" "$out" "transactions actually processed: 100/100"
    case "$out" in
        *ERROR* | *WARNING* | *aborted*) fail "the workload has errors: $out" ;;
        *) pass "no error and no warning" ;;
    esac
fi
assert_equal "deadlocks" "$(on source shop -c "SELECT deadlocks FROM pg_stat_database WHERE datname = 'shop'")" 0

changed=$(diff <(digest_database source twin | grep -v sequence) <(digest_database source shop | grep -v sequence) | sed -n 's/^> \([^ ]*\) .*/\1/p' |
    sed 's/\(payment\)_.*/\1/' | uniq | tr '\n' ' ')
assert_equal "tables that the workload changes" "$changed" "audit.log shop.customer shop.film shop.payment \
shop.press_kit shop.rental shop.review shop.voucher shop.voucher_use shop.waiting "
# Which partition holds new payments depends on the day; a payment of the first half-year found in the second was moved.
assert_equal "rows moved between partitions" "$(on source shop -c "SELECT count(*) > 0 FROM shop.payment_2025_2 p JOIN shop.rental r USING (rental_id)
    WHERE r.returned_at < '2025-07-01 00:00+00'")" t

on source shop -c 'REFRESH MATERIALIZED VIEW shop.takings'
on source postgres -c 'CREATE DATABASE restored'
"$PGC_BIN/pg_dump" -h "$PGC_DIR/source" -U postgres shop | on source restored -o /dev/null
assert_same_data "dumped and restored" source/shop source/restored
on source restored -c 'UPDATE shop.film SET minutes = minutes + 1 WHERE film_id = 77'
[ "$(digest_database source shop)" != "$(digest_database source restored)" ] && pass "one changed row is seen" || fail "one changed row is not seen"
