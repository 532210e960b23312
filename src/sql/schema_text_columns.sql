-- Columns of enums, domains, and types made of these, as columns of text for the time being: one statement a table (with its children),
-- and those that must keep their type because something else depends on it. Defaults, checks, plain indexes and keys go along.
-- Parameters: parallel text[]: $1 schemas, $2 tables; $3 text[]: columns that are to keep their type ("schema.table.column", quoted as
-- SQL has them); null: this is the source, whose checks that are not valid are made on the target when its columns are text. Minimum version: 10. Rows: table or column, statements that make it text, statements that bring it back (all null: the
-- column keeps its type), why, its type.
WITH RECURSIVE line (start, oid) AS (
    SELECT c.oid, c.oid
    FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[])) AS p (schema, name)
    JOIN pg_catalog.pg_namespace n ON n.nspname = p.schema
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = p.name AND c.relkind IN ('r', 'p')
    UNION
    SELECT l.start, i.inhparent FROM line l JOIN pg_catalog.pg_inherits i ON i.inhrelid = l.oid
),
textual (oid) AS (
    SELECT t.oid FROM pg_catalog.pg_type t WHERE t.typtype IN ('e', 'd') AND t.oid >= 16384
    UNION
    SELECT x.oid
    FROM textual u
    CROSS JOIN LATERAL (
        SELECT t.oid FROM pg_catalog.pg_type t WHERE t.typelem = u.oid AND t.typcategory = 'A'
        UNION ALL
        SELECT r.rngtypid FROM pg_catalog.pg_range r WHERE r.rngsubtype = u.oid
        UNION ALL
        SELECT t.oid
        FROM pg_catalog.pg_attribute a
        JOIN pg_catalog.pg_class k ON k.oid = a.attrelid AND k.relkind = 'c'
        JOIN pg_catalog.pg_type t ON t.typrelid = k.oid
        WHERE a.atttypid = u.oid AND NOT a.attisdropped) x
),
columns AS ( -- where each is defined
    SELECT DISTINCT a.attrelid AS root, a.attname
    FROM line l
    JOIN pg_catalog.pg_attribute a ON a.attrelid = l.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attinhcount = 0
    JOIN pg_catalog.pg_attribute s ON s.attrelid = l.start AND s.attname = a.attname AND NOT s.attisdropped
    WHERE a.atttypid IN (SELECT u.oid FROM textual u)
),
tree (root, oid) AS (
    SELECT c.root, c.root FROM columns c
    UNION
    SELECT t.root, i.inhrelid FROM tree t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid
),
members AS (
    SELECT c.root, c.attname, t.oid, a.attnum, a.attinhcount, a.atttypid, a.atttypmod, a.attcollation,
           pg_catalog.format('%I.%I.%I', n.nspname, k.relname, c.attname) AS path,
           pg_catalog.format_type(a.atttypid, a.atttypmod) AS type
    FROM columns c
    JOIN tree t ON t.root = c.root
    JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attname = c.attname
    JOIN pg_catalog.pg_class k ON k.oid = t.oid
    JOIN pg_catalog.pg_namespace n ON n.oid = k.relnamespace
),
obstacles AS (
    SELECT m.root, m.attname, pg_catalog.string_agg(DISTINCT x.why, ', ') AS why
    FROM members m
    JOIN pg_catalog.pg_class k ON k.oid = m.oid
    CROSS JOIN LATERAL (
        SELECT 'something on the source' AS why WHERE m.path = ANY ($3::pg_catalog.text[])
        UNION ALL
        SELECT 'it is inherited from several tables' WHERE m.attinhcount > 1
        UNION ALL
        SELECT 'its table is one of a type' WHERE k.reloftype <> 0
        UNION ALL
        SELECT 'the partition key'
        FROM pg_catalog.pg_partitioned_table p
        WHERE p.partrelid = m.oid AND (m.attnum = ANY (p.partattrs::pg_catalog.int2[]) OR p.partexprs IS NOT NULL)
        UNION ALL
        SELECT pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid)
        FROM pg_catalog.pg_depend d
        LEFT JOIN pg_catalog.pg_attrdef f ON d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND f.oid = d.objid
        LEFT JOIN pg_catalog.pg_attribute fa ON fa.attrelid = f.adrelid AND fa.attnum = f.adnum
        LEFT JOIN pg_catalog.pg_constraint c ON d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND c.oid = d.objid
        LEFT JOIN pg_catalog.pg_index i ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND i.indexrelid = d.objid
        WHERE d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = m.oid AND d.refobjsubid = m.attnum
          AND d.classid <> 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass
          AND NOT coalesce(f.adnum = m.attnum AND coalesce(pg_catalog.to_jsonb(fa) ->> 'attgenerated', '') = '', false)
          AND NOT coalesce(c.contype IN ('p', 'u', 'n')
                           OR (c.contype = 'c' AND (c.convalidated OR $3 IS NOT NULL) AND (m.oid = m.root OR (c.coninhcount > 0 AND NOT c.conislocal))), false)
          AND NOT coalesce(i.indexrelid IS NOT NULL AND i.indexprs IS NULL AND i.indpred IS NULL
                           AND NOT EXISTS (SELECT FROM pg_catalog.pg_opclass o
                                           WHERE o.oid = ANY (i.indclass::pg_catalog.oid[]) AND NOT o.opcdefault), false)) x
    GROUP BY m.root, m.attname
),
free AS (
    SELECT m.*, d.definition AS adefault,
           CASE WHEN m.attcollation <> t.typcollation THEN ' COLLATE ' || pg_catalog.quote_ident(ln.nspname) || '.'
                                                           || pg_catalog.quote_ident(l.collname) ELSE '' END AS collate
    FROM members m
    JOIN pg_catalog.pg_type t ON t.oid = m.atttypid
    LEFT JOIN pg_catalog.pg_collation l ON l.oid = m.attcollation
    LEFT JOIN pg_catalog.pg_namespace ln ON ln.oid = l.collnamespace
    LEFT JOIN LATERAL (SELECT pg_catalog.pg_get_expr(f.adbin, f.adrelid) AS definition
                       FROM pg_catalog.pg_attrdef f WHERE f.adrelid = m.oid AND f.adnum = m.attnum) d ON true
    WHERE NOT EXISTS (SELECT FROM obstacles o WHERE o.root = m.root AND o.attname = m.attname)
),
checks AS (
    SELECT DISTINCT f.root, c.oid, c.conname, pg_catalog.pg_get_constraintdef(c.oid) AS definition,
           pg_catalog.obj_description(c.oid, 'pg_constraint') AS comment
    FROM free f
    JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = f.root
        AND d.refobjsubid = f.attnum AND d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND f.oid = f.root
    JOIN pg_catalog.pg_constraint c ON c.oid = d.objid AND c.contype = 'c'
)
SELECT pg_catalog.format('%I.%I', n.nspname, k.relname),
       pg_catalog.format('ALTER TABLE %I.%I ', n.nspname, k.relname)
       || coalesce((SELECT pg_catalog.string_agg(pg_catalog.format('DROP CONSTRAINT %I, ', c.conname), '' ORDER BY c.conname)
                    FROM checks c WHERE c.root = k.oid), '')
       || pg_catalog.string_agg(pg_catalog.format('ALTER COLUMN %1$I TYPE pg_catalog.text USING %1$I::pg_catalog.text', f.attname), ', '
                                ORDER BY f.attnum) FILTER (WHERE f.oid = f.root)
       || '; INSERT INTO pgcutover.text_columns VALUES '
       || pg_catalog.string_agg(pg_catalog.format('(%s, %s, %L)', f.oid, f.attnum, f.type), ', '),
       pg_catalog.format('ALTER TABLE %I.%I ', n.nspname, k.relname)
       || pg_catalog.string_agg(CASE WHEN f.adefault IS NOT NULL THEN pg_catalog.format('ALTER COLUMN %I DROP DEFAULT, ', f.attname)
                                     ELSE '' END
                                || pg_catalog.format('ALTER COLUMN %1$I TYPE %2$s%3$s USING %1$I::pg_catalog.text::%2$s', f.attname, f.type,
                                                     f.collate)
                                || CASE WHEN f.adefault IS NOT NULL
                                        THEN pg_catalog.format(', ALTER COLUMN %I SET DEFAULT %s', f.attname, f.adefault) ELSE '' END,
                                ', ' ORDER BY f.attnum) FILTER (WHERE f.oid = f.root)
       || coalesce((SELECT pg_catalog.string_agg(
                               pg_catalog.format(E';\nALTER TABLE %I.%I ADD CONSTRAINT %I %s', n.nspname, k.relname, c.conname, c.definition)
                               || coalesce(pg_catalog.format(E';\nCOMMENT ON CONSTRAINT %I ON %I.%I IS ', c.conname, n.nspname, k.relname)
                                           || pg_catalog.quote_literal(c.comment), ''), '' ORDER BY c.conname)
                    FROM checks c WHERE c.root = k.oid), '')
       -- A part's own default.
       || coalesce(pg_catalog.string_agg(pg_catalog.format(E';\nALTER TABLE ONLY %s ALTER COLUMN %I SET DEFAULT %s',
                                                           f.oid::pg_catalog.regclass, f.attname, f.adefault), '' ORDER BY f.oid, f.attnum)
                   FILTER (WHERE f.oid <> f.root AND f.adefault IS NOT NULL), ''),
       NULL, NULL
FROM free f
JOIN pg_catalog.pg_class k ON k.oid = f.root
JOIN pg_catalog.pg_namespace n ON n.oid = k.relnamespace
GROUP BY k.oid, k.relname, n.nspname
UNION ALL
SELECT m.path, NULL, NULL, o.why, m.type
FROM obstacles o
JOIN members m ON m.root = o.root AND m.attname = o.attname AND m.oid = m.root
ORDER BY 1
