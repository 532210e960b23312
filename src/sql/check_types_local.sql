-- bad-types: columns whose values mean something on this server alone: object, transaction and row identifiers.
-- Parameters: $1 oids of the picked tables. Minimum version: 9.5. Rows: item.
SELECT pg_catalog.format('%I.%I (%I %s)', n.nspname, c.relname, a.attname, pg_catalog.format_type(a.atttypid, NULL))
FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS picked(oid)
JOIN pg_catalog.pg_class c ON c.oid = picked.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE pg_catalog.regexp_replace(pg_catalog.format_type(a.atttypid, NULL), '\[\]$', '') IN (
    'oid', 'xid', 'xid8', 'cid', 'tid', 'pg_lsn', 'txid_snapshot', 'pg_snapshot', 'regproc', 'regprocedure', 'regoper',
    'regoperator', 'regclass', 'regtype', 'regconfig', 'regdictionary', 'regrole', 'regnamespace', 'regcollation')
ORDER BY n.nspname, c.relname, a.attnum
