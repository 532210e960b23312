-- pgbench: generated columns.
\set r random(1, 300)
UPDATE m.made SET a = random() WHERE id = :r;
DELETE FROM m.made WHERE id = :r + 3;
INSERT INTO m.made (id, a) SELECT :r + 3, 0.1 ON CONFLICT DO NOTHING;
