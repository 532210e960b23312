-- fallback-ready: the role of the target's connection may not replicate from it.
-- Parameters: none. Minimum version: 9.5. Rows: item, fix, undo.
SELECT pg_catalog.format('role %I may not use replication', current_user),
       pg_catalog.format('ALTER ROLE %I REPLICATION;', current_user), pg_catalog.format('ALTER ROLE %I NOREPLICATION;', current_user)
WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles r
                  WHERE (r.rolname = current_user AND (r.rolreplication OR r.rolsuper))
                     OR (r.rolname = 'rds_replication' AND pg_catalog.pg_has_role(current_user, r.oid, 'MEMBER')))
