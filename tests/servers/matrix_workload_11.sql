-- pgbench: what 11 and later know: TRUNCATE in the stream, rows that move between partitions.
\set r random(51, 899)
\set s random(1, 100)
UPDATE m.tree SET region = (region + 1) % 3, t = t || '>' WHERE id = :r;
UPDATE m.part SET k = -k WHERE k = 1000 + :s;
UPDATE m.covered SET v = v + 1 WHERE id = :s;
BEGIN;
TRUNCATE m.emptied;
INSERT INTO m.emptied (t) VALUES ('first'), ('second');
COMMIT;
