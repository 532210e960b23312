-- Many relations and their columns, in order; a relation without columns gives one row with a null name.
-- Catalog rows are read by the transaction's snapshot; to_regclass, pg_relation_filenode and
-- pg_relation_size see the present: a table that was rewritten (ALTER TABLE ... TYPE) or truncated since the
-- snapshot looks empty to it, without an error.
-- Parameters: $1 oid[] (null: by name), $2 schemas text[], $3 names text[], $4 text[]: the columns
-- wanted, each a text[] literal ('': all); of one length. Minimum version: 9.6 (attgenerated is read
-- where it exists, from 12 on). Rows: number from 1, oid (null: none such),
-- relkind, referenced by another table's foreign key, has still the name, has still the storage, has pages,
-- filenode, column name, generated ('', s, v), type oid.
SELECT t.n, c.oid, c.relkind,
    EXISTS (SELECT FROM pg_catalog.pg_constraint k
        WHERE k.confrelid = c.oid AND k.contype = 'f' AND k.conrelid <> c.oid),
    pg_catalog.to_regclass(pg_catalog.format('%I.%I', t.schema, t.name)) IS NOT DISTINCT FROM
        c.oid::pg_catalog.regclass,
    c.relfilenode = 0 OR c.relfilenode IS NOT DISTINCT FROM pg_catalog.pg_relation_filenode(c.oid),
    c.relkind NOT IN ('r', 'm') OR pg_catalog.pg_relation_size(c.oid) > 0,
    c.relfilenode,
    a.attname,
    coalesce(pg_catalog.to_jsonb(a) ->> 'attgenerated', ''),
    a.atttypid
FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.oid[]), pg_catalog.unnest($2::pg_catalog.text[]),
    pg_catalog.unnest($3::pg_catalog.text[]), pg_catalog.unnest($4::pg_catalog.text[]))
    WITH ORDINALITY AS t (oid, schema, name, columns, n)
LEFT JOIN pg_catalog.pg_class c ON c.oid = coalesce(t.oid,
    (SELECT k.oid FROM pg_catalog.pg_class k JOIN pg_catalog.pg_namespace s ON s.oid = k.relnamespace
     WHERE s.nspname = t.schema AND k.relname = t.name))
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    AND (t.columns = '' OR a.attname = ANY (nullif(t.columns, '')::pg_catalog.text[]))
ORDER BY t.n, a.attnum
