-- The statements that give large objects their owners, privileges and comments.
-- Parameters: $1 oid[]. Minimum version: 9.5. Rows: one statement each, in order.
SELECT s.statement
  FROM pg_catalog.pg_largeobject_metadata m
 CROSS JOIN LATERAL (
    SELECT 1, pg_catalog.format('ALTER LARGE OBJECT %s OWNER TO %I', m.oid, pg_catalog.pg_get_userbyid(m.lomowner))
    UNION ALL
    SELECT 2, pg_catalog.format('REVOKE ALL ON LARGE OBJECT %s FROM PUBLIC, %I', m.oid, pg_catalog.pg_get_userbyid(m.lomowner))
     WHERE m.lomacl IS NOT NULL
    UNION ALL
    SELECT 3, pg_catalog.format('GRANT %s ON LARGE OBJECT %s TO %s%s', x.privilege_type, m.oid,
                  CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(x.grantee)) END,
                  CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
      FROM pg_catalog.aclexplode(m.lomacl) AS x
    UNION ALL
    SELECT 4, pg_catalog.format('COMMENT ON LARGE OBJECT %s IS %L', m.oid, pg_catalog.obj_description(m.oid, 'pg_largeobject'))
     WHERE pg_catalog.obj_description(m.oid, 'pg_largeobject') IS NOT NULL
  ) AS s (step, statement)
 WHERE m.oid = ANY ($1::pg_catalog.oid[])
 ORDER BY m.oid, s.step
