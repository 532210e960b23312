-- One relation and its columns with what is needed to compare them by text; a relation without columns gives
-- one row with a null name.
-- Parameters: $1 schema, $2 name, $3 text[]: only these columns, but for generated ones (null: all). Minimum version: 9.5.
-- Rows: relkind, populated, column name, built-in base type (domains resolved; '' for others), built-in
-- element type where it is an array (else ''), is a range, all built-in types inside it, by commas.
WITH RECURSIVE columns AS (
    SELECT c.relkind, c.relispopulated, a.attnum, a.attname, a.atttypid
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        AND ($3::pg_catalog.text[] IS NULL OR (a.attname = ANY ($3::pg_catalog.text[])
            AND coalesce(pg_catalog.to_jsonb(a) ->> 'attgenerated', '') = ''))
    WHERE n.nspname = $1 AND c.relname = $2
), base (attnum, typ) AS (
    SELECT attnum, atttypid FROM columns
    UNION
    SELECT b.attnum, t.typbasetype FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.typ AND t.typtype = 'd'
), element (attnum, typ) AS (
    SELECT b.attnum, t.typelem FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.typ
    WHERE t.typelem <> 0 AND t.typlen = -1 AND t.typcategory = 'A'
    UNION
    SELECT e.attnum, t.typbasetype FROM element e JOIN pg_catalog.pg_type t ON t.oid = e.typ AND t.typtype = 'd'
), tree (attnum, typ) AS (
    SELECT attnum, atttypid FROM columns
    UNION
    SELECT r.attnum, x.typ
    FROM tree r
    JOIN pg_catalog.pg_type t ON t.oid = r.typ
    CROSS JOIN LATERAL (
        SELECT t.typelem AS typ WHERE t.typcategory = 'A'
        UNION ALL SELECT t.typbasetype
        UNION ALL SELECT g.rngsubtype FROM pg_catalog.pg_range g
            WHERE g.rngtypid = t.oid OR (pg_catalog.to_jsonb(g) ->> 'rngmultitypid')::pg_catalog.int8 = t.oid
        UNION ALL SELECT f.atttypid FROM pg_catalog.pg_attribute f
            WHERE t.typrelid <> 0 AND f.attrelid = t.typrelid AND f.attnum > 0 AND NOT f.attisdropped
    ) x
    WHERE x.typ <> 0
)
SELECT c.relkind, c.relispopulated, c.attname,
    coalesce((SELECT t.typname FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.typ
        WHERE b.attnum = c.attnum AND t.typtype <> 'd' AND t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace), '') AS base,
    coalesce((SELECT t.typname FROM element e JOIN pg_catalog.pg_type t ON t.oid = e.typ
        WHERE e.attnum = c.attnum AND t.typtype <> 'd' AND t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace), '') AS element,
    coalesce((SELECT t.typtype = 'r' FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.typ
        WHERE b.attnum = c.attnum AND t.typtype <> 'd'), false) AS is_range,
    (SELECT pg_catalog.string_agg(DISTINCT t.typname::pg_catalog.text, ',') FROM tree r JOIN pg_catalog.pg_type t ON t.oid = r.typ
        WHERE r.attnum = c.attnum AND t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace
            AND t.typtype = 'b' AND t.typcategory <> 'A') AS inside
FROM columns c
ORDER BY c.attnum
