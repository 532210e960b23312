-- The database's own setting of default_transaction_read_only.
-- Parameters: $1 database. Minimum version: 9.5. Rows: its value, or none.
SELECT pg_catalog.substr(x.setting, pg_catalog.length('default_transaction_read_only=') + 1)
FROM pg_catalog.pg_db_role_setting s
JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS x (setting)
WHERE d.datname = $1 AND s.setrole = 0 AND x.setting LIKE 'default\_transaction\_read\_only=%'
