-- The columns that a plan lists, by the names that they have now.
-- Parameters: $1 source oid, $2 definition before, $3 definition after. Minimum version: 9.5. Rows: none.
UPDATE pgcutover.tables t
   SET columns = (SELECT pg_catalog.array_agg(coalesce(n.value ->> 'name', c.name) ORDER BY c.place)
                    FROM pg_catalog.unnest(t.columns) WITH ORDINALITY c (name, place)
                    LEFT JOIN pg_catalog.json_array_elements($2::pg_catalog.json -> 'columns') o (value)
                           ON o.value ->> 'name' = c.name
                    LEFT JOIN pg_catalog.json_array_elements($3::pg_catalog.json -> 'columns') n (value)
                           ON n.value ->> 'num' = o.value ->> 'num')
 WHERE t.source_oid = $1::pg_catalog.oid AND t.columns IS NOT NULL
