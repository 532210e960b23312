-- pgbench: a transaction over the tables that every version has (matrix_schema.sql).
\set r random(1, 1500)
\set s random(1, 2000)
BEGIN;
SELECT m.more_kinds(:r, :r);
UPDATE m.kinds SET f8 = random(), n = n + 1, fa = ARRAY[random(), 'NaN'], m = 'high', tstz = now(), iv = '2 days' WHERE id = :r;
UPDATE m.child SET txt = txt || 'x' WHERE id = :s;
COMMIT;
DELETE FROM m.child WHERE id = :s + 7;
INSERT INTO m.child (kind_id, txt, big) SELECT min(id), md5(random()::text), repeat('big', 3000) FROM m.kinds WHERE id >= :r;
UPDATE m.keyless SET f = f + 0.1 WHERE ctid = (SELECT min(ctid::text)::tid FROM m.keyless WHERE a = :r % 10);
DELETE FROM m.keyless WHERE ctid = (SELECT min(ctid::text)::tid FROM m.keyless WHERE a = :s % 100);
INSERT INTO m.keyless VALUES (:s % 10, 'same', 0.1);
UPDATE m.by_index SET b = b || '!', c = c + 1 WHERE a = :r % 300;
UPDATE m."Odd ""name" SET "select" = 'changed' || :r WHERE "Col umn" = :r % 100;
UPDATE m."Odd ""name" SET "Col umn" = -"Col umn" WHERE abs("Col umn") = :s % 100;
UPDATE m.part SET r = r || '+' WHERE k = :s;
DELETE FROM m.part WHERE k = :s + 11;
INSERT INTO m.part SELECT max(k) + 1, 'new', now() FROM m.part HAVING pg_try_advisory_xact_lock(1);
INSERT INTO m.emptied (t) VALUES ('more');
SELECT nextval('m.loose') WHERE (SELECT last_value FROM m.loose) > -30000;
