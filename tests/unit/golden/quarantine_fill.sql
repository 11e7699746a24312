DROP TABLE IF EXISTS "shop"."orders__quarantine__ls_0123456789ab_in", "shop"."orders__quarantine__ls_0123456789ab";

CREATE TABLE "shop"."orders__quarantine__ls_0123456789ab_in" (
  "id" BIGINT,
  "at" TIMESTAMP,
  "day" DATE,
  "__ls_column" VARCHAR(65535),
  "__ls_reason" VARCHAR(64),
  "__ls_action" VARCHAR(64),
  "__ls_bytes" BIGINT,
  "__ls_limit" BIGINT,
  "__ls_file" VARCHAR(2048),
  "__ls_row" BIGINT
);

COPY "shop"."orders__quarantine__ls_0123456789ab_in"
FROM 's3://lake/_quarantine-0.json'
IAM_ROLE 'arn:aws:iam::123456789012:role/copy'
FORMAT AS PARQUET MANIFEST;

CREATE TABLE "shop"."orders__quarantine__ls_0123456789ab" (
  "__ls_run" VARCHAR(128),
  "id" BIGINT,
  "at" TIMESTAMPTZ,
  "day" DATE,
  "__ls_column" VARCHAR(65535),
  "__ls_reason" VARCHAR(64),
  "__ls_action" VARCHAR(64),
  "__ls_bytes" BIGINT,
  "__ls_limit" BIGINT,
  "__ls_file" VARCHAR(2048),
  "__ls_row" BIGINT
);

INSERT INTO "shop"."orders__quarantine__ls_0123456789ab" ("__ls_run", "id", "at", "day", "__ls_column", "__ls_reason", "__ls_action", "__ls_bytes", "__ls_limit", "__ls_file", "__ls_row")
SELECT 'shop-0123456789ab', "id", ("at" AT TIME ZONE 'UTC'), "day", "__ls_column", "__ls_reason", "__ls_action", "__ls_bytes", "__ls_limit", "__ls_file", "__ls_row"
FROM "shop"."orders__quarantine__ls_0123456789ab_in";

DROP TABLE "shop"."orders__quarantine__ls_0123456789ab_in";

SELECT COUNT(DISTINCT "__ls_file" || ':' || CAST("__ls_row" AS VARCHAR(20))) FROM "shop"."orders__quarantine__ls_0123456789ab" WHERE "__ls_action" = 'quarantined';

SELECT table_name FROM svv_tables WHERE table_schema = 'shop' AND table_name IN ('orders', 'orders__quarantine', 'orders__quarantine__ls_0123456789ab_old');
