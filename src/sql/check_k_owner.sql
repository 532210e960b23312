-- k-owner: ALTER DATABASE ... SET, which stops the writers, is the owner's.
-- Parameters: none. Minimum version: 9.5. Rows: item, fix, undo.
SELECT pg_catalog.format('database %I belongs to %I', d.datname, pg_catalog.pg_get_userbyid(d.datdba)),
       pg_catalog.format('GRANT %I TO %I;', pg_catalog.pg_get_userbyid(d.datdba), current_user),
       pg_catalog.format('REVOKE %I FROM %I;', pg_catalog.pg_get_userbyid(d.datdba), current_user)
FROM pg_catalog.pg_database d
WHERE d.datname = pg_catalog.current_database() AND NOT pg_catalog.pg_has_role(d.datdba, 'USAGE')
