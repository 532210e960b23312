-- One round of work in the shop of sample.sql: about a dozen small transactions with random choices.
-- `pgcutover demo` sends it again and again over one connection; it is a pgbench script too (pgbench -n
-- -f workload.sql -c 4). No parameters. Rounds may run side by side without deadlocks or errors: rows are
-- locked in the order film, customer, rental, payment, and a row that others may delete is locked first.

-- A customer rents a copy and pays.
BEGIN;
UPDATE shop.customer SET points = points + 10, settings = settings || pg_catalog.jsonb_build_object('last', pg_catalog.now())
WHERE customer_id = (SELECT 1 + floor(random() * 8000)::int);
INSERT INTO shop.rental (branch_id, copy_no, customer_id, employee_id)
SELECT 1 + floor(random() * 6)::int, 1 + floor(random() * 2000)::int, 1 + floor(random() * 8000)::int, 1 + floor(random() * 42)::int;
INSERT INTO shop.payment (rental_id, amount, method, receipt)
SELECT pg_catalog.currval('shop.rental_rental_id_seq'), 1.49 + floor(random() * 10),
       (pg_catalog.enum_range(NULL::shop.payment_method))[1 + floor(random() * 3)::int], pg_catalog.nextval('shop.receipt_no');
COMMIT;

-- A copy comes back.
BEGIN;
UPDATE shop.rental SET returned_at = pg_catalog.now()
WHERE returned_at IS NULL AND rental_id = (SELECT rental_id FROM shop.rental WHERE returned_at IS NULL
    AND rented_at >= timestamptz '2024-12-05 10:00+00' + (SELECT random()) * interval '580 days' AND rented_at <= pg_catalog.now()
    ORDER BY rented_at LIMIT 1 FOR UPDATE SKIP LOCKED);
COMMIT;

-- Something goes wrong at the till: part of a transaction is taken back, then all of another.
BEGIN;
INSERT INTO shop.rental (branch_id, copy_no, customer_id)
SELECT 1 + floor(random() * 6)::int, 1 + floor(random() * 2000)::int, 1 + floor(random() * 8000)::int;
SAVEPOINT till;
INSERT INTO shop.payment (rental_id, amount) VALUES (pg_catalog.currval('shop.rental_rental_id_seq'), 999999);
ROLLBACK TO SAVEPOINT till;
INSERT INTO shop.payment (rental_id, amount) VALUES (pg_catalog.currval('shop.rental_rental_id_seq'), 2.99);
SAVEPOINT kept;
UPDATE shop.payment SET method = 'voucher' WHERE payment_id = pg_catalog.currval('shop.payment_payment_id_seq');
RELEASE SAVEPOINT kept;
COMMIT;
BEGIN;
SELECT pg_catalog.set_config('demo.film', (1 + floor(random() * 200)::int)::text, true);
UPDATE shop.film SET day_price = day_price + 1 WHERE film_id = pg_catalog.current_setting('demo.film')::int;
DELETE FROM shop.waiting WHERE film_id = pg_catalog.current_setting('demo.film')::int;
ROLLBACK;

-- A payment is booked to another day: the row moves to another partition.
BEGIN;
SELECT pg_catalog.set_config('demo.rental', coalesce((SELECT rental_id FROM shop.rental
    WHERE rental_id >= (SELECT floor(random() * 40000)::bigint) ORDER BY rental_id LIMIT 1 FOR KEY SHARE SKIP LOCKED), 0)::text, true);
UPDATE shop.payment SET amount = amount + 0.50,
    paid_at = CASE WHEN paid_at < timestamptz '2025-07-01' THEN paid_at + interval '200 days' ELSE paid_at - interval '200 days' END
WHERE rental_id = pg_catalog.current_setting('demo.rental')::bigint;
COMMIT;

-- A rental was an error: it goes, and its payments with it.
BEGIN;
DELETE FROM shop.rental WHERE rental_id = (SELECT rental_id FROM shop.rental
    WHERE rental_id >= (SELECT floor(random() * 42000)::bigint) ORDER BY rental_id LIMIT 1 FOR UPDATE SKIP LOCKED);
COMMIT;

-- Prices of a shelf; a film is found again under another title.
BEGIN;
WITH shelf AS (
    SELECT film_id FROM shop.film WHERE film_id >= (SELECT floor(random() * 3980)::int) ORDER BY film_id LIMIT 20 FOR NO KEY UPDATE)
UPDATE shop.film f SET day_price = pg_catalog.round((1 + random() * 4)::numeric, 2) FROM shelf WHERE f.film_id = shelf.film_id;
COMMIT;
BEGIN;
UPDATE shop.film SET title = pg_catalog.regexp_replace(title, '( again)?$', ' again'),
    tags = CASE WHEN pg_catalog.cardinality(tags) < 5 THEN tags || 'renamed'::text ELSE tags[1:2] END,
    extras = pg_catalog.jsonb_set(extras, '{budget}', pg_catalog.to_jsonb(floor(random() * 1000000)::int))
WHERE film_id = (SELECT 1 + floor(random() * 4000)::int);
COMMIT;

-- The queue for a film: two change places (their keys), one joins, one leaves.
BEGIN;
SELECT pg_catalog.set_config('demo.film', (1 + floor(random() * 200)::int)::text, true);
SELECT film_id FROM shop.film WHERE film_id = pg_catalog.current_setting('demo.film')::int FOR NO KEY UPDATE;
UPDATE shop.waiting SET place = -1 WHERE film_id = pg_catalog.current_setting('demo.film')::int AND place = 1;
UPDATE shop.waiting SET place = 1 WHERE film_id = pg_catalog.current_setting('demo.film')::int AND place = 2;
UPDATE shop.waiting SET place = 2 WHERE film_id = pg_catalog.current_setting('demo.film')::int AND place = -1;
INSERT INTO shop.waiting (film_id, place, customer_id)
SELECT pg_catalog.current_setting('demo.film')::int, coalesce(pg_catalog.max(place), 0) + 1, 1 + floor(random() * 8000)::int
FROM shop.waiting WHERE film_id = pg_catalog.current_setting('demo.film')::int;
DELETE FROM shop.waiting WHERE film_id = pg_catalog.current_setting('demo.film')::int
    AND place = (SELECT pg_catalog.max(place) - 3 FROM shop.waiting WHERE film_id = pg_catalog.current_setting('demo.film')::int);
COMMIT;

-- A voucher gets a new code (the uses follow by ON UPDATE CASCADE), another is used, one is made, one goes.
BEGIN;
UPDATE shop.voucher SET code = pg_catalog.upper(pg_catalog.substr(pg_catalog.md5(random()::text || pg_catalog.clock_timestamp()), 1, 12))
WHERE code = (SELECT code FROM shop.voucher WHERE code >= (SELECT pg_catalog.upper(pg_catalog.substr(pg_catalog.md5(random()::text), 1, 12)))
    ORDER BY code LIMIT 1 FOR UPDATE SKIP LOCKED);
COMMIT;
BEGIN;
INSERT INTO shop.voucher_use (code, customer_id)
SELECT code, 1 + floor(random() * 8000)::int FROM (SELECT code FROM shop.voucher
    WHERE code >= (SELECT pg_catalog.upper(pg_catalog.substr(pg_catalog.md5(random()::text), 1, 12)))
    ORDER BY code LIMIT 1 FOR KEY SHARE SKIP LOCKED) v
ON CONFLICT DO NOTHING;
COMMIT;
BEGIN;
INSERT INTO shop.voucher (code, worth)
SELECT pg_catalog.upper(pg_catalog.substr(pg_catalog.md5(random()::text || pg_catalog.clock_timestamp()), 1, 12)), 5 * (1 + floor(random() * 4)::int)
ON CONFLICT DO NOTHING;
DELETE FROM shop.voucher WHERE code = (SELECT code FROM shop.voucher
    WHERE code >= (SELECT pg_catalog.upper(pg_catalog.substr(pg_catalog.md5(random()::text), 1, 12))) ORDER BY code LIMIT 1 FOR UPDATE SKIP LOCKED);
COMMIT;

-- Wide values: a counter beside them (they stay as they are), then one of them.
BEGIN;
UPDATE shop.press_kit SET downloads = downloads + 1 WHERE film_id = (SELECT 10 * (1 + floor(random() * 400)::int));
COMMIT;
BEGIN;
UPDATE shop.press_kit SET body = pg_catalog.repeat(pg_catalog.md5(random()::text), 100 + floor(random() * 300)::int),
    poster = CASE WHEN random() < 0.3 THEN NULL WHEN random() < 0.5 THEN pg_catalog.decode(pg_catalog.repeat(pg_catalog.md5(random()::text), 150), 'hex') ELSE poster END
WHERE film_id = (SELECT 10 * (1 + floor(random() * 400)::int));
COMMIT;

-- Reviews: written, changed, taken back, ten at a time.
BEGIN;
INSERT INTO shop.review (customer_id, film_id, stars, body)
SELECT DISTINCT ON (customer_id, film_id) customer_id, film_id, stars, NULLIF(pg_catalog.repeat('so ', stars) || 'good', 'so good')
FROM (SELECT 1 + floor(random() * 8000)::int AS customer_id, 1 + floor(random() * 4000)::int AS film_id, 1 + floor(random() * 5)::int AS stars
      FROM pg_catalog.generate_series(1, 10)) r
ORDER BY customer_id, film_id
ON CONFLICT (customer_id, film_id) DO UPDATE SET stars = EXCLUDED.stars, body = EXCLUDED.body;
COMMIT;
BEGIN;
WITH gone AS (
    SELECT customer_id, film_id FROM shop.review WHERE customer_id >= (SELECT floor(random() * 8000)::int)
    ORDER BY customer_id, film_id LIMIT 8 FOR UPDATE SKIP LOCKED)
DELETE FROM shop.review r USING gone WHERE r.customer_id = gone.customer_id AND r.film_id = gone.film_id;
COMMIT;

-- A new customer, by default inactive; another one moves and gets a second phone.
BEGIN;
INSERT INTO shop.customer (card, first_name, last_name, email, home, active)
SELECT card, 'Nova', 'Új – ' || pg_catalog.left(card::text, 4), card || '@new.example', ROW('Fox Walk', 1, '00001', 'Hilltop')::shop.address, false
FROM (SELECT pg_catalog.md5(random()::text || pg_catalog.clock_timestamp())::uuid AS card) c;
COMMIT;
BEGIN;
UPDATE shop.customer SET home.house = 1 + floor(random() * 140)::int,
    phones = CASE WHEN pg_catalog.cardinality(phones) < 3 THEN phones || ('+00 556 ' || customer_id) ELSE NULL END, active = NOT active
WHERE customer_id = (SELECT 1 + floor(random() * 8000)::int);
COMMIT;
