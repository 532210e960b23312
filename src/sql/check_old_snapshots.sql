-- old-snapshots: a minor release whose slots may export a wrong snapshot while others write: rows that were updated or removed by
-- transactions of that moment (repaired in 9.5.7 and 9.6.3, and further in 9.5.8 and 9.6.4).
-- Parameters: none. Minimum version: 9.5. Rows: item.
SELECT pg_catalog.current_setting('server_version')
WHERE pg_catalog.current_setting('server_version_num')::int < 90508
    OR pg_catalog.current_setting('server_version_num')::int BETWEEN 90600 AND 90603
