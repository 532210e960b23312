-- By which columns a table can be cut into ranges that an index reads: the first column of a B-tree index over all rows, never null.
-- Parameters: $1 oid. Minimum version: 9.5. Rows: a few, the best first: column, its type, the operators < and >= that the index
-- knows, all as they are written; is the table in its order, more or less; pages; what the values of a row t of other than fixed
-- length take, as an expression.
SELECT pg_catalog.quote_ident(a.attname), pg_catalog.format_type(a.atttypid, -1),
       pg_catalog.format('OPERATOR(%I.%s)', ln.nspname, lo.oprname), pg_catalog.format('OPERATOR(%I.%s)', gn.nspname, go.oprname),
       coalesce(pg_catalog.abs(s.correlation), 0) >= 0.5,
       pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::pg_catalog.int8,
       coalesce((SELECT pg_catalog.string_agg(pg_catalog.format('coalesce(pg_catalog.pg_column_size(t.%I), 0)', v.attname), ' + ')
                   FROM pg_catalog.pg_attribute v
                  WHERE v.attrelid = c.oid AND v.attnum > 0 AND NOT v.attisdropped AND v.attlen < 0), '0')
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indrelid AND c.relkind = 'r'
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
  JOIN pg_catalog.pg_am m ON m.oid = ic.relam AND m.amname = 'btree'
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0] AND a.attnotnull
  JOIN pg_catalog.pg_opclass oc ON oc.oid = i.indclass[0]
  JOIN pg_catalog.pg_amop l ON l.amopfamily = oc.opcfamily AND l.amopstrategy = 1
                           AND l.amoplefttype = oc.opcintype AND l.amoprighttype = oc.opcintype
  JOIN pg_catalog.pg_amop g ON g.amopfamily = oc.opcfamily AND g.amopstrategy = 4
                           AND g.amoplefttype = oc.opcintype AND g.amoprighttype = oc.opcintype
  JOIN pg_catalog.pg_operator lo ON lo.oid = l.amopopr JOIN pg_catalog.pg_namespace ln ON ln.oid = lo.oprnamespace
  JOIN pg_catalog.pg_operator go ON go.oid = g.amopopr JOIN pg_catalog.pg_namespace gn ON gn.oid = go.oprnamespace
  LEFT JOIN pg_catalog.pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname AND NOT s.inherited
 WHERE i.indrelid = $1::pg_catalog.oid AND i.indisvalid AND i.indpred IS NULL
 ORDER BY coalesce(s.n_distinct, -1) BETWEEN 0 AND 999, -- few values make coarse ranges
       i.indisprimary DESC, i.indisunique DESC, i.indexrelid
 LIMIT 4
