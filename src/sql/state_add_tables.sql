-- Adds the picked tables, many at once.
-- Parameters: $1 json, an array of objects. Minimum version: 9.5. Rows: none.
INSERT INTO pgcutover.tables (source_oid, source_schema, source_table, target_schema, target_table,
                              mode, row_filter, needs_full, est_rows, est_bytes, columns, final_schema,
                              final_table)
SELECT t.oid, t.schema, t.name, t."targetSchema", t."targetName",
       CASE WHEN t."atCutover" THEN 'at-cutover' ELSE 'sync' END, t."where", t."needsFull",
       t."estRows", t."estBytes", t.columns::pg_catalog.text[], t."finalSchema", t."finalName"
FROM pg_catalog.json_to_recordset($1::pg_catalog.json)
    AS t(oid pg_catalog.oid, schema pg_catalog.text, name pg_catalog.text, "targetSchema" pg_catalog.text,
         "targetName" pg_catalog.text, "atCutover" pg_catalog.bool, "where" pg_catalog.text,
         "needsFull" pg_catalog.bool, "estRows" pg_catalog.int8, "estBytes" pg_catalog.int8,
         columns pg_catalog.text, "finalSchema" pg_catalog.text, "finalName" pg_catalog.text)
ON CONFLICT (source_oid) DO NOTHING;
