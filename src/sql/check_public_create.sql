-- public-create: from 15 on not everybody may make objects in schema public.
-- Parameters: none. Minimum version: 9.5. Rows: item, fix, undo.
SELECT pg_catalog.quote_ident(current_user),
       pg_catalog.format('GRANT CREATE ON SCHEMA public TO %I; -- in database %I', current_user, pg_catalog.current_database()),
       pg_catalog.format('REVOKE CREATE ON SCHEMA public FROM %I; -- in database %I', current_user, pg_catalog.current_database())
FROM pg_catalog.pg_namespace n
WHERE n.nspname = 'public' AND NOT pg_catalog.has_schema_privilege(n.oid, 'CREATE')
