CREATE TABLE "shop"."orders__ls_0123456789ab_old" AS
SELECT *
FROM "shop"."orders"
WHERE (("id" < -5) OR "id" IS NULL)
   OR ("date" >= CAST('2024-01-01' AS DATE) AND "date" < CAST('2024-02-01' AS DATE))
   OR ("datetime" >= CAST('2024-01-01 10:00:00.000001' AS TIMESTAMP))
   OR (("timestamp" >= CAST('2024-01-01 10:00:00+00' AS TIMESTAMPTZ)) OR "timestamp" IS NULL)
   OR (("numeric" >= 12.50) OR "numeric" IS NULL);

DELETE FROM "shop"."orders"
WHERE (("id" < -5) OR "id" IS NULL)
   OR ("date" >= CAST('2024-01-01' AS DATE) AND "date" < CAST('2024-02-01' AS DATE))
   OR ("datetime" >= CAST('2024-01-01 10:00:00.000001' AS TIMESTAMP))
   OR (("timestamp" >= CAST('2024-01-01 10:00:00+00' AS TIMESTAMPTZ)) OR "timestamp" IS NULL)
   OR (("numeric" >= 12.50) OR "numeric" IS NULL);

INSERT INTO "shop"."orders" ("id", "no_te_a6500123", "date", "datetime", "timestamp", "numeric")
SELECT "id", "no_te_a6500123", "date", "datetime", "timestamp", "numeric"
FROM "shop"."orders__ls_0123456789ab";

DROP TABLE "shop"."orders__ls_0123456789ab";

INSERT INTO "lakeshift"."load_history" (run, source, target, snapshot_at, manifest, row_count, published_at, checksum, action, kept, keep_until)
VALUES ('shop-0123456789ab', 'p.Shop.Orders', 'shop.orders', '2026-01-02T03:04:05.000000Z', 's3://lake/raw/p/Shop/Orders/run=shop-0123456789ab/_manifest-0123456789.json', 7, GETDATE(), '', 'publish', CAST('orders__ls_0123456789ab_old' AS VARCHAR(512)), CAST(DATEADD(day, 7, GETDATE()) AS TIMESTAMPTZ));
