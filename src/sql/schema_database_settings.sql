-- Encoding and locale of the database that the session is in, whatever the server calls the columns.
-- Parameters: none. Minimum version: 9.5. Rows: one.
SELECT pg_catalog.pg_encoding_to_char(d.encoding),
       j ->> 'datcollate',
       j ->> 'datctype',
       coalesce(j ->> 'datlocprovider', 'c'),
       coalesce(j ->> 'datlocale', j ->> 'daticulocale'),
       j ->> 'daticurules'
FROM pg_catalog.pg_database d, LATERAL pg_catalog.to_jsonb(d) AS j
WHERE d.datname = pg_catalog.current_database()
