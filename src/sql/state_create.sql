-- The state schema on the target: what has been applied, committed together with the data.
-- Parameters: none. Minimum version: 9.5. Rows: none.
CREATE SCHEMA pgcutover;
COMMENT ON SCHEMA pgcutover IS 'state of a running pgcutover migration; removed at its end';

CREATE TABLE pgcutover.migration (
    id text PRIMARY KEY,            -- the migration's identity, made once
    name text NOT NULL,
    source_system text NOT NULL,    -- system identifier of the source cluster
    source_database text NOT NULL,
    slot_name text NOT NULL,
    publication text NOT NULL,
    on_error text NOT NULL DEFAULT 'stop', -- a refused statement of the schema: stop | skip-and-report
    start_lsn pg_lsn,               -- consistent point of the main slot: apply begins here
    server_started timestamptz,     -- the target's own start, when its unlogged tables were compared in the cutover
    created timestamptz NOT NULL DEFAULT pg_catalog.now()
);

CREATE TABLE pgcutover.tables (
    source_oid oid PRIMARY KEY,
    source_schema text NOT NULL,
    source_table text NOT NULL,
    target_schema text NOT NULL,
    target_table text NOT NULL,
    mode text NOT NULL,             -- sync | at-cutover | dropped | removed
    row_filter text,
    needs_full boolean NOT NULL DEFAULT false, -- replica identity was set to FULL for the migration
    est_rows bigint NOT NULL DEFAULT 0,
    est_bytes bigint NOT NULL DEFAULT 0,
    epoch_lsn pg_lsn,               -- set by the transaction that loaded the table
    loaded boolean NOT NULL DEFAULT false,
    rows_loaded bigint NOT NULL DEFAULT 0,
    bytes_loaded bigint NOT NULL DEFAULT 0,
    load_started timestamptz,
    load_ended timestamptz,
    storage oid,                    -- pg_class.relfilenode on the source when it was loaded
    indexed boolean NOT NULL DEFAULT false,
    inserts bigint NOT NULL DEFAULT 0,
    updates bigint NOT NULL DEFAULT 0,
    deletes bigint NOT NULL DEFAULT 0,
    truncates bigint NOT NULL DEFAULT 0,
    columns text[],                 -- those that are copied; NULL: all
    final_schema text,              -- its name from the target's opening on; NULL: as target_schema
    final_table text,
    -- Detached tables: the stream passes over them. Their changes from behind_lsn on are still in the spool,
    -- and are brought over in a pass of their own while stopped is null.
    behind_lsn pg_lsn,
    stopped json                    -- the error that has to be mended first
) WITH (fillfactor = 50);

CREATE TABLE pgcutover.parts (      -- of large tables, which are copied by ranges of pages or of a key
    source_oid oid NOT NULL,
    part integer NOT NULL,          -- from 0
    snapshot text NOT NULL,         -- all parts are read under the same one
    condition text NOT NULL,        -- which of the source's rows; each fulfils that of one part
    copied boolean NOT NULL DEFAULT false, -- set by the transaction that copied it
    rows_loaded bigint NOT NULL DEFAULT 0,
    bytes_loaded bigint NOT NULL DEFAULT 0,
    started timestamptz,
    PRIMARY KEY (source_oid, part)
);

CREATE TABLE pgcutover.conflicts (  -- changes that did not fit the target's rows
    id bigserial PRIMARY KEY,
    source_oid oid NOT NULL,        -- the table, as in pgcutover.tables
    kind text NOT NULL,             -- INSERT | UPDATE | DELETE | TRUNCATE
    key text,                       -- what the row is found by: "(id)=(5)"
    row_values json,                -- of the change, as text, by column; null where it is not one row's
    resolution text NOT NULL,       -- stopped | skipped | upserted
    sqlstate text,
    message text NOT NULL,
    commit_lsn pg_lsn,              -- of the source transaction
    xid bigint,
    occurred timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
CREATE INDEX conflicts_by_table ON pgcutover.conflicts (source_oid);

CREATE TABLE pgcutover.progress (
    lane integer PRIMARY KEY,
    commit_lsn pg_lsn NOT NULL,     -- of the last source transaction applied
    end_lsn pg_lsn NOT NULL,        -- end of its commit record
    commit_time timestamptz,
    -- Of lanes beside lane 0, which commits last, how the group was spread: one that is ahead of lane 0 was
    -- committed by half, and the rest of it is made again in the same way.
    lanes integer,
    ordered oid[]                   -- tables that went to one lane each
) WITH (fillfactor = 10);

CREATE TABLE pgcutover.objects (
    dump_id integer PRIMARY KEY,    -- pg_dump's number, which depends refers to
    position integer NOT NULL,      -- pg_restore's order: statements are applied in it
    class_oid oid NOT NULL,
    object_oid oid NOT NULL,        -- on the source
    object_type text NOT NULL,      -- pg_dump's word: TABLE, INDEX, FK CONSTRAINT, ...
    object_schema text,
    object_name text NOT NULL,
    object_owner text,
    table_oid oid,                  -- source table it belongs to, where known
    by_table boolean NOT NULL DEFAULT false, -- applied by its table's own index job
    phase text NOT NULL,            -- pre | after | index | foreign-key | post | held | held-key
    depends integer[] NOT NULL DEFAULT '{}',
    statement text NOT NULL,
    state text NOT NULL DEFAULT 'pending',  -- pending | built (a constraint's index) | applied | failed | skipped
    sqlstate text,
    message text,
    -- Why it is not what the source has: skip, edit (the plan says so), on-error (refused, and the plan goes on),
    -- harmless (refused, and nothing is lost).
    decision text,
    original text,                  -- what statement was before the edit
    key json                        -- a foreign key that the target had: the row of schema_foreign_key.sql
);
CREATE INDEX objects_by_table ON pgcutover.objects (table_oid, phase);
CREATE INDEX objects_by_phase ON pgcutover.objects (phase, position);

CREATE TABLE pgcutover.identity (   -- GENERATED ALWAYS columns that are BY DEFAULT for the time being
    table_schema text NOT NULL,
    table_name text NOT NULL,
    column_name text NOT NULL,
    PRIMARY KEY (table_schema, table_name, column_name)
);

CREATE TABLE pgcutover.text_columns ( -- columns that are text until the cutover
    table_oid oid NOT NULL,
    attnum integer NOT NULL,
    type text NOT NULL,             -- what it was
    PRIMARY KEY (table_oid, attnum)
);

CREATE TABLE pgcutover.definitions ( -- the source's tables as the target has them by now (ddl_definition.sql)
    source_oid oid PRIMARY KEY,      -- picked tables, and the partitioned tables above them
    definition text NOT NULL
);
