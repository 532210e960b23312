-- The unique indexes of a table that name one row at any time: valid, immediate, whole, over NOT NULL
-- columns; with the equality operator of each column's operator family.
-- Parameters: $1 table oid. Minimum version: 9.5. Rows, by index and position: index name, is primary
-- key, column name, operator, collation where it is not the column's own, are two keys the same exactly when
-- their texts are (types with one spelling of a value, and collations that tell all texts apart).
SELECT ic.relname, i.indisprimary, a.attname,
       pg_catalog.format('OPERATOR(%I.%s)', onsp.nspname, o.oprname),
       CASE WHEN co.oid IS NOT NULL AND co.oid <> a.attcollation
            THEN pg_catalog.format('%I.%I', cn.nspname, co.collname) END,
       (y.typtype = 'e' OR a.atttypid IN ('pg_catalog.bool'::pg_catalog.regtype, 'pg_catalog.bytea'::pg_catalog.regtype, 'pg_catalog."char"'::pg_catalog.regtype, 'pg_catalog.int2'::pg_catalog.regtype,
            'pg_catalog.int4'::pg_catalog.regtype, 'pg_catalog.int8'::pg_catalog.regtype, 'pg_catalog.oid'::pg_catalog.regtype, 'pg_catalog.text'::pg_catalog.regtype, 'pg_catalog.varchar'::pg_catalog.regtype, 'pg_catalog.name'::pg_catalog.regtype, 'pg_catalog.uuid'::pg_catalog.regtype,
            'pg_catalog.date'::pg_catalog.regtype, 'pg_catalog.timestamp'::pg_catalog.regtype, 'pg_catalog.timestamptz'::pg_catalog.regtype, 'pg_catalog.pg_lsn'::pg_catalog.regtype))
       AND coalesce((pg_catalog.to_jsonb(co) ->> 'collisdeterministic')::boolean, true)
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
  CROSS JOIN LATERAL (SELECT coalesce((pg_catalog.to_jsonb(i) ->> 'indnkeyatts')::int, i.indnatts::int)) k(count)
  CROSS JOIN LATERAL pg_catalog.generate_series(0, k.count - 1) p(pos)
  JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[p.pos]
  JOIN pg_catalog.pg_opclass oc ON oc.oid = i.indclass[p.pos]
  JOIN pg_catalog.pg_amop ao ON ao.amopfamily = oc.opcfamily AND ao.amopstrategy = 3
       AND ao.amoplefttype = oc.opcintype AND ao.amoprighttype = oc.opcintype
  JOIN pg_catalog.pg_operator o ON o.oid = ao.amopopr
  JOIN pg_catalog.pg_namespace onsp ON onsp.oid = o.oprnamespace
  JOIN pg_catalog.pg_type y ON y.oid = a.atttypid
  LEFT JOIN pg_catalog.pg_collation co ON co.oid = i.indcollation[p.pos]
  LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace
 WHERE i.indrelid = $1::oid AND i.indisunique AND i.indisvalid AND i.indimmediate
   AND i.indpred IS NULL AND i.indexprs IS NULL
   AND NOT EXISTS (SELECT FROM pg_catalog.generate_series(0, k.count - 1) q(pos)
                     JOIN pg_catalog.pg_attribute b ON b.attrelid = i.indrelid AND b.attnum = i.indkey[q.pos]
                    WHERE NOT b.attnotnull)
 ORDER BY i.indisprimary DESC, i.indexrelid, p.pos
