-- Whose service this server is, which settles the wording of a fix.
-- Parameters: none. Minimum version: 9.5. Rows: none where it is nobody's, or one: rds, azure, ...
SELECT p.provider
FROM (VALUES ('rds_superuser', 'rds'), ('azure_pg_admin', 'azure'), ('cloudsqlsuperuser', 'cloudsql'),
             ('alloydbsuperuser', 'alloydb'), ('neon_superuser', 'neon'),
             ('supabase_admin', 'supabase')) AS p(role, provider)
JOIN pg_catalog.pg_roles r ON r.rolname = p.role
ORDER BY p.provider <> 'alloydb'
LIMIT 1
