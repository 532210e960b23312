-- t-createdb: the target database does not exist and cannot be made by us.
-- Parameters: none. Minimum version: 9.5. Rows: item, fix, undo.
SELECT pg_catalog.quote_ident(r.rolname),
       pg_catalog.format('ALTER ROLE %I CREATEDB;', r.rolname),
       pg_catalog.format('ALTER ROLE %I NOCREATEDB;', r.rolname)
FROM pg_catalog.pg_roles r
WHERE r.rolname = current_user AND NOT r.rolcreatedb AND NOT r.rolsuper
