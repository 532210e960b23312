-- The server, the database and us. No function gives the system identifier yet.
-- Parameters: none. Minimum version: 9.5. Rows: one; texts first, in the order of take_server().
SELECT pg_catalog.version(),
       '',
       pg_catalog.pg_postmaster_start_time(),
       d.datname,
       pg_catalog.pg_encoding_to_char(d.encoding),
       d.datcollate,
       d.datctype,
       current_user,
       pg_catalog.pg_is_in_recovery(),
       r.rolsuper,
       r.rolreplication,
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_largeobject_metadata)
FROM pg_catalog.pg_database d, pg_catalog.pg_roles r
WHERE d.datname = pg_catalog.current_database() AND r.rolname = current_user
