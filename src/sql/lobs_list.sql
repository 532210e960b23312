-- The next large objects: their size, a digest of all of their bytes, and one of owner, privileges and comment.
-- Bytes that were never written read as zeros, as they do for the application. A file descriptor is
-- opened, asked for the size and closed, in this order.
-- Parameters: $1 behind this oid, $2 up to this oid (null: as many as $3), $3 limit (null: none), $4 boolean:
-- with digests. Minimum version: 9.5. Rows: oid, size, digest (null without), digest of what is about it.
SELECT o.oid, o.size,
       CASE WHEN $4::pg_catalog.bool THEN
           (SELECT pg_catalog.md5(pg_catalog.string_agg(pg_catalog.md5(pg_catalog.lo_get(o.oid, p.n * 1048576, 1048576)), '' ORDER BY p.n))
              FROM pg_catalog.generate_series(0, (o.size - 1) / 1048576) AS p (n)) END,
       pg_catalog.md5(pg_catalog.concat_ws(E'\n', pg_catalog.pg_get_userbyid(o.lomowner),
           (SELECT pg_catalog.string_agg(pg_catalog.concat_ws(',', CASE x.grantee WHEN 0 THEN 'public'
                       ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(x.grantee)) END, x.privilege_type, x.is_grantable),
                   ';' ORDER BY x.grantee = 0, pg_catalog.pg_get_userbyid(x.grantee), x.privilege_type)
              FROM pg_catalog.aclexplode(coalesce(o.lomacl, pg_catalog.acldefault('L', o.lomowner))) AS x),
           pg_catalog.obj_description(o.oid, 'pg_largeobject')))
  FROM (SELECT m.oid, m.lomowner, m.lomacl, f.size, pg_catalog.lo_close(f.fd) AS closed
          FROM (SELECT oid, lomowner, lomacl FROM pg_catalog.pg_largeobject_metadata
                 WHERE oid > $1::pg_catalog.oid AND ($2::pg_catalog.oid IS NULL OR oid <= $2::pg_catalog.oid)
                 ORDER BY oid LIMIT $3::pg_catalog.int8) AS m
         CROSS JOIN LATERAL (SELECT d.fd, pg_catalog.lo_lseek64(d.fd, 0, 2) AS size
                               FROM (SELECT pg_catalog.lo_open(m.oid, 262144) AS fd OFFSET 0) AS d OFFSET 0) AS f
        OFFSET 0) AS o
 WHERE o.closed = 0
 ORDER BY o.oid
