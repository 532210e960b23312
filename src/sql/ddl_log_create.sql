-- The log of schema changes on the source: a table that is published with the others, and event triggers that
-- write into it, so that a change comes in place in the stream. :"log" is the name of its schema, and of the
-- publication and of an event trigger, with a letter behind it of the two others; :definition and :type are
-- ddl_definition.sql and ddl_type.sql.
--
-- The application's statement comes first: whatever fails in here is written to the server's log and leaves
-- the statement alone. Such a change is then noticed from the stream (Relation messages) or from the
-- catalogs. The functions belong to who made them and run as such, with a search_path that holds nothing of others.
-- Parameters: none. Minimum version: 10. Rows: none.
CREATE SCHEMA :"log";
COMMENT ON SCHEMA :"log" IS 'log of schema changes of a running pgcutover migration; removed at its end';

CREATE TABLE :"log".ddl (entry pg_catalog.text NOT NULL);

-- Which tables are picked by the plan, as patterns for LIKE.
CREATE TABLE :"log".pick (included pg_catalog.bool NOT NULL, schema_like pg_catalog.text NOT NULL,
                          name_like pg_catalog.text NOT NULL);

CREATE FUNCTION :"log".definition(pg_catalog.oid[]) RETURNS pg_catalog.text LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $body$
:definition
$body$;

CREATE FUNCTION :"log".type_definition(pg_catalog.oid) RETURNS pg_catalog.text LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $body$
:type
$body$;

-- The values that rows from before a column have in it, by column: what ADD COLUMN ... DEFAULT gave them (from
-- 11 on, where it did not write them all). Of a partitioned table: those of its first partition.
CREATE FUNCTION :"log".missing(relation pg_catalog.oid) RETURNS pg_catalog.json LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO, MDY' SET intervalstyle = 'postgres'
SET extra_float_digits = 3 SET bytea_output = 'hex' SET lc_monetary = 'C' AS $body$
DECLARE
    leaf oid := relation;
    below oid := relation;
BEGIN
    IF current_setting('server_version_num')::int < 110000 THEN
        RETURN NULL;
    END IF;
    WHILE below IS NOT NULL LOOP
        leaf := below;
        SELECT min(h.inhrelid) INTO below FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhparent
            WHERE h.inhparent = leaf AND c.relkind = 'p';
    END LOOP;
    RETURN (SELECT json_object_agg(a.attname, (a.attmissingval::text::text[])[1]) FROM pg_attribute a
            WHERE a.attrelid = leaf AND a.atthasmissing AND NOT a.attisdropped);
END
$body$;

-- A partition stands and falls with the tables above it.
CREATE FUNCTION :"log".is_picked(relation pg_catalog.oid) RETURNS pg_catalog.bool LANGUAGE sql STABLE
SET search_path = pg_catalog, :"log", pg_temp AS $body$
WITH RECURSIVE line AS (
    SELECT c.oid, c.relispartition, n.nspname, c.relname
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = relation
    UNION ALL
    SELECT c.oid, c.relispartition, n.nspname, c.relname
    FROM line l JOIN pg_inherits h ON h.inhrelid = l.oid AND l.relispartition
    JOIN pg_class c ON c.oid = h.inhparent JOIN pg_namespace n ON n.oid = c.relnamespace)
SELECT coalesce(bool_or(p.included) AND NOT bool_or(NOT p.included), false)
FROM line l JOIN pick p ON l.nspname LIKE p.schema_like AND l.relname LIKE p.name_like
WHERE l.nspname !~ '^(pg_|pgcutover(_|$))' AND l.nspname <> 'information_schema'
$body$;

-- A picked table that is there with all its rows from here on joins the publication. One that could not be
-- updated any more because it is published (its key is gone) leaves it. Returns whether it is published now.
CREATE FUNCTION :"log".publish(relation pg_catalog.oid, usable pg_catalog.bool, created pg_catalog.bool)
RETURNS pg_catalog.bool LANGUAGE plpgsql
SET search_path = pg_catalog, :"log", pg_temp AS $body$
DECLARE
    publication name := (SELECT n.nspname FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid
                         WHERE c.oid = 'ddl'::regclass);
    is_member bool := EXISTS (SELECT FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
                              WHERE r.prrelid = relation AND p.pubname = publication);
    holds_rows bool := false;
BEGIN
    IF is_member AND NOT usable THEN
        EXECUTE format('ALTER PUBLICATION %I DROP TABLE ONLY %s', publication, relation::regclass);
        RETURN false;
    END IF;
    IF is_member OR NOT usable OR NOT is_picked(relation) OR NOT EXISTS (
        SELECT FROM pg_class c WHERE c.oid = relation AND c.relkind = 'r' AND c.relpersistence = 'p') THEN
        RETURN is_member;
    END IF;
    -- Nobody else can have rows in it only where nobody else can have seen it, or can now.
    IF NOT created AND (current_setting('transaction_isolation') <> 'read committed' OR NOT EXISTS (
        SELECT FROM pg_locks l WHERE l.pid = pg_backend_pid() AND l.relation = publish.relation
            AND l.mode = 'AccessExclusiveLock' AND l.granted)) THEN
        RETURN false;
    END IF;
    EXECUTE format('SELECT EXISTS (SELECT FROM ONLY %s)', relation::regclass) INTO holds_rows;
    IF holds_rows THEN
        RETURN false;
    END IF;
    EXECUTE format('ALTER PUBLICATION %I ADD TABLE ONLY %s', publication, relation::regclass);
    RETURN true;
EXCEPTION WHEN OTHERS THEN
    RAISE LOG 'pgcutover: publication of %: %', relation::regclass, SQLERRM;
    RETURN false;
END
$body$;

CREATE FUNCTION :"log".tables(relations pg_catalog.oid[], created pg_catalog.oid[])
RETURNS pg_catalog.json LANGUAGE plpgsql
SET search_path = pg_catalog, :"log", pg_temp AS $body$
DECLARE
    items json[];
    relation oid;
    whole json;
BEGIN
    FOREACH relation IN ARRAY coalesce(relations, '{}') LOOP
        whole := definition(ARRAY[relation]);
        CONTINUE WHEN whole IS NULL;
        items := items || json_build_object(
            'published', publish(relation, (whole ->> 'usable')::bool, coalesce(relation = ANY (created), false)),
            'picked', is_picked(relation), 'created', coalesce(relation = ANY (created), false),
            'missing', missing(relation), 'definition', whole);
    END LOOP;
    RETURN array_to_json(items);
END
$body$;

-- What the session's own settings are, which conversions depend on: not those of these functions.
CREATE FUNCTION :"log".common(event pg_catalog.text, tag pg_catalog.text) RETURNS pg_catalog.jsonb
LANGUAGE sql STABLE AS $body$
SELECT pg_catalog.jsonb_build_object('event', event, 'tag', tag,
    'query', pg_catalog."left"(pg_catalog.current_query(), 65536), 'user', session_user,
    'settings', (SELECT pg_catalog.jsonb_object_agg(s.name, pg_catalog.current_setting(s.name))
        FROM pg_catalog.unnest('{TimeZone,DateStyle,IntervalStyle,extra_float_digits,bytea_output}'::pg_catalog.text[]) s(name)))
$body$;

CREATE FUNCTION :"log".on_command() RETURNS pg_catalog.event_trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, :"log", pg_temp AS $body$
DECLARE
    relations oid[];
    created oid[];
    types json;
    sequences json;
    others json;
    rewritten text := current_setting('pgcutover.rewritten', true);
BEGIN
    SELECT array_agg(DISTINCT t.oid), array_agg(DISTINCT t.oid) FILTER (WHERE t.created)
    INTO relations, created
    FROM (SELECT c.oid, d.command_tag IN ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO') AS created
          FROM pg_event_trigger_ddl_commands() d
          JOIN pg_class c ON c.oid = CASE d.classid
              WHEN 'pg_class'::regclass THEN coalesce((SELECT i.indrelid FROM pg_index i WHERE i.indexrelid = d.objid), d.objid)
              WHEN 'pg_constraint'::regclass THEN (SELECT k.conrelid FROM pg_constraint k WHERE k.oid = d.objid) END
          WHERE NOT d.in_extension AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
          UNION ALL
          SELECT c.oid, false
          FROM pg_event_trigger_ddl_commands() d
          JOIN pg_class c ON c.relnamespace = d.objid AND c.relkind IN ('r', 'p')
          WHERE d.classid = 'pg_namespace'::regclass AND d.command_tag = 'ALTER SCHEMA') t;
    SELECT json_agg(t.definition::json) INTO types
    FROM (SELECT type_definition(d.objid) FROM pg_event_trigger_ddl_commands() d
          WHERE d.classid = 'pg_type'::regclass AND NOT d.in_extension) t(definition)
    WHERE t.definition IS NOT NULL;
    -- Those of identity columns and of serial ones come with their tables.
    SELECT json_agg(json_build_object('schema', n.nspname, 'name', c.relname, 'type', format_type(q.seqtypid, NULL),
               'start', q.seqstart::text, 'increment', q.seqincrement::text, 'min', q.seqmin::text,
               'max', q.seqmax::text, 'cache', q.seqcache::text, 'cycle', q.seqcycle)) INTO sequences
    FROM pg_event_trigger_ddl_commands() d
    JOIN pg_sequence q ON q.seqrelid = d.objid AND d.classid = 'pg_class'::regclass
    JOIN pg_class c ON c.oid = d.objid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE d.command_tag = 'CREATE SEQUENCE' AND NOT d.in_extension AND c.relpersistence <> 't' AND n.nspname <> 'pgcutover'
      AND NOT EXISTS (SELECT FROM pg_depend o WHERE o.classid = d.classid AND o.objid = d.objid AND o.deptype IN ('a', 'i')
                      AND o.refclassid = d.classid);
    SELECT json_agg(json_build_object('type', d.object_type, 'tag', d.command_tag, 'identity', d.object_identity)) INTO others
    FROM pg_event_trigger_ddl_commands() d
    LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
    WHERE NOT d.in_extension AND d.schema_name IS DISTINCT FROM 'pg_temp'
      AND d.schema_name IS DISTINCT FROM 'pgcutover' AND d.object_identity <> 'pgcutover'
      AND (c.oid IS NULL OR c.relkind NOT IN ('r', 'p', 'i', 'I') AND c.relpersistence <> 't')
      AND d.command_tag <> 'CREATE SEQUENCE'
      AND d.classid NOT IN ('pg_type'::regclass, 'pg_constraint'::regclass, 'pg_attrdef'::regclass);
    IF relations IS NULL AND types IS NULL AND sequences IS NULL AND others IS NULL THEN
        RETURN;
    END IF;
    INSERT INTO ddl SELECT (common('command', tg_tag) || jsonb_build_object(
        'tables', tables(relations, created), 'types', types, 'sequences', sequences, 'others', others, 'rewritten', rewritten))::text;
    IF rewritten <> '' THEN
        PERFORM set_config('pgcutover.rewritten', '', true);
    END IF;
EXCEPTION WHEN OTHERS THEN
    RAISE LOG 'pgcutover: log of %: %', tg_tag, SQLERRM;
END
$body$;

CREATE FUNCTION :"log".on_drop() RETURNS pg_catalog.event_trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, :"log", pg_temp AS $body$
DECLARE
    relations oid[];
    dropped json;
BEGIN
    SELECT json_agg(json_build_object('type', d.object_type, 'oid', d.objid::text, 'schema', d.schema_name,
               'name', coalesce(d.object_name, d.address_names[array_upper(d.address_names, 1)]),
               'names', d.address_names, 'original', d.original) ORDER BY d.original DESC)
    INTO dropped
    FROM pg_event_trigger_dropped_objects() d
    WHERE NOT d.is_temporary AND d.schema_name IS DISTINCT FROM 'pg_toast'
      -- The state of a migration into this database, as of the way back: the target has one of its own.
      AND d.address_names[1] IS DISTINCT FROM 'pgcutover'
      AND d.object_type IN ('table', 'sequence', 'view', 'materialized view', 'index', 'type', 'schema', 'table constraint');
    SELECT array_agg(DISTINCT c.oid) INTO relations
    FROM pg_event_trigger_dropped_objects() d
    JOIN pg_class c ON c.oid = CASE d.object_type WHEN 'table column' THEN d.objid WHEN 'table constraint'
        THEN to_regclass(format('%I.%I', d.address_names[1], d.address_names[2])) END
    WHERE NOT d.is_temporary AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't';
    IF dropped IS NULL AND relations IS NULL THEN
        RETURN;
    END IF;
    INSERT INTO ddl SELECT (common('drop', tg_tag) || jsonb_build_object(
        'dropped', dropped, 'tables', tables(relations, '{}'), 'rewritten', current_setting('pgcutover.rewritten', true)))::text;
EXCEPTION WHEN OTHERS THEN
    RAISE LOG 'pgcutover: log of %: %', tg_tag, SQLERRM;
END
$body$;

-- The rewrite comes before the end of its command: it is noted for that. A subtransaction that is rolled back
-- takes the note with it.
CREATE FUNCTION :"log".on_rewrite() RETURNS pg_catalog.event_trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    PERFORM set_config('pgcutover.rewritten', format('%s%s:%s ', current_setting('pgcutover.rewritten', true),
        pg_event_trigger_table_rewrite_oid()::oid, pg_event_trigger_table_rewrite_reason()), true);
EXCEPTION WHEN OTHERS THEN
    RAISE LOG 'pgcutover: log of a rewrite: %', SQLERRM;
END
$body$;

ALTER PUBLICATION :"log" ADD TABLE ONLY :"log".ddl;

CREATE EVENT TRIGGER :"log_d" ON sql_drop EXECUTE PROCEDURE :"log".on_drop();
CREATE EVENT TRIGGER :"log_r" ON table_rewrite EXECUTE PROCEDURE :"log".on_rewrite();
CREATE EVENT TRIGGER :"log" ON ddl_command_end
    WHEN TAG IN ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'ALTER TABLE', 'CREATE INDEX', 'ALTER INDEX',
                 'CREATE SCHEMA', 'ALTER SCHEMA', 'CREATE TYPE', 'ALTER TYPE', 'CREATE DOMAIN', 'ALTER DOMAIN',
                 'CREATE SEQUENCE', 'ALTER SEQUENCE', 'CREATE VIEW', 'ALTER VIEW', 'CREATE MATERIALIZED VIEW',
                 'ALTER MATERIALIZED VIEW', 'CREATE FUNCTION', 'ALTER FUNCTION', 'CREATE TRIGGER', 'ALTER TRIGGER',
                 'CREATE RULE', 'ALTER RULE', 'CREATE POLICY', 'ALTER POLICY', 'CREATE EXTENSION')
    EXECUTE PROCEDURE :"log".on_command();
ALTER EVENT TRIGGER :"log_d" ENABLE ALWAYS;
ALTER EVENT TRIGGER :"log_r" ENABLE ALWAYS;
ALTER EVENT TRIGGER :"log" ENABLE ALWAYS;
