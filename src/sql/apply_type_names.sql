-- Names of built-in types, for messages: the same on every server.
-- Parameters: $1 array of type oids, $2 array of type modifiers. Minimum version: 9.5. Rows: one a type, in order.
SELECT CASE WHEN u.type < 10000 THEN pg_catalog.format_type(u.type, u.typmod) ELSE 'a type of its own' END
  FROM ROWS FROM (pg_catalog.unnest($1::oid[]), pg_catalog.unnest($2::int[])) WITH ORDINALITY AS u (type, typmod, pos)
 ORDER BY u.pos
