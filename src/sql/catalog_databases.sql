-- What the server is, and the databases that one may choose from.
-- Parameters: none. Minimum version: 9.5. Rows: one a database that takes connections: its name, its size in bytes
-- (null: not allowed to look), is it the current one.
SELECT d.datname,
    CASE WHEN pg_catalog.has_database_privilege(d.oid, 'CONNECT') THEN pg_catalog.pg_database_size(d.oid) END,
    d.datname = pg_catalog.current_database()
FROM pg_catalog.pg_database d
WHERE d.datallowconn AND NOT d.datistemplate
ORDER BY d.datname
