-- pgbench: virtual generated columns, a key without overlaps.
\set r random(1, 200)
UPDATE m.virtual SET a = a + 1 WHERE id = :r;
DELETE FROM m.virtual WHERE id = :r + 1;
INSERT INTO m.virtual (id, a) VALUES (:r + 1, :r) ON CONFLICT DO NOTHING;
UPDATE m.booked SET t = t || '*' WHERE room @> :r % 5 AND during @> date '2024-01-01' + :r;
DELETE FROM m.booked WHERE room @> 1 AND during @> date '2024-03-01' + :r;
