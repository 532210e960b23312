-- subs-src: subscriptions of this database (only the columns that everybody may read).
-- Parameters: none. Minimum version: 10. Rows: item.
SELECT pg_catalog.quote_ident(s.subname)
FROM pg_catalog.pg_subscription s
WHERE s.subdbid = (SELECT d.oid FROM pg_catalog.pg_database d
                   WHERE d.datname = pg_catalog.current_database())
ORDER BY 1
