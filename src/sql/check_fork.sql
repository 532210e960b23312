-- fork: a product made from PostgreSQL, whose decoding and locks may differ.
-- Parameters: none. Minimum version: 9.5. Rows: item.
SELECT pg_catalog.version()
WHERE pg_catalog.version() ~* 'yugabyte|cockroach|redshift|greenplum|enterprisedb|xl 9|agens'
