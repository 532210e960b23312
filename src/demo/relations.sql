-- What holds data, each with a statement that gives its rows and a digest of all of them (tables and
-- materialized views: each row as text, sorted), or its state (sequences).
-- No parameters, PostgreSQL 10 and later. Rows: kind r, m or S; name; statement.
SELECT c.relkind::text, pg_catalog.format('%I.%I', n.nspname, c.relname),
    CASE WHEN c.relkind = 'S'
    THEN pg_catalog.format('SELECT 0, last_value || CASE WHEN is_called THEN '''' ELSE '' (not called)'' END FROM %I.%I',
        n.nspname, c.relname)
    ELSE pg_catalog.format('SELECT pg_catalog.count(*), coalesce(pg_catalog.md5(pg_catalog.string_agg(d, '','' ORDER BY d COLLATE pg_catalog."C")), ''-'')'
        ' FROM (SELECT pg_catalog.md5(ROW(%s)::text) AS d FROM ONLY %I.%I) x',
        (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ',' ORDER BY a.attname::text COLLATE pg_catalog."C")
         FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
        n.nspname, c.relname)
    END
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm', 'S') AND c.relpersistence <> 't'
    AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'pgcutover')
ORDER BY 2
