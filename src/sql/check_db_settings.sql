-- db-settings: ALTER DATABASE ... SET and ALTER ROLE ... IN DATABASE ... SET, which pg_dump does not carry.
-- Values of settings that are lists stand in the catalog as they are to be written. What the cutover sets is not one.
-- Parameters: $1 name of the target database. Minimum version: 9.5. Rows: item, fix, undo.
WITH settings AS (
    SELECT r.rolname, pg_catalog.split_part(e.entry, '=', 1) AS name,
           pg_catalog.substr(e.entry, pg_catalog.strpos(e.entry, '=') + 1) AS value
    FROM pg_catalog.pg_db_role_setting s
    JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase AND d.datname = pg_catalog.current_database()
    LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
    CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS e(entry)
), written AS (
    SELECT s.name, s.value, s.rolname,
           CASE WHEN s.rolname IS NULL THEN pg_catalog.format('ALTER DATABASE %I ', $1::pg_catalog.text)
               ELSE pg_catalog.format('ALTER ROLE %I IN DATABASE %I ', s.rolname, $1::pg_catalog.text) END AS alter,
           CASE WHEN s.name IN ('search_path', 'temp_tablespaces', 'local_preload_libraries', 'session_preload_libraries')
                     AND s.value <> '' THEN s.value
               ELSE pg_catalog.quote_literal(s.value) END AS literal
    FROM settings s
    WHERE s.name NOT IN ('default_transaction_read_only')
)
SELECT pg_catalog.format('%s = %s%s', w.name, w.value, CASE WHEN w.rolname IS NULL THEN '' ELSE ' for ' || pg_catalog.quote_ident(w.rolname) END),
       pg_catalog.format('%sSET %s = %s;', w.alter, w.name, w.literal),
       pg_catalog.format('%sRESET %s;', w.alter, w.name)
FROM written w
ORDER BY w.rolname NULLS FIRST, w.name
