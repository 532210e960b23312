-- ddl-log: may not make event triggers: no superuser, nor the service's administrator who may.
-- Parameters: none. Minimum version: 9.6. Rows: item, fix, undo; none where it may.
SELECT pg_catalog.quote_ident(current_user),
       pg_catalog.format('ALTER ROLE %I SUPERUSER;', current_user),
       pg_catalog.format('ALTER ROLE %I NOSUPERUSER;', current_user)
WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles r
                  WHERE (r.rolname = current_user AND r.rolsuper)
                     OR (r.rolname = 'rds_superuser' AND pg_catalog.pg_has_role(current_user, r.oid, 'MEMBER')))
