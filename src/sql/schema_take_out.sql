-- What of the target's tables stands in the way while rows are copied and changes applied: triggers and rules that act in replica role;
-- and, where it is wanted, those that act in origin role too; foreign keys from and to them; and indexes that nothing needs before
-- the cutover and whose definition says all of them.
-- Parameters: boolean: $1 indexes, $2 foreign keys, $3 all triggers and rules. Minimum version: 9.5. Rows: kind, name, statement that
-- takes it out, statements that put it back (of a foreign key that is valid the last, on a line of its own, validates it where
-- that may be a step of its own), oid.
WITH RECURSIVE tree AS (
    SELECT t.source_oid, c.oid, c.relkind
    FROM pgcutover.tables t
    JOIN pg_catalog.pg_namespace n ON n.nspname = t.target_schema
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.target_table
    WHERE t.mode IN ('sync', 'at-cutover')
    UNION
    SELECT r.source_oid, c.oid, c.relkind
    FROM tree r
    JOIN pg_catalog.pg_inherits i ON i.inhparent = r.oid
    JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
    WHERE r.relkind = 'p'
),
tables AS (
    SELECT r.oid, c.relkind, pg_catalog.min(r.source_oid::pg_catalog.int8) AS source_oid, n.nspname, c.relname,
           pg_catalog.format('%I.%I', n.nspname, c.relname) AS name
    FROM tree r
    JOIN pg_catalog.pg_class c ON c.oid = r.oid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    GROUP BY r.oid, c.relkind, n.nspname, c.relname
),
keyed AS ( -- those whose foreign keys are theirs, too
    SELECT t.oid FROM tables t
    UNION
    SELECT i.inhparent
    FROM keyed k
    JOIN pg_catalog.pg_inherits i ON i.inhrelid = k.oid
    JOIN pg_catalog.pg_class c ON c.oid = i.inhparent AND c.relkind = 'p'
)
SELECT 'trigger', pg_catalog.format('%I on %s', g.tgname, t.name),
       pg_catalog.format('ALTER TABLE ONLY %s DISABLE TRIGGER %I', t.name, g.tgname),
       pg_catalog.format('ALTER TABLE ONLY %s ENABLE %sTRIGGER %I', t.name,
                         CASE g.tgenabled WHEN 'A' THEN 'ALWAYS ' WHEN 'R' THEN 'REPLICA ' ELSE '' END, g.tgname), g.oid
FROM tables t
JOIN pg_catalog.pg_trigger g ON g.tgrelid = t.oid
LEFT JOIN pg_catalog.pg_constraint k ON k.oid = g.tgconstraint
WHERE (g.tgenabled IN ('A', 'R') OR ($3::pg_catalog.bool AND g.tgenabled = 'O'))
  AND (NOT g.tgisinternal OR g.tgconstraint = 0 OR k.contype = 't') -- before 15 those that a partition has of its parent are internal
UNION ALL
SELECT 'rule', pg_catalog.format('%I on %s', w.rulename, t.name),
       pg_catalog.format('ALTER TABLE %s DISABLE RULE %I', t.name, w.rulename),
       pg_catalog.format('ALTER TABLE %s ENABLE %sRULE %I', t.name,
                         CASE w.ev_enabled WHEN 'A' THEN 'ALWAYS ' WHEN 'R' THEN 'REPLICA ' ELSE '' END, w.rulename), w.oid
FROM tables t
JOIN pg_catalog.pg_rewrite w ON w.ev_class = t.oid
WHERE w.ev_enabled IN ('A', 'R') OR ($3::pg_catalog.bool AND w.ev_enabled = 'O')
UNION ALL
SELECT 'foreign-key', pg_catalog.format('%I on %I.%I', k.conname, n.nspname, c.relname),
       pg_catalog.format('ALTER TABLE %s%I.%I DROP CONSTRAINT %I', x.only_it, n.nspname, c.relname, k.conname),
       pg_catalog.format('ALTER TABLE %s%I.%I ADD CONSTRAINT %I %s%s', x.only_it, n.nspname, c.relname, k.conname,
                         pg_catalog.pg_get_constraintdef(k.oid), CASE WHEN x.in_steps THEN ' NOT VALID' END)
       || coalesce(pg_catalog.format(E';\nCOMMENT ON CONSTRAINT %I ON %I.%I IS ', k.conname, n.nspname, c.relname)
                   || pg_catalog.quote_literal(pg_catalog.obj_description(k.oid, 'pg_constraint')), '')
       || CASE WHEN x.in_steps THEN pg_catalog.format(E';\nALTER TABLE %I.%I VALIDATE CONSTRAINT %I', n.nspname, c.relname, k.conname)
               ELSE '' END, k.oid
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_class f ON f.oid = k.confrelid
CROSS JOIN LATERAL (SELECT k.convalidated AND c.relkind <> 'p' AND f.relkind <> 'p' AS in_steps,
                           CASE WHEN c.relkind = 'p' THEN '' ELSE 'ONLY ' END AS only_it) x
WHERE $2::pg_catalog.bool AND k.contype = 'f' AND coalesce(pg_catalog.to_jsonb(k) ->> 'conparentid', '0') = '0'
  AND (k.conrelid IN (SELECT t.oid FROM keyed t) OR k.confrelid IN (SELECT t.oid FROM keyed t))
  AND EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgconstraint = k.oid AND g.tgenabled <> 'D')
UNION ALL
SELECT 'index', pg_catalog.format('%I.%I', t.nspname, c.relname),
       pg_catalog.format('INSERT INTO pgcutover.objects (dump_id, position, class_oid, object_oid, object_type, object_schema, '
                         'object_name, table_oid, by_table, phase, statement) '
                         'SELECT x.last + 1, x.last + 1, 0, 0, ''INDEX'', %L, %L, %s, true, ''index'', %L '
                         'FROM (SELECT coalesce(pg_catalog.max(greatest(dump_id, position)), 0) AS last FROM pgcutover.objects) x; '
                         'DROP INDEX %I.%I', t.nspname, c.relname, t.source_oid,
                         pg_catalog.pg_get_indexdef(c.oid) || ';', t.nspname, c.relname),
       pg_catalog.pg_get_indexdef(c.oid), c.oid
FROM tables t
JOIN pg_catalog.pg_index i ON i.indrelid = t.oid
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
WHERE $1::pg_catalog.bool AND t.relkind = 'r'
  AND NOT (i.indisunique OR i.indisprimary OR i.indisexclusion OR i.indisclustered OR i.indisreplident)
  AND i.indisvalid AND i.indisready AND c.reltablespace = 0
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhrelid = c.oid)
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_description d
                  WHERE d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objoid = c.oid)
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a
                  WHERE a.attrelid = c.oid AND coalesce((pg_catalog.to_jsonb(a) ->> 'attstattarget')::pg_catalog.int4, -1) >= 0)
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                  WHERE d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = c.oid)
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                  WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype IN ('e', 'x'))
ORDER BY 1, 2
