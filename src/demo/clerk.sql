-- The role of the workload of `pgcutover demo`: it may use the shop, and own nothing.
-- No parameters. Into the sample's database, by a superuser.
CREATE ROLE shop_clerk LOGIN;
GRANT USAGE ON SCHEMA shop TO shop_clerk;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA shop TO shop_clerk;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA shop TO shop_clerk;
COMMENT ON ROLE shop_clerk IS 'the workload of the demonstration';
