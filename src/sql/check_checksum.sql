-- checksum: pages of this database, or of what all share, that were found damaged.
-- Parameters: none. Minimum version: 12. Rows: item.
SELECT pg_catalog.format('%s: %s, last at %s', coalesce(s.datname, 'shared catalogs'), s.checksum_failures, s.checksum_last_failure)
FROM pg_catalog.pg_stat_database s
WHERE s.checksum_failures > 0 AND (s.datname = pg_catalog.current_database() OR s.datid = 0)
