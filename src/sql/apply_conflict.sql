-- Keeps a change that did not fit, in the transaction that goes on without it or in its place.
-- Parameters: $1 source oid, $2 kind, $3 key, $4 values as JSON, $5 resolution, $6 SQLSTATE, $7 message,
-- $8 commit LSN, $9 xid. Minimum version: 9.5. Rows: none.
INSERT INTO pgcutover.conflicts (source_oid, kind, key, row_values, resolution, sqlstate, message, commit_lsn, xid)
VALUES ($1::oid, $2, $3, $4::json, $5, $6, $7, $8::pg_lsn, $9::bigint)
