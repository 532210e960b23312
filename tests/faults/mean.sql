-- Tables whose changes are hard to repeat exactly: what is lost, doubled or out of order shows in the contents.
CREATE TABLE account (id int PRIMARY KEY, balance bigint NOT NULL DEFAULT 0, seen int NOT NULL DEFAULT 0);
CREATE TABLE history (id bigserial PRIMARY KEY, account int NOT NULL, delta int NOT NULL, note text);
CREATE TABLE chain (id int PRIMARY KEY, place int UNIQUE DEFERRABLE INITIALLY DEFERRED, word text);
CREATE TABLE slots (id int PRIMARY KEY, code text UNIQUE, n int NOT NULL DEFAULT 0);
CREATE TABLE twins (a int, b int, c text);
ALTER TABLE twins REPLICA IDENTITY FULL;
CREATE TABLE heavy (id int PRIMARY KEY, body text, n int NOT NULL DEFAULT 0, more text);
ALTER TABLE heavy ALTER body SET STORAGE EXTERNAL;
CREATE TABLE parent (id int PRIMARY KEY, n int NOT NULL DEFAULT 0);
CREATE TABLE child (id bigserial PRIMARY KEY, parent int NOT NULL REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE, t text);
CREATE TABLE part (id bigserial, region int, t text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE part_0 PARTITION OF part FOR VALUES IN (0);
CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);
CREATE TABLE scrap (id bigserial PRIMARY KEY, t text);
CREATE TABLE flood (id bigserial PRIMARY KEY, batch int, t text, n int NOT NULL DEFAULT 0);
CREATE INDEX ON flood (batch);
CREATE INDEX ON history (account);
CREATE TABLE kinds (id serial PRIMARY KEY, f float8, d numeric, ts timestamptz, iv interval, j jsonb, b bytea, a int[], ok bool);
INSERT INTO account (id) SELECT generate_series(1, 2000);
INSERT INTO chain SELECT i, i, 'w' || i FROM generate_series(1, 200) i;
INSERT INTO slots SELECT i, 'c' || i FROM generate_series(1, 300) i;
INSERT INTO twins SELECT i % 50, i % 3, 'same' FROM generate_series(1, 600) i;
INSERT INTO heavy SELECT i, repeat(md5(i::text), 400), 0, 'm' FROM generate_series(1, 100) i;
INSERT INTO parent SELECT generate_series(1, 300);
INSERT INTO child (parent, t) SELECT 1 + i % 300, 'c' FROM generate_series(1, 3000) i;
INSERT INTO part (region, t) SELECT i % 2, 'p' FROM generate_series(1, 1000) i;
INSERT INTO flood (batch, t) SELECT 0, repeat(md5(i::text), 3) FROM generate_series(1, 20000) i;
-- A large transaction: rows that come, change, go, and partly never were. p_batch also picks its shape.
CREATE FUNCTION make_flood(p_batch int, p_rows int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO flood (batch, t) SELECT p_batch, repeat(md5(i::text), 3) FROM generate_series(1, p_rows) i;
    UPDATE flood SET n = n + 1 WHERE batch = p_batch AND id % 3 = 0;
    BEGIN
        DELETE FROM flood WHERE batch = p_batch;
        RAISE EXCEPTION 'not kept';
    EXCEPTION WHEN raise_exception THEN NULL;
    END;
    DELETE FROM flood WHERE batch = p_batch AND id % 5 = 0;
    UPDATE account SET seen = seen + 1 WHERE id BETWEEN 1 AND 100;
    DELETE FROM flood WHERE batch <> 0 AND batch < p_batch - 3;
END $$;
CREATE SEQUENCE flood_no;
CREATE FUNCTION renumber() RETURNS void LANGUAGE sql AS
    'UPDATE chain SET place = (SELECT max(place) + min(place) FROM chain) - place';
