-- A foreign key as the server has it now.
-- Parameters: its OID in pg_constraint. Minimum version: 9.5. Rows: one, none when it is gone: statement that adds it, statement that
-- validates it, is it validated, is either table partitioned; schema, table and name; pages of the referencing table; query that
-- counts rows without partner and lists the first five (null where the key compares otherwise than by equality).
SELECT pg_catalog.format('ALTER TABLE %s%I.%I ADD CONSTRAINT %I %s', CASE WHEN c.relkind = 'p' THEN '' ELSE 'ONLY ' END,
                         n.nspname, c.relname, k.conname, pg_catalog.pg_get_constraintdef(k.oid)),
       pg_catalog.format('ALTER TABLE %I.%I VALIDATE CONSTRAINT %I', n.nspname, c.relname, k.conname),
       k.convalidated, c.relkind = 'p' OR f.relkind = 'p', n.nspname, c.relname, k.conname,
       c.relpages,
       CASE WHEN coalesce(pg_catalog.to_jsonb(k) ->> 'conperiod', 'false') = 'false' THEN
           pg_catalog.format('SELECT pg_catalog.count(*), (SELECT pg_catalog.string_agg(x.r, '', '') FROM (SELECT ROW(%1$s)::pg_catalog.text '
                             'AS r FROM %2$s r WHERE %3$s LIMIT 5) x) FROM %2$s r WHERE %3$s', keys.own,
                             pg_catalog.format('%s%I.%I', CASE WHEN c.relkind = 'p' THEN '' ELSE 'ONLY ' END, n.nspname, c.relname),
                             pg_catalog.format('%s AND NOT EXISTS (SELECT FROM %s%I.%I p WHERE %s)',
                                               CASE k.confmatchtype WHEN 'f' THEN keys.any_given ELSE keys.all_given END,
                                               CASE WHEN f.relkind = 'p' THEN '' ELSE 'ONLY ' END, fn.nspname, f.relname, keys.equal)) END
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_class f ON f.oid = k.confrelid
JOIN pg_catalog.pg_namespace fn ON fn.oid = f.relnamespace
CROSS JOIN LATERAL (
    SELECT pg_catalog.string_agg(pg_catalog.format('r.%I', a.attname), ', ' ORDER BY u.place) AS own,
           pg_catalog.string_agg(pg_catalog.format('r.%I IS NOT NULL', a.attname), ' AND ' ORDER BY u.place) AS all_given,
           '(' || pg_catalog.string_agg(pg_catalog.format('r.%I IS NOT NULL', a.attname), ' OR ' ORDER BY u.place) || ')' AS any_given,
           pg_catalog.string_agg(pg_catalog.format('p.%I OPERATOR(%I.%s) r.%I', b.attname, o_n.nspname, o.oprname, a.attname), ' AND '
                                 ORDER BY u.place) AS equal
    FROM ROWS FROM (pg_catalog.unnest(k.conkey), pg_catalog.unnest(k.confkey), pg_catalog.unnest(k.conpfeqop))
        WITH ORDINALITY AS u (own, other, operator, place)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.own
    JOIN pg_catalog.pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = u.other
    JOIN pg_catalog.pg_operator o ON o.oid = u.operator
    JOIN pg_catalog.pg_namespace o_n ON o_n.oid = o.oprnamespace) keys
WHERE k.oid = $1::oid AND k.contype = 'f'
