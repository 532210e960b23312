-- db-create: no CREATE on the database, which CREATE PUBLICATION (source) and CREATE SCHEMA (target) need.
-- Parameters: none. Minimum version: 9.5. Rows: item, fix, undo.
SELECT pg_catalog.quote_ident(pg_catalog.current_database()),
       pg_catalog.format('GRANT CREATE ON DATABASE %I TO %I;', pg_catalog.current_database(), current_user),
       pg_catalog.format('REVOKE CREATE ON DATABASE %I FROM %I;', pg_catalog.current_database(), current_user)
WHERE NOT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')
