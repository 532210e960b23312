-- The target table of a mapping, one row a column; one row with a null name for a table without any.
-- Parameters: $1 schema, $2 table. Minimum version: 9.5. Rows: oid, relkind, what would fire or check
-- while session_replication_role is origin (null: nothing), column name, type oid, type modifier,
-- type as text, not null, generated, identity; the oid of its type's array type (0 where there is none, and
-- for arrays, whose arrays unnest would flatten), its delimiter, the type without modifier; is there a
-- trigger or rule that acts while the role is replica, how many unique and exclusion indexes the table has
-- (of a partitioned one: the part that has the most).
WITH RECURSIVE tree (oid) AS (
    SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relname = $2
    UNION ALL
    SELECT i.inhrelid FROM tree JOIN pg_catalog.pg_class p ON p.oid = tree.oid AND p.relkind = 'p'
      JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.oid)
SELECT c.oid, c.relkind,
       (SELECT pg_catalog.string_agg(x.what, ', ' ORDER BY x.what)
          FROM (SELECT CASE WHEN t.tgisinternal THEN 'foreign key ' || pg_catalog.quote_ident(k.conname)
                            ELSE 'trigger ' || pg_catalog.quote_ident(t.tgname) END AS what
                  FROM pg_catalog.pg_trigger t
                  LEFT JOIN pg_catalog.pg_constraint k ON k.oid = t.tgconstraint
                 WHERE t.tgrelid = c.oid AND t.tgenabled IN ('O', 'A')
                   AND (NOT t.tgisinternal OR k.contype = 'f')
                UNION
                SELECT 'rule ' || pg_catalog.quote_ident(r.rulename)
                  FROM pg_catalog.pg_rewrite r
                 WHERE r.ev_class = c.oid AND r.ev_enabled IN ('O', 'A')) x),
       a.attname, a.atttypid, a.atttypmod, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull,
       coalesce(pg_catalog.to_jsonb(a) ->> 'attgenerated', '') <> '',
       coalesce(pg_catalog.to_jsonb(a) ->> 'attidentity', '') <> '',
       CASE WHEN y.typtype <> 'd' AND y.typcategory = 'A' THEN 0 ELSE y.typarray END, y.typdelim,
       pg_catalog.format_type(a.atttypid, -1),
       EXISTS (SELECT FROM tree JOIN pg_catalog.pg_trigger t ON t.tgrelid = tree.oid WHERE t.tgenabled IN ('A', 'R'))
       OR EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.ev_class = c.oid AND r.ev_enabled IN ('A', 'R')),
       coalesce((SELECT pg_catalog.max(x.n)
                   FROM (SELECT pg_catalog.count(*) AS n
                           FROM tree JOIN pg_catalog.pg_index i ON i.indrelid = tree.oid
                          WHERE i.indisunique OR i.indisexclusion GROUP BY tree.oid) x), 0)
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_catalog.pg_type y ON y.oid = a.atttypid
 WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')
 ORDER BY a.attnum
