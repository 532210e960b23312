-- wal-volume: WAL is being held back already: pg_wal is more than twice as large as checkpoints would let it become.
-- Parameters: none. Minimum version: 10. Rows: item.
WITH wal AS (
    SELECT pg_catalog.sum(w.size) AS bytes, pg_catalog.count(*) AS files
    FROM pg_catalog.pg_ls_waldir() w
), allowed AS (
    SELECT pg_catalog.pg_size_bytes(pg_catalog.current_setting('max_wal_size')) AS bytes
)
SELECT pg_catalog.format('%s in %s files, where max_wal_size is %s%s', pg_catalog.pg_size_pretty(wal.bytes), wal.files,
           pg_catalog.pg_size_pretty(allowed.bytes),
           CASE WHEN a.last_failed_time > coalesce(a.last_archived_time, '-infinity')
               THEN '; archiving fails at ' || a.last_failed_wal ELSE '' END)
FROM wal, allowed, pg_catalog.pg_stat_archiver a
WHERE wal.bytes > 2 * allowed.bytes
