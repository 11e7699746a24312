CREATE TABLE "shop"."orders__ls_0123456789ab_old" AS
SELECT *
FROM "shop"."orders"
WHERE ("id" >= 42);

INSERT INTO "shop"."orders" ("id", "no_te_a6500123", "date", "datetime", "timestamp", "numeric")
SELECT "id", "no_te_a6500123", "date", "datetime", "timestamp", "numeric"
FROM "shop"."orders__ls_0123456789ab";

SELECT 1 / CASE WHEN COUNT(*) = (SELECT COUNT(*) FROM "shop"."orders__ls_0123456789ab") THEN 1 ELSE 0 END AS appended
FROM "shop"."orders"
WHERE ("id" >= 42);

DROP TABLE "shop"."orders__ls_0123456789ab";

INSERT INTO "lakeshift"."load_history" (run, source, target, snapshot_at, manifest, row_count, published_at, checksum, action, kept, keep_until)
VALUES ('shop-0123456789ab', 'p.Shop.Orders', 'shop.orders', '2026-01-02T03:04:05.000000Z', 's3://lake/raw/p/Shop/Orders/run=shop-0123456789ab/_manifest-0123456789.json', 7, GETDATE(), '', 'publish', CAST('orders__ls_0123456789ab_old' AS VARCHAR(512)), CAST(DATEADD(day, 7, GETDATE()) AS TIMESTAMPTZ));
