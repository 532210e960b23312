-- seclabel: providers of security labels that objects of the database carry.
-- Parameters: none. Minimum version: 9.5. Rows: item.
SELECT pg_catalog.format('%s (%s labels)', l.provider, pg_catalog.count(*))
FROM pg_catalog.pg_seclabel l
GROUP BY l.provider
ORDER BY l.provider
