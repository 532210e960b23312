-- def-acl: ALTER DEFAULT PRIVILEGES of the database.
-- Parameters: none. Minimum version: 9.5. Rows: item.
SELECT pg_catalog.format('%s made by %I%s',
           CASE a.defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'functions'
               WHEN 'T' THEN 'types' WHEN 'n' THEN 'schemas' ELSE 'large objects' END,
           pg_catalog.pg_get_userbyid(a.defaclrole),
           CASE WHEN a.defaclnamespace = 0 THEN '' ELSE ' in schema ' || pg_catalog.quote_ident(n.nspname) END)
FROM pg_catalog.pg_default_acl a
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = a.defaclnamespace
ORDER BY 1
