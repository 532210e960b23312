-- The table that each index, constraint, trigger, rule, policy and statistics object belongs to, with what decides when it is applied:
-- the table's relkind for indexes, constraints and statistics, the enabled state for triggers and rules (v: a view's, enabled as usual).
-- Parameters: none. Minimum version: 9.5. Rows: one an object: catalog, object, table, flag.
SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid, i.indexrelid, i.indrelid, c.relkind
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
WHERE c.relkind IN ('r', 'p', 'm') AND c.oid >= 16384
UNION ALL
SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass::pg_catalog.oid, k.oid, k.conrelid, c.relkind
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
WHERE k.conrelid >= 16384
UNION ALL
SELECT 'pg_catalog.pg_trigger'::pg_catalog.regclass::pg_catalog.oid, t.oid, t.tgrelid, t.tgenabled
FROM pg_catalog.pg_trigger t
WHERE t.tgname NOT LIKE 'RI\_ConstraintTrigger\_%'
UNION ALL
SELECT 'pg_catalog.pg_rewrite'::pg_catalog.regclass::pg_catalog.oid, r.oid, r.ev_class,
       CASE WHEN c.relkind IN ('v', 'm') AND r.ev_enabled = 'O' THEN 'v' ELSE r.ev_enabled END
FROM pg_catalog.pg_rewrite r
JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
WHERE r.ev_class >= 16384
UNION ALL
SELECT 'pg_catalog.pg_policy'::pg_catalog.regclass::pg_catalog.oid, p.oid, p.polrelid, ' '::"char"
FROM pg_catalog.pg_policy p
