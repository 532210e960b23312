-- The types that the tables' columns have, and those that they are made of, as far as COPY's binary form is
-- concerned.
-- Parameters: none. Minimum version: 9.5. Rows: oid, kind (a array, d domain, e enum, r range, m multirange,
-- c composite, b base), name for people, extension that it belongs to (may be null), and the OIDs of what it
-- is made of, in order, separated by blanks.
WITH RECURSIVE used (oid) AS (
    SELECT DISTINCT a.atttypid
    FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
    WHERE c.relkind IN ('r', 'p') AND c.oid >= 16384 AND a.attnum > 0 AND NOT a.attisdropped
    UNION
    SELECT part.oid
    FROM used u
    JOIN pg_catalog.pg_type t ON t.oid = u.oid
    CROSS JOIN LATERAL (
        SELECT t.typbasetype AS oid WHERE t.typtype = 'd'
        UNION ALL
        SELECT t.typelem WHERE t.typsend = 'pg_catalog.array_send'::pg_catalog.regproc
        UNION ALL
        SELECT r.rngsubtype FROM pg_catalog.pg_range r
        WHERE r.rngtypid = t.oid OR pg_catalog.to_jsonb(r) ->> 'rngmultitypid' = t.oid::pg_catalog.text
        UNION ALL
        SELECT a.atttypid FROM pg_catalog.pg_attribute a
        WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
    ) AS part
)
SELECT t.oid,
    CASE WHEN t.typsend = 'pg_catalog.array_send'::pg_catalog.regproc THEN 'a' ELSE t.typtype::pg_catalog.text END,
    pg_catalog.format_type(t.oid, NULL),
    (SELECT e.extname FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
     WHERE d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND d.objid = t.oid
        AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e' LIMIT 1),
    CASE
        WHEN t.typtype = 'd' THEN t.typbasetype::pg_catalog.text
        WHEN t.typsend = 'pg_catalog.array_send'::pg_catalog.regproc THEN t.typelem::pg_catalog.text
        WHEN t.typtype IN ('r', 'm') THEN
            (SELECT r.rngsubtype::pg_catalog.text FROM pg_catalog.pg_range r
             WHERE r.rngtypid = t.oid OR pg_catalog.to_jsonb(r) ->> 'rngmultitypid' = t.oid::pg_catalog.text)
        WHEN t.typtype = 'c' THEN
            (SELECT pg_catalog.string_agg(a.atttypid::pg_catalog.text, ' ' ORDER BY a.attnum)
             FROM pg_catalog.pg_attribute a
             WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped)
    END
FROM used u
JOIN pg_catalog.pg_type t ON t.oid = u.oid
