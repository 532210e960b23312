-- What a table is, as one JSON text: columns by their number, constraints, indexes, partitions. The same on
-- both sides; on the source it is also the body of the function that the event triggers call. Names are
-- qualified as far as an empty search_path (or one of just pg_catalog) makes the server do it.
-- Parameters: $1 oid[]. Minimum version: 10. Rows: one a table; none for what is no table.
SELECT pg_catalog.json_build_object(
    'oid', c.oid::pg_catalog.text,
    'schema', n.nspname,
    'name', c.relname,
    'kind', c.relkind,
    'persistence', c.relpersistence,
    'owner', pg_catalog.pg_get_userbyid(c.relowner),
    'identity', c.relreplident::pg_catalog.text || coalesce((
        SELECT ic.relname FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
        WHERE i.indrelid = c.oid AND i.indisreplident AND c.relreplident = 'i'), ''),
    'usable', CASE c.relreplident WHEN 'f' THEN true WHEN 'n' THEN false ELSE EXISTS (
        SELECT FROM pg_catalog.pg_index i
        WHERE i.indrelid = c.oid AND i.indisvalid AND i.indimmediate
          AND CASE c.relreplident WHEN 'd' THEN i.indisprimary ELSE i.indisreplident END) END,
    'parent', (SELECT pg_catalog.json_build_array(pn.nspname, p.relname)
        FROM pg_catalog.pg_inherits h JOIN pg_catalog.pg_class p ON p.oid = h.inhparent
        JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
        WHERE h.inhrelid = c.oid AND c.relispartition),
    'parentOid', (SELECT h.inhparent::pg_catalog.text FROM pg_catalog.pg_inherits h
        WHERE h.inhrelid = c.oid AND c.relispartition),
    'bound', pg_catalog.pg_get_expr(c.relpartbound, c.oid),
    'key', CASE WHEN c.relkind = 'p' THEN pg_catalog.pg_get_partkeydef(c.oid) END,
    'inherits', (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(pn.nspname, p.relname) ORDER BY h.inhseqno)
        FROM pg_catalog.pg_inherits h JOIN pg_catalog.pg_class p ON p.oid = h.inhparent
        JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
        WHERE h.inhrelid = c.oid AND NOT c.relispartition),
    'partitions', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('oid', p.oid::pg_catalog.text,
            'schema', pn.nspname, 'name', p.relname, 'bound', pg_catalog.pg_get_expr(p.relpartbound, p.oid)) ORDER BY p.oid)
        FROM pg_catalog.pg_inherits h JOIN pg_catalog.pg_class p ON p.oid = h.inhrelid
        JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
        WHERE h.inhparent = c.oid AND c.relkind = 'p'),
    'columns', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
            'num', a.attnum,
            'name', a.attname,
            'type', pg_catalog.format_type(a.atttypid, a.atttypmod),
            'collation', CASE WHEN a.attcollation <> y.typcollation THEN
                (SELECT pg_catalog.format('%I.%I', ln.nspname, l.collname) FROM pg_catalog.pg_collation l
                 JOIN pg_catalog.pg_namespace ln ON ln.oid = l.collnamespace WHERE l.oid = a.attcollation) END,
            'notNull', a.attnotnull,
            'identity', a.attidentity,
            'generated', CASE WHEN a.atthasdef THEN coalesce(pg_catalog.to_jsonb(a) ->> 'attgenerated', '') ELSE '' END,
            'default', pg_catalog.pg_get_expr(d.adbin, d.adrelid),
            'local', a.attislocal) ORDER BY a.attnum)
        FROM pg_catalog.pg_attribute a
        JOIN pg_catalog.pg_type y ON y.oid = a.atttypid
        LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
    'constraints', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
            'oid', k.oid::pg_catalog.text,
            'name', k.conname,
            'type', k.contype,
            'local', CASE WHEN NOT c.relispartition THEN k.conislocal ELSE k.contype = 'c'
                OR k.conislocal AND coalesce(pg_catalog.to_jsonb(k) ->> 'conparentid', '0') = '0' END,
            'valid', k.convalidated,
            'definition', pg_catalog.pg_get_constraintdef(k.oid)) ORDER BY k.contype = 'f', k.oid)
        FROM pg_catalog.pg_constraint k
        WHERE k.conrelid = c.oid AND k.contype IN ('p', 'u', 'x', 'c', 'f')),
    'indexes', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
            'oid', ic.oid::pg_catalog.text,
            'name', ic.relname,
            'valid', i.indisvalid,
            'local', NOT ic.relispartition,
            'unique', i.indisunique,
            'definition', pg_catalog.regexp_replace(pg_catalog.pg_get_indexdef(ic.oid), '^CREATE .*? USING ', '')) ORDER BY ic.oid)
        FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
        WHERE i.indrelid = c.oid
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k
                          WHERE k.conrelid = c.oid AND k.conindid = ic.oid AND k.contype IN ('p', 'u', 'x'))),
    'sequences', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
            'schema', sn.nspname, 'name', s.relname, 'column', a.attname, 'internal', d.deptype = 'i',
            'type', pg_catalog.format_type(q.seqtypid, NULL), 'start', q.seqstart::pg_catalog.text,
            'increment', q.seqincrement::pg_catalog.text, 'min', q.seqmin::pg_catalog.text,
            'max', q.seqmax::pg_catalog.text, 'cache', q.seqcache::pg_catalog.text, 'cycle', q.seqcycle) ORDER BY s.oid)
        FROM pg_catalog.pg_depend d
        JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
        JOIN pg_catalog.pg_namespace sn ON sn.oid = s.relnamespace
        JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.oid
        JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
        WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
          AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
          AND d.refobjid = c.oid AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i'))
    )::pg_catalog.text
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ANY ($1::pg_catalog.oid[]) AND c.relkind IN ('r', 'p')
