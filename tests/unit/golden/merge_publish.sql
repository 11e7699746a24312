CREATE TABLE "shop"."orders__ls_0123456789ab_gone" AS
SELECT DISTINCT ls_t."id"
FROM "shop"."orders" AS ls_t LEFT JOIN "shop"."orders__ls_0123456789ab_keys" AS ls_k ON ls_t."id" = ls_k."id"
WHERE ls_k."id" IS NULL;

INSERT INTO "shop"."orders__ls_0123456789ab_gone"
SELECT ls_q."id"
FROM (SELECT DISTINCT "id"
FROM "shop"."orders__quarantine__ls_0123456789ab"
WHERE "__ls_action" = 'quarantined') AS ls_q LEFT JOIN "shop"."orders__ls_0123456789ab_gone" AS ls_g ON ls_q."id" = ls_g."id"
WHERE ls_g."id" IS NULL;

CREATE TABLE "shop"."orders__ls_0123456789ab_old" AS
SELECT ls_t."id", ls_t."no_te_a6500123", ls_t."date", ls_t."datetime", ls_t."timestamp", ls_t."numeric", FALSE AS "__ls_added"
FROM "shop"."orders" AS ls_t INNER JOIN "shop"."orders__ls_0123456789ab" AS ls_s ON ls_t."id" = ls_s."id";

INSERT INTO "shop"."orders__ls_0123456789ab_old"
SELECT ls_s."id", ls_s."no_te_a6500123", ls_s."date", ls_s."datetime", ls_s."timestamp", ls_s."numeric", TRUE AS "__ls_added"
FROM "shop"."orders__ls_0123456789ab" AS ls_s LEFT JOIN "shop"."orders" AS ls_t ON ls_t."id" = ls_s."id"
WHERE ls_t."id" IS NULL;

INSERT INTO "shop"."orders__ls_0123456789ab_old"
SELECT ls_t."id", ls_t."no_te_a6500123", ls_t."date", ls_t."datetime", ls_t."timestamp", ls_t."numeric", FALSE AS "__ls_added"
FROM "shop"."orders" AS ls_t INNER JOIN "shop"."orders__ls_0123456789ab_gone" AS ls_g ON ls_t."id" = ls_g."id" LEFT JOIN "shop"."orders__ls_0123456789ab" AS ls_s ON ls_t."id" = ls_s."id"
WHERE ls_s."id" IS NULL;

MERGE INTO "shop"."orders"
USING "shop"."orders__ls_0123456789ab" AS "__ls_new"
ON "orders"."id" = "__ls_new"."id"
WHEN MATCHED THEN UPDATE SET "no_te_a6500123" = "__ls_new"."no_te_a6500123", "date" = "__ls_new"."date", "datetime" = "__ls_new"."datetime", "timestamp" = "__ls_new"."timestamp", "numeric" = "__ls_new"."numeric"
WHEN NOT MATCHED THEN INSERT ("id", "no_te_a6500123", "date", "datetime", "timestamp", "numeric")
VALUES ("__ls_new"."id", "__ls_new"."no_te_a6500123", "__ls_new"."date", "__ls_new"."datetime", "__ls_new"."timestamp", "__ls_new"."numeric");

SELECT 1 / CASE WHEN COUNT(*) = (SELECT COUNT(*) FROM "shop"."orders__ls_0123456789ab") THEN 1 ELSE 0 END AS merged
FROM "shop"."orders" AS ls_t INNER JOIN "shop"."orders__ls_0123456789ab" AS ls_s ON ls_t."id" = ls_s."id";

DELETE FROM "shop"."orders"
USING "shop"."orders__ls_0123456789ab_gone"
WHERE "shop"."orders"."id" = "shop"."orders__ls_0123456789ab_gone"."id";

CREATE TABLE "shop"."orders__ls_0123456789ab_read" AS
SELECT "id" FROM "shop"."orders__ls_0123456789ab";

INSERT INTO "shop"."orders__ls_0123456789ab_read"
SELECT "id" FROM "shop"."orders__quarantine__ls_0123456789ab";

INSERT INTO "shop"."orders__ls_0123456789ab_read"
SELECT ls_q."id" FROM "shop"."orders__quarantine" AS ls_q LEFT JOIN "shop"."orders__ls_0123456789ab_keys" AS ls_k ON ls_q."id" = ls_k."id" WHERE ls_k."id" IS NULL;

CREATE TABLE "shop"."orders__quarantine__ls_0123456789ab_old" AS
SELECT *
FROM "shop"."orders__quarantine"
WHERE EXISTS (SELECT 1 FROM "shop"."orders__ls_0123456789ab_read" AS ls_r WHERE ls_r."id" = "shop"."orders__quarantine"."id");

DELETE FROM "shop"."orders__quarantine"
WHERE EXISTS (SELECT 1 FROM "shop"."orders__ls_0123456789ab_read" AS ls_r WHERE ls_r."id" = "shop"."orders__quarantine"."id");

INSERT INTO "shop"."orders__quarantine" ("__ls_run", "id", "__ls_column", "__ls_reason", "__ls_action", "__ls_bytes", "__ls_limit", "__ls_file", "__ls_row")
SELECT "__ls_run", "id", "__ls_column", "__ls_reason", "__ls_action", "__ls_bytes", "__ls_limit", "__ls_file", "__ls_row"
FROM "shop"."orders__quarantine__ls_0123456789ab";

DROP TABLE "shop"."orders__quarantine__ls_0123456789ab";

SELECT 1 / CASE WHEN COUNT(*) = (SELECT COUNT(*) FROM (SELECT DISTINCT "id" FROM "shop"."orders__ls_0123456789ab_keys") AS ls_k) - (SELECT COUNT(*) FROM (SELECT DISTINCT "id"
FROM "shop"."orders__quarantine"
WHERE "__ls_action" = 'quarantined') AS ls_q) THEN 1 ELSE 0 END AS complete
FROM "shop"."orders";

DROP TABLE "shop"."orders__ls_0123456789ab", "shop"."orders__ls_0123456789ab_keys", "shop"."orders__ls_0123456789ab_gone", "shop"."orders__ls_0123456789ab_read";

INSERT INTO "lakeshift"."load_history" (run, source, target, snapshot_at, manifest, row_count, published_at, checksum, action, kept, keep_until)
VALUES ('r', 'p.Shop.Orders', 'shop.orders', '2026', 's3://lake/raw/p/Shop/Orders/run=shop-0123456789ab/_manifest-0123456789.json', 7, GETDATE(), '', 'publish', CAST('orders__ls_0123456789ab_old' AS VARCHAR(512)), CAST(DATEADD(day, 7, GETDATE()) AS TIMESTAMPTZ));
