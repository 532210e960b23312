-- stale-stats: tables that were never analyzed.
-- Parameters: $1 oids of the picked tables. Minimum version: 9.5. Rows: item, fix.
SELECT pg_catalog.format('%I.%I', s.schemaname, s.relname),
       pg_catalog.format('ANALYZE %I.%I;', s.schemaname, s.relname)
FROM pg_catalog.pg_stat_all_tables s
JOIN pg_catalog.unnest($1::pg_catalog.oid[]) AS picked(oid) ON picked.oid = s.relid
WHERE coalesce(s.last_analyze, s.last_autoanalyze) IS NULL AND s.n_live_tup + s.n_mod_since_analyze > 1000
ORDER BY s.n_live_tup DESC
