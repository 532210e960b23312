-- What a database holds beside rows, as its catalogs say: for a server that no pg_dump here can read.
-- Parameters: none. Minimum version: 9.5. Rows: kind, schema, name, definition.
WITH own AS (
    SELECT n.oid, n.nspname FROM pg_catalog.pg_namespace n
    WHERE n.nspname !~ '^(pg_|pgcutover)' AND n.nspname <> 'information_schema'
), relation AS (
    SELECT c.oid, c.relname, c.relkind, c.reltype, c.relreplident, c.relrowsecurity, c.relforcerowsecurity, c.relpersistence, own.nspname
    FROM pg_catalog.pg_class c
    JOIN own ON own.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                      AND d.objid = c.oid AND d.deptype = 'e')
)
SELECT 'SCHEMA', NULL, nspname, '' FROM own
UNION ALL
SELECT CASE r.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' WHEN 'f' THEN 'FOREIGN TABLE'
            ELSE 'TABLE' END, r.nspname, r.relname,
       CASE WHEN r.relkind IN ('v', 'm') THEN pg_catalog.pg_get_viewdef(r.oid) ELSE '' END
       || coalesce((SELECT pg_catalog.string_agg(pg_catalog.format(E'%I %s%s%s%s\n', a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),
                               CASE WHEN a.attnotnull THEN ' NOT NULL' END,
                               ' identity ' || NULLIF(pg_catalog.to_jsonb(a) ->> 'attidentity', ''),
                               ' DEFAULT ' || pg_catalog.pg_get_expr(d.adbin, d.adrelid)), '' ORDER BY a.attname)
                    FROM pg_catalog.pg_attribute a
                    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
                    WHERE a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped AND r.relkind <> 'S'), '')
       || pg_catalog.format('persistence %s, row security %s %s', r.relpersistence, r.relrowsecurity, r.relforcerowsecurity)
FROM relation r
UNION ALL
SELECT 'INDEX', r.nspname, x.relname, pg_catalog.pg_get_indexdef(i.indexrelid)
       || CASE WHEN i.indisclustered THEN ' clustered' ELSE '' END || CASE WHEN NOT i.indisvalid THEN ' not valid' ELSE '' END
FROM relation r
JOIN pg_catalog.pg_index i ON i.indrelid = r.oid
JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
UNION ALL
SELECT CASE k.contype WHEN 'f' THEN 'FK CONSTRAINT' WHEN 'c' THEN 'CHECK CONSTRAINT' ELSE 'CONSTRAINT' END, r.nspname,
       pg_catalog.concat(r.relname, ' ', k.conname), pg_catalog.pg_get_constraintdef(k.oid)
FROM relation r
JOIN pg_catalog.pg_constraint k ON k.conrelid = r.oid
WHERE k.contype NOT IN ('n', 't') AND coalesce(pg_catalog.to_jsonb(k) ->> 'conparentid', '0') = '0'
UNION ALL
SELECT 'TRIGGER', r.nspname, pg_catalog.concat(r.relname, ' ', t.tgname), pg_catalog.pg_get_triggerdef(t.oid) || ' enabled ' || t.tgenabled::pg_catalog.text
FROM relation r
JOIN pg_catalog.pg_trigger t ON t.tgrelid = r.oid
WHERE NOT t.tgisinternal AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhrelid = r.oid)
UNION ALL
SELECT 'RULE', r.nspname, pg_catalog.concat(r.relname, ' ', w.rulename), pg_catalog.pg_get_ruledef(w.oid) || ' enabled ' || w.ev_enabled::pg_catalog.text
FROM relation r
JOIN pg_catalog.pg_rewrite w ON w.ev_class = r.oid
WHERE w.rulename <> '_RETURN'
UNION ALL
SELECT 'POLICY', r.nspname, pg_catalog.concat(r.relname, ' ', p.polname),
       pg_catalog.concat(p.polcmd, ' ', pg_catalog.pg_get_expr(p.polqual, p.polrelid), ' ', pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid))
FROM relation r
JOIN pg_catalog.pg_policy p ON p.polrelid = r.oid
UNION ALL
SELECT 'FUNCTION', own.nspname, p.oid::pg_catalog.regprocedure::pg_catalog.text,
       CASE WHEN coalesce(pg_catalog.to_jsonb(p) ->> 'prokind', CASE WHEN pg_catalog.to_jsonb(p) ->> 'proisagg' = 'true' THEN 'a' END) = 'a'
            THEN '' ELSE pg_catalog.pg_get_functiondef(p.oid) END
FROM pg_catalog.pg_proc p
JOIN own ON own.oid = p.pronamespace
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                  AND d.objid = p.oid AND d.deptype IN ('e', 'i'))
UNION ALL
SELECT CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, own.nspname, t.typname,
       pg_catalog.concat(t.typtype, ' ', CASE WHEN t.typtype = 'd' THEN pg_catalog.format_type(t.typbasetype, t.typtypmod) END,
                         (SELECT pg_catalog.string_agg(pg_catalog.quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
                          FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid),
                         (SELECT pg_catalog.string_agg(pg_catalog.concat(' ', k.conname, ' ', pg_catalog.pg_get_constraintdef(k.oid)), '' ORDER BY k.conname)
                          FROM pg_catalog.pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c'))
FROM pg_catalog.pg_type t
JOIN own ON own.oid = t.typnamespace
WHERE t.typtype IN ('e', 'd')
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass
                  AND d.objid = t.oid AND d.deptype = 'e')
UNION ALL
SELECT 'EXTENSION', NULL, e.extname, '' FROM pg_catalog.pg_extension e
UNION ALL
SELECT 'EVENT TRIGGER', NULL, v.evtname, pg_catalog.concat(v.evtevent, ' ', v.evttags::pg_catalog.text, ' enabled ', v.evtenabled)
FROM pg_catalog.pg_event_trigger v
WHERE v.evtname NOT LIKE 'pgcutover\_%'
