-- Every table and foreign table: there are no partitions yet. A deferrable key identifies no row for logical
-- decoding, and neither does an invalid one (RelationGetIndexList); bytes are the estimate.
-- Parameters: none. Minimum version: 9.5. Rows: one a table; columns as in enum table_column.
SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence, c.relreplident,
       false,
       0,
       coalesce(x.has_pk, false),
       coalesce(CASE c.relreplident WHEN 'f' THEN true WHEN 'd' THEN x.pk_usable
                    WHEN 'i' THEN x.chosen_usable END, false),
       greatest(c.reltuples, 0)::pg_catalog.int8,
       CASE c.relkind WHEN 'r' THEN (c.relpages::pg_catalog.int8 + coalesce(t.relpages, 0))
           * pg_catalog.current_setting('block_size')::pg_catalog.int8 ELSE 0 END,
       c.relkind <> 'f' AND pg_catalog.row_security_active(c.oid),
       coalesce(pg_catalog.has_schema_privilege(n.oid, 'USAGE')
           AND pg_catalog.has_table_privilege(c.oid, 'SELECT'), true),
       pg_catalog.pg_has_role(c.relowner, 'USAGE'),
       g.tgrelid IS NOT NULL,
       pg_catalog.pg_get_userbyid(c.relowner),
       e.extname
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_class t ON t.oid = c.reltoastrelid
LEFT JOIN (SELECT indrelid,
                  pg_catalog.bool_or(indisprimary AND indisvalid) AS has_pk,
                  pg_catalog.bool_or(indisprimary AND indisvalid AND indimmediate) AS pk_usable,
                  pg_catalog.bool_or(indisreplident AND indisvalid AND indimmediate) AS chosen_usable
           FROM pg_catalog.pg_index
           WHERE indisprimary OR indisreplident
           GROUP BY indrelid) x ON x.indrelid = c.oid
LEFT JOIN (SELECT DISTINCT tgrelid
           FROM pg_catalog.pg_trigger
           WHERE NOT tgisinternal AND tgenabled IN ('A', 'R')) g ON g.tgrelid = c.oid
LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
    AND d.objid = c.oid AND d.objsubid = 0 AND d.deptype = 'e'
    AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
WHERE c.relkind IN ('r', 'f') AND c.relpersistence <> 't'
    AND n.nspname !~ '^(pg_|pgcutover_)' AND n.nspname NOT IN ('information_schema', 'pgcutover')
ORDER BY n.nspname, c.relname
