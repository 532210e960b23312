-- pgbench: what only servers before 10 have.
\set r random(1, 100)
UPDATE m.part SET r = r || '-' WHERE k = -:r;
UPDATE m.with_oids SET t = t || '*' WHERE id = :r;
DELETE FROM m.with_oids WHERE id = :r + 3;
INSERT INTO m.with_oids VALUES (:r + 3, 'again') ON CONFLICT DO NOTHING;
