-- Records loaded tables, in the transaction that loads them. One that is out of the stream (behind_lsn) has
-- its place at the snapshot from now on: the applier's catch-up pass brings it back in.
-- Parameters: $1 source oids oid[], $2 epoch lsn (may be null), $3 rows int8[], $4 bytes int8[], $5 storage on the
-- source oid[], in one order. Minimum version: 9.5. Rows: one for each that is known: its number from 1, and how many indexes and keys
-- its own job has to build.
UPDATE pgcutover.tables t
SET loaded = true, epoch_lsn = $2::pg_catalog.pg_lsn, rows_loaded = x.rows, bytes_loaded = x.bytes,
    behind_lsn = CASE WHEN t.behind_lsn IS NOT NULL THEN $2::pg_catalog.pg_lsn END,
    load_started = pg_catalog.now(), load_ended = pg_catalog.clock_timestamp(), storage = x.storage
FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.oid[]), pg_catalog.unnest($3::pg_catalog.int8[]),
    pg_catalog.unnest($4::pg_catalog.int8[]), pg_catalog.unnest($5::pg_catalog.oid[]))
    WITH ORDINALITY AS x (oid, rows, bytes, storage, n)
WHERE t.source_oid = x.oid
RETURNING x.n,
    (SELECT pg_catalog.count(*) FROM pgcutover.objects o
     WHERE o.table_oid = t.source_oid AND o.by_table AND o.phase = 'index'
        AND o.object_type IN ('INDEX', 'CONSTRAINT') AND o.state IN ('pending', 'failed'))
