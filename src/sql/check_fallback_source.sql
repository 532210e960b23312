-- fallback-ready: tables of the source that the way back could not write to.
-- Parameters: $1 oids of the picked tables. Minimum version: 9.5. Rows: item, fix, undo.
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname),
       pg_catalog.format('GRANT INSERT, UPDATE, DELETE, TRUNCATE ON %I.%I TO %I;', n.nspname, c.relname, current_user),
       pg_catalog.format('REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON %I.%I FROM %I;', n.nspname, c.relname, current_user)
FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS picked(oid)
JOIN pg_catalog.pg_class c ON c.oid = picked.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE NOT (pg_catalog.has_table_privilege(c.oid, 'INSERT') AND pg_catalog.has_table_privilege(c.oid, 'UPDATE')
           AND pg_catalog.has_table_privilege(c.oid, 'DELETE') AND pg_catalog.has_table_privilege(c.oid, 'TRUNCATE'))
ORDER BY n.nspname, c.relname
