-- ddl-log: publications of all tables. The log of schema changes is a table: their subscribers, which do not have
-- it, would stop with an error.
-- Parameters: none. Minimum version: 10. Rows: item; none where there is no such publication.
SELECT pg_catalog.quote_ident(p.pubname)
  FROM pg_catalog.pg_publication p
 WHERE p.puballtables
 ORDER BY 1
