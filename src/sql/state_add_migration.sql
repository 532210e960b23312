-- Names the migration in a new state schema.
-- Parameters: $1 id, $2 name, $3 system identifier of the source, $4 source database, $5 slot (and publication).
-- Minimum version: 9.5. Rows: none.
INSERT INTO pgcutover.migration (id, name, source_system, source_database, slot_name, publication)
VALUES ($1, $2, $3, $4, $5, $5);
