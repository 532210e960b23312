-- The target table of a mapping, one row a column; one row with a null name for a table without any.
-- Parameters: $1 schema, $2 table. Minimum version: 9.5. Rows: oid, relkind, what would fire or check
-- while session_replication_role is origin (null: nothing), column name, type oid, type modifier,
-- type as text, not null, generated, identity.
SELECT c.oid, c.relkind,
       (SELECT pg_catalog.string_agg(DISTINCT CASE WHEN t.tgisinternal
                   THEN 'foreign key ' || pg_catalog.quote_ident(k.conname)
                   ELSE 'trigger ' || pg_catalog.quote_ident(t.tgname) END, ', ')
          FROM pg_catalog.pg_trigger t
          LEFT JOIN pg_catalog.pg_constraint k ON k.oid = t.tgconstraint
         WHERE t.tgrelid = c.oid AND t.tgenabled IN ('O', 'A')
           AND (NOT t.tgisinternal OR k.contype = 'f')),
       a.attname, a.atttypid, a.atttypmod, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull,
       coalesce(pg_catalog.to_jsonb(a) ->> 'attgenerated', '') <> '',
       coalesce(pg_catalog.to_jsonb(a) ->> 'attidentity', '') <> ''
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')
 ORDER BY a.attnum
