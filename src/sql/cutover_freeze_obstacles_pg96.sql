-- What a read-only database would not stop: roles that override the setting, prepared
-- transactions.
-- Parameters: $1 database. Minimum version: 9.5. Rows: one line of text each, and the statement that helps.
SELECT pg_catalog.format('role %I has default_transaction_read_only = %s%s', r.rolname,
        pg_catalog.substr(x.setting, pg_catalog.length('default_transaction_read_only=') + 1),
        CASE WHEN s.setdatabase = 0 THEN '' ELSE ' in this database' END) AS obstacle,
    pg_catalog.format('ALTER ROLE %I %sRESET default_transaction_read_only', r.rolname,
        CASE WHEN s.setdatabase = 0 THEN '' ELSE pg_catalog.format('IN DATABASE %I ', $1::pg_catalog.text) END) AS help
FROM pg_catalog.pg_db_role_setting s
JOIN pg_catalog.pg_roles r ON r.oid = s.setrole AND r.rolcanlogin
CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS x (setting)
WHERE s.setdatabase IN (0, (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = $1::pg_catalog.text))
    AND x.setting LIKE 'default\_transaction\_read\_only=%'
    AND pg_catalog.lower(x.setting) !~ '=\s*(on|t|tr|tru|true|y|ye|yes|1)\s*$'
UNION ALL
SELECT pg_catalog.format('prepared transaction "%s" of user %s', p.gid, p.owner),
    pg_catalog.format('COMMIT PREPARED %L, or ROLLBACK PREPARED %L', p.gid, p.gid)
FROM pg_catalog.pg_prepared_xacts p
WHERE p.database = $1::pg_catalog.text
ORDER BY 1
