-- Twenty tables of many types, one of them with 60 % of the rows; secondary indexes and foreign keys.
-- Variables: rows, of all tables together.
SET client_min_messages = warning;
CREATE TABLE parent (id bigint PRIMARY KEY, name text NOT NULL UNIQUE);
INSERT INTO parent SELECT i, 'parent ' || i FROM generate_series(0, 999) i;
CREATE TABLE big (id bigint NOT NULL, parent_id bigint NOT NULL, a int, b int, note text, doc jsonb, at timestamptz,
    amount numeric(12, 2), raw bytea, tags int[]);
INSERT INTO big SELECT i, i % 1000, i % 97, (i * 7919) % 100003, md5(i::text) || md5((i + 1)::text),
    jsonb_build_object('n', i, 'k', md5(i::text), 'list', jsonb_build_array(i % 10, i % 100)), timestamptz '2020-01-01' + i * interval '13 s',
    (i % 1000000) / 100.0, decode(md5(i::text), 'hex'), ARRAY[i % 10, i % 100]
FROM generate_series(1, :rows * 6 / 10) i;
ALTER TABLE big ADD PRIMARY KEY (id), ADD FOREIGN KEY (parent_id) REFERENCES parent;
CREATE INDEX ON big (parent_id);
CREATE INDEX ON big (at);
CREATE INDEX ON big (note);
SELECT format($f$
    CREATE TABLE t%1$s (id bigint PRIMARY KEY, parent_id bigint NOT NULL, a int, note text, doc jsonb, at timestamptz, amount numeric, flag boolean, u uuid, r float8);
    INSERT INTO t%1$s SELECT i, i %% 1000, i %% 101, md5(i::text), jsonb_build_object('k', i), timestamptz '2021-01-01' + i * interval '1 min',
        i / 7.0, i %% 2 = 0, md5(i::text)::uuid, sqrt(i) FROM generate_series(1, %2$s) i;
    ALTER TABLE t%1$s ADD FOREIGN KEY (parent_id) REFERENCES parent;
    CREATE INDEX ON t%1$s (a, at);
    CREATE INDEX ON t%1$s (u);
$f$, n, :rows * 4 / 10 / 18) FROM generate_series(1, 18) n \gexec
VACUUM ANALYZE;
