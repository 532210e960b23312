-- What rows are compared by: the encoding, and what the server's own hash of text makes of a known one.
-- Parameters: none. Minimum version: 11. Rows: one: encoding, hash.
SELECT pg_catalog.pg_encoding_to_char(encoding), pg_catalog.hashtextextended('pgcutover: the same on both sides?' COLLATE "C", 0)
FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()
