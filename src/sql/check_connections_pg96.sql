-- connections: fewer left than the migration opens. Of other roles' sessions only the role is seen.
-- Parameters: $1 connections wanted. Minimum version: 9.5. Rows: item.
WITH used AS (
    SELECT pg_catalog.count(*) AS server,
           pg_catalog.count(*) FILTER (WHERE a.usename = current_user) AS role,
           pg_catalog.count(*) FILTER (WHERE a.datname = pg_catalog.current_database()) AS base
    FROM pg_catalog.pg_stat_activity a
    WHERE a.datid IS NOT NULL
), free AS (
    SELECT 'the server (max_connections)' AS place,
           pg_catalog.current_setting('max_connections')::pg_catalog.int8
           - pg_catalog.current_setting('superuser_reserved_connections')::pg_catalog.int8
           - used.server AS count
    FROM used
    UNION ALL
    SELECT pg_catalog.format('role %I (CONNECTION LIMIT)', r.rolname), r.rolconnlimit - used.role
    FROM pg_catalog.pg_roles r, used
    WHERE r.rolname = current_user AND r.rolconnlimit >= 0
    UNION ALL
    SELECT pg_catalog.format('database %I (CONNECTION LIMIT)', d.datname), d.datconnlimit - used.base
    FROM pg_catalog.pg_database d, used
    WHERE d.datname = pg_catalog.current_database() AND d.datconnlimit >= 0
)
SELECT pg_catalog.format('%s has %s free', free.place, greatest(free.count, 0))
FROM free
WHERE free.count < $1::pg_catalog.int8
