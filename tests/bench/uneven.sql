-- Tables of the same shape, the first of another size. Variables: tables, first, rest (rows of each).
SELECT format('CREATE TABLE e%1$s (id bigint PRIMARY KEY, a int, note text, amount numeric);
    INSERT INTO e%1$s SELECT i, i %% 1000, md5(i::text) || md5((i + 1)::text), i / 3.0 FROM generate_series(1, %2$s) i;
    CREATE INDEX ON e%1$s (a);', n, CASE n WHEN 1 THEN :first ELSE :rest END) FROM generate_series(1, :tables) n \gexec
VACUUM ANALYZE;
