-- set-role: owners whose objects our role cannot give to them.
-- Parameters: $1 names of the owners on the source. Minimum version: 16. Rows: item, fix, undo.
SELECT pg_catalog.quote_ident(r.rolname),
       pg_catalog.format('GRANT %I TO %I WITH SET TRUE;', r.rolname, current_user),
       pg_catalog.format('REVOKE %I FROM %I;', r.rolname, current_user)
FROM pg_catalog.pg_roles r
WHERE r.rolname = ANY ($1::pg_catalog.name[]) AND NOT pg_catalog.pg_has_role(r.oid, 'SET')
ORDER BY r.rolname
