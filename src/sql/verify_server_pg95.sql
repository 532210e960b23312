-- What rows are compared by: the encoding. There is no hash of 64 bits yet.
-- Parameters: none. Minimum version: 9.5. Rows: one: encoding, null.
SELECT pg_catalog.pg_encoding_to_char(encoding), null
FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()
