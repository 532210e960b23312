-- repl-role: neither REPLICATION nor the service's substitute for it.
-- Parameters: none. Minimum version: 9.5. Rows: item, fix, undo.
SELECT pg_catalog.quote_ident(current_user),
       CASE WHEN EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = 'rds_replication')
           THEN pg_catalog.format('GRANT rds_replication TO %I;', current_user)
           ELSE pg_catalog.format('ALTER ROLE %I REPLICATION;', current_user) END,
       CASE WHEN EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = 'rds_replication')
           THEN pg_catalog.format('REVOKE rds_replication FROM %I;', current_user)
           ELSE pg_catalog.format('ALTER ROLE %I NOREPLICATION;', current_user) END
WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles r
                  WHERE (r.rolname = current_user AND (r.rolreplication OR r.rolsuper))
                     OR (r.rolname = 'rds_replication'
                         AND pg_catalog.pg_has_role(current_user, r.oid, 'MEMBER')))
