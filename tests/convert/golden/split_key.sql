DROP TABLE IF EXISTS "shop"."orders__ls_0123456789ab_in", "shop"."orders__ls_0123456789ab", "shop"."orders__part_2__ls_0123456789ab", "shop"."orders__part_3__ls_0123456789ab";
CREATE TABLE "shop"."orders__ls_0123456789ab_in" (
  "id" BIGINT,
  "v0_bool" BOOLEAN,
  "v1_int64" BIGINT,
  "v2_float64" DOUBLE PRECISION,
  "v3_numeric" DECIMAL(38,9),
  "v4_bignumeric" VARCHAR(80),
  "v5_string" VARCHAR(65535),
  "__ls_wide" SUPER
);
CREATE TABLE "shop"."orders__ls_0123456789ab" (
  "id" BIGINT NOT NULL,
  "v0_bool" BOOLEAN,
  "v1_int64" BIGINT,
  "v2_float64" DOUBLE PRECISION,
  "v3_numeric" DECIMAL(38,9),
  "v4_bignumeric" VARCHAR(80),
  "v5_string" VARCHAR(65535)
);
CREATE TABLE "shop"."orders__part_2__ls_0123456789ab" (
  "parent__id" BIGINT NOT NULL,
  "v6_bytes" VARBYTE(49149),
  "v7_date" DATE,
  "v8_time" TIME,
  "v9_datetime" TIMESTAMP,
  "v10_timestamp" TIMESTAMPTZ,
  "v11_interval" VARCHAR(64),
  "v12_json" SUPER
);
CREATE TABLE "shop"."orders__part_3__ls_0123456789ab" (
  "parent__id" BIGINT NOT NULL,
  "v13_geography" GEOGRAPHY,
  "made" VARCHAR(20) NOT NULL,
  "span" SUPER,
  "legs" SUPER,
  "nüm" BIGINT,
  "parent__id_9acec1ea" BIGINT
);
INSERT INTO "shop"."orders__ls_0123456789ab" ("id", "v0_bool", "v1_int64", "v2_float64", "v3_numeric", "v4_bignumeric", "v5_string")
SELECT "id", "v0_bool", "v1_int64", "v2_float64", "v3_numeric", "v4_bignumeric", "v5_string"
FROM "shop"."orders__ls_0123456789ab_in";
INSERT INTO "shop"."orders__part_2__ls_0123456789ab" ("parent__id", "v6_bytes", "v7_date", "v8_time", "v9_datetime", "v10_timestamp", "v11_interval", "v12_json")
SELECT "t"."id", TO_VARBYTE(CAST("t"."__ls_wide"."v6_bytes" AS VARCHAR(65535)), 'base64'), CAST(CAST("t"."__ls_wide"."v7_date" AS VARCHAR(10)) AS DATE), CAST(CAST("t"."__ls_wide"."v8_time" AS VARCHAR(15)) AS TIME), CAST(CAST("t"."__ls_wide"."v9_datetime" AS VARCHAR(32)) AS TIMESTAMP), (CAST(CAST("t"."__ls_wide"."v10_timestamp" AS VARCHAR(32)) AS TIMESTAMP) AT TIME ZONE 'UTC'), CAST("t"."__ls_wide"."v11_interval" AS VARCHAR(64)), JSON_PARSE(CAST("t"."__ls_wide"."v12_json" AS VARCHAR(65535)))
FROM "shop"."orders__ls_0123456789ab_in" AS "t";
INSERT INTO "shop"."orders__part_3__ls_0123456789ab" ("parent__id", "v13_geography", "made", "span", "legs", "nüm", "parent__id_9acec1ea")
SELECT "t"."id", ST_GeogFromText(CAST("t"."__ls_wide"."v13_geography" AS VARCHAR(65535))), CAST("t"."__ls_wide"."made" AS VARCHAR(20)), "t"."__ls_wide"."span", "t"."__ls_wide"."legs", CAST("t"."__ls_wide"."n_m" AS BIGINT), CAST("t"."__ls_wide"."parent__id" AS BIGINT)
FROM "shop"."orders__ls_0123456789ab_in" AS "t";
DROP TABLE "shop"."orders__ls_0123456789ab_in";
