DROP TABLE IF EXISTS "shop"."orders__ls_0123456789ab_in";

DROP TABLE IF EXISTS "shop"."orders__ls_0123456789ab";

CREATE TABLE "shop"."orders__ls_0123456789ab_in" (
  "id" BIGINT,
  "no_te_a6500123" VARCHAR(65535),
  "at" VARCHAR(15),
  "doc" VARCHAR(65535),
  "legs" SUPER
);

CREATE TABLE "shop"."orders__ls_0123456789ab" (
  "id" BIGINT NOT NULL,
  "no_te_a6500123" VARCHAR(65535),
  "at" TIME,
  "doc" SUPER,
  "legs" SUPER
);

COPY "shop"."orders__ls_0123456789ab_in"
FROM 's3://lake/raw/p/Shop/Orders/run=shop-0123456789ab/_manifest-0123456789.json'
IAM_ROLE 'arn:aws:iam::123456789012:role/copy'
FORMAT AS PARQUET MANIFEST SERIALIZETOJSON;

INSERT INTO "shop"."orders__ls_0123456789ab" ("id", "no_te_a6500123", "at", "doc", "legs")
SELECT "id", "no_te_a6500123", CAST("at" AS TIME), JSON_PARSE("doc"), "legs"
FROM "shop"."orders__ls_0123456789ab_in";

DROP TABLE "shop"."orders__ls_0123456789ab_in";
