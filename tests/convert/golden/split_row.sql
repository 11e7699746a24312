DROP TABLE IF EXISTS "shop"."orders__ls_0123456789ab_in", "shop"."orders__ls_0123456789ab_no", "shop"."orders__ls_0123456789ab", "shop"."orders__part_2__ls_0123456789ab", "shop"."orders__part_3__ls_0123456789ab";
CREATE TABLE "shop"."orders__ls_0123456789ab_in" (
  "id" BIGINT,
  "v0_bool" BOOLEAN,
  "v1_int64" BIGINT,
  "v2_float64" DOUBLE PRECISION,
  "v3_numeric" DECIMAL(38,9),
  "v4_bignumeric" VARCHAR(80),
  "__ls_wide" SUPER
);
CREATE TABLE "shop"."orders__ls_0123456789ab_no" (
  "id" BIGINT,
  "v0_bool" BOOLEAN,
  "v1_int64" BIGINT,
  "v2_float64" DOUBLE PRECISION,
  "v3_numeric" DECIMAL(38,9),
  "v4_bignumeric" VARCHAR(80),
  "__ls_wide" SUPER,
  "__ls_row" VARCHAR(64)
);
CREATE TABLE "shop"."orders__ls_0123456789ab" (
  "__ls_row" VARCHAR(64) NOT NULL,
  "id" BIGINT NOT NULL,
  "v0_bool" BOOLEAN,
  "v1_int64" BIGINT,
  "v2_float64" DOUBLE PRECISION,
  "v3_numeric" DECIMAL(38,9),
  "v4_bignumeric" VARCHAR(80)
);
CREATE TABLE "shop"."orders__part_2__ls_0123456789ab" (
  "__ls_row" VARCHAR(64) NOT NULL,
  "v5_string" VARCHAR(65535),
  "v6_bytes" VARBYTE(49149),
  "v7_date" DATE,
  "v8_time" TIME,
  "v9_datetime" TIMESTAMP,
  "v10_timestamp" TIMESTAMPTZ,
  "v11_interval" VARCHAR(64)
);
CREATE TABLE "shop"."orders__part_3__ls_0123456789ab" (
  "__ls_row" VARCHAR(64) NOT NULL,
  "v12_json" SUPER,
  "v13_geography" GEOGRAPHY,
  "made" VARCHAR(20) NOT NULL,
  "span" SUPER,
  "legs" SUPER,
  "nüm" BIGINT,
  "parent__id" BIGINT
);
INSERT INTO "shop"."orders__ls_0123456789ab_no" ("id", "v0_bool", "v1_int64", "v2_float64", "v3_numeric", "v4_bignumeric", "__ls_wide", "__ls_row")
SELECT "id", "v0_bool", "v1_int64", "v2_float64", "v3_numeric", "v4_bignumeric", "__ls_wide", '0123456789ab-' || CAST(ROW_NUMBER() OVER () AS VARCHAR(20))
FROM "shop"."orders__ls_0123456789ab_in";
INSERT INTO "shop"."orders__ls_0123456789ab" ("__ls_row", "id", "v0_bool", "v1_int64", "v2_float64", "v3_numeric", "v4_bignumeric")
SELECT "__ls_row", "id", "v0_bool", "v1_int64", "v2_float64", "v3_numeric", "v4_bignumeric"
FROM "shop"."orders__ls_0123456789ab_no";
INSERT INTO "shop"."orders__part_2__ls_0123456789ab" ("__ls_row", "v5_string", "v6_bytes", "v7_date", "v8_time", "v9_datetime", "v10_timestamp", "v11_interval")
SELECT "t"."__ls_row", CAST("t"."__ls_wide"."v5_string" AS VARCHAR(65535)), TO_VARBYTE(CAST("t"."__ls_wide"."v6_bytes" AS VARCHAR(65535)), 'base64'), CAST(CAST("t"."__ls_wide"."v7_date" AS VARCHAR(10)) AS DATE), CAST(CAST("t"."__ls_wide"."v8_time" AS VARCHAR(15)) AS TIME), CAST(CAST("t"."__ls_wide"."v9_datetime" AS VARCHAR(32)) AS TIMESTAMP), (CAST(CAST("t"."__ls_wide"."v10_timestamp" AS VARCHAR(32)) AS TIMESTAMP) AT TIME ZONE 'UTC'), CAST("t"."__ls_wide"."v11_interval" AS VARCHAR(64))
FROM "shop"."orders__ls_0123456789ab_no" AS "t";
INSERT INTO "shop"."orders__part_3__ls_0123456789ab" ("__ls_row", "v12_json", "v13_geography", "made", "span", "legs", "nüm", "parent__id")
SELECT "t"."__ls_row", JSON_PARSE(CAST("t"."__ls_wide"."v12_json" AS VARCHAR(65535))), ST_GeogFromText(CAST("t"."__ls_wide"."v13_geography" AS VARCHAR(65535))), CAST("t"."__ls_wide"."made" AS VARCHAR(20)), "t"."__ls_wide"."span", "t"."__ls_wide"."legs", CAST("t"."__ls_wide"."n_m" AS BIGINT), CAST("t"."__ls_wide"."parent__id" AS BIGINT)
FROM "shop"."orders__ls_0123456789ab_no" AS "t";
DROP TABLE "shop"."orders__ls_0123456789ab_in", "shop"."orders__ls_0123456789ab_no";
