\set a random(1, 2000)
\set b random(1, 2000)
\set d random(-50, 50)
\set s random(1, 300)
\set h random(1, 100)
\set p random(1, 300)
\set what random(1, 100)
BEGIN;
UPDATE account SET balance = balance - :d WHERE id = least(:a, :b);
UPDATE account SET balance = balance + :d WHERE id = greatest(:a, :b);
INSERT INTO history (account, delta, note) VALUES (:a, :d, md5(:b::text));
UPDATE account SET seen = seen + 1 WHERE id = greatest(:a, :b);
COMMIT;
\if :what < 20
-- A key given up and taken again, within and across transactions.
BEGIN;
DELETE FROM slots WHERE id = :s;
INSERT INTO slots VALUES (:s, 'c' || :s, :d) ON CONFLICT DO NOTHING;
COMMIT;
\elif :what < 35
UPDATE twins SET b = (b + 1) % 3 WHERE ctid = (SELECT min(ctid) FROM twins WHERE a = :s % 50);
DELETE FROM twins WHERE ctid = (SELECT max(ctid) FROM twins WHERE a = (:s + 1) % 50);
INSERT INTO twins VALUES ((:s + 1) % 50, :d % 3, 'same');
\elif :what < 50
UPDATE heavy SET n = n + 1 WHERE id = :h;
UPDATE heavy SET more = 'm' || :d WHERE id = 101 - :h;
\elif :what < 55
UPDATE heavy SET body = repeat(md5(:a::text), 300 + :h) WHERE id = :h;
\elif :what < 65
UPDATE part SET region = 1 - region WHERE id = (SELECT min(id) FROM part WHERE id >= :a);
INSERT INTO part (region, t) VALUES (:d % 2 * :d % 2, 'new');
DELETE FROM part WHERE id = (SELECT min(id) FROM part WHERE id >= :b);
\elif :what < 75
INSERT INTO child (parent, t) SELECT id, 'n' FROM parent WHERE id = :p FOR KEY SHARE;
UPDATE parent SET n = n + 1 WHERE id = :p;
\elif :what < 78
DELETE FROM parent WHERE id = :p;
INSERT INTO parent VALUES (:p, 0) ON CONFLICT DO NOTHING;
\elif :what < 80
UPDATE parent SET id = 1000000 + id WHERE id = :p AND NOT EXISTS (SELECT FROM parent WHERE id = 1000000 + :p);
INSERT INTO parent VALUES (:p, 1) ON CONFLICT DO NOTHING;
\elif :what < 83
BEGIN;
TRUNCATE scrap RESTART IDENTITY;
INSERT INTO scrap (t) SELECT 's' || i FROM generate_series(1, 1 + :h) i;
COMMIT;
\elif :what < 84
SELECT renumber();
\elif :what < 88
INSERT INTO scrap (t) VALUES ('late');
\elif :what < 89
SELECT make_flood(nextval('flood_no')::int, 20 * :h * :h / 10);
\elif :what < 95
INSERT INTO kinds (f, d, ts, iv, j, b, a, ok) VALUES (:a / 3.0, :a::numeric / 7, now(), :d * interval '1 day 01:02:03', jsonb_build_object('k', :a), decode(md5(:a::text), 'hex'), ARRAY[:a, NULL, :b], :d > 0);
\endif
