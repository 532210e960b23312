-- spill: decoders of others that have written transactions to disk already.
-- Parameters: none. Minimum version: 14. Rows: item.
SELECT pg_catalog.format('slot %I: %s transactions, %s', s.slot_name, s.spill_txns, pg_catalog.pg_size_pretty(s.spill_bytes))
FROM pg_catalog.pg_stat_replication_slots s
WHERE s.spill_bytes > 0 AND s.slot_name !~ '^pgcutover'
ORDER BY s.spill_bytes DESC
