DROP TABLE IF EXISTS "shop"."orders__ls_0123456789ab";

CREATE TABLE "shop"."orders__ls_0123456789ab" (
  "id" BIGINT NOT NULL,
  "no_te_a6500123" VARCHAR(65535)
);

COPY "shop"."orders__ls_0123456789ab"
FROM 's3://lake/raw/p/Shop/Orders/run=shop-0123456789ab/_manifest-0123456789.json'
IAM_ROLE 'arn:aws:iam::123456789012:role/copy'
FORMAT AS PARQUET MANIFEST;
