-- lo-priv: large objects that this role may not read.
-- Parameters: none. Minimum version: 9.5. Rows: oid, fix.
SELECT m.oid, pg_catalog.format('GRANT SELECT ON LARGE OBJECT %s TO %I;', m.oid, current_user)
FROM pg_catalog.pg_largeobject_metadata m
WHERE NOT pg_catalog.pg_has_role(m.lomowner, 'USAGE')
    AND NOT (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user)
    AND pg_catalog.current_setting('lo_compat_privileges') = 'off'
    AND NOT EXISTS (SELECT FROM pg_catalog.aclexplode(m.lomacl) x
        WHERE x.privilege_type = 'SELECT'
            AND CASE x.grantee WHEN 0 THEN true ELSE pg_catalog.pg_has_role(x.grantee, 'USAGE') END)
ORDER BY m.oid
