CREATE SCHEMA IF NOT EXISTS lakeshift;

CREATE TABLE IF NOT EXISTS "lakeshift"."load_history" (
  run VARCHAR(128) NOT NULL,
  source VARCHAR(4096) NOT NULL,
  target VARCHAR(512) NOT NULL,
  snapshot_at VARCHAR(32) NOT NULL,
  manifest VARCHAR(4096) NOT NULL,
  row_count BIGINT NOT NULL,
  published_at TIMESTAMPTZ NOT NULL,
  checksum VARCHAR(64) NOT NULL,
  action VARCHAR(16) NOT NULL,
  kept VARCHAR(512),
  keep_until TIMESTAMPTZ
);

CREATE TABLE IF NOT EXISTS "lakeshift"."publish_lock" (
  held SMALLINT
);

CREATE TABLE IF NOT EXISTS "lakeshift"."runs" (
  run VARCHAR(128) NOT NULL,
  planned_at TIMESTAMPTZ NOT NULL
);

SELECT row_count FROM "lakeshift"."load_history" WHERE run = 'shop-0123456789ab' AND source = 'p.Shop.Orders';

SELECT COUNT(*) FROM "shop"."orders__ls_0123456789ab";

SELECT column_name, data_type, character_maximum_length, numeric_precision, numeric_scale FROM svv_columns WHERE table_schema = 'it''s' AND table_name = 't' ORDER BY ordinal_position;

SELECT table_type FROM svv_tables WHERE table_schema = 's' AND table_name = 't';

SELECT source, snapshot_at, run FROM "lakeshift"."load_history" WHERE target = 'shop.orders' AND action = 'publish' AND run NOT IN (SELECT run FROM "lakeshift"."load_history" WHERE target = 'shop.orders' AND action = 'rollback') ORDER BY snapshot_at DESC, published_at DESC LIMIT 1;
