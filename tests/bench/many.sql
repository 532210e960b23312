-- Many small tables. Variables: tables.
SELECT format('CREATE TABLE m%1$s (id int PRIMARY KEY, a int, note text); INSERT INTO m%1$s SELECT i, i %% 7, md5(i::text) FROM generate_series(1, 20) i; CREATE INDEX ON m%1$s (a);', n)
FROM generate_series(1, :tables) n \gexec
