ALTER TABLE "shop"."orders" RENAME TO "orders__ls_0123456789ab_old";

ALTER TABLE "shop"."orders__ls_0123456789ab" RENAME TO "orders";

INSERT INTO "lakeshift"."load_history" (run, source, target, snapshot_at, manifest, row_count, published_at, checksum, action, kept, keep_until)
VALUES ('shop-0123456789ab', 'p.Shop.Orders', 'shop.orders', '2026-01-02T03:04:05.000000Z', 's3://lake/raw/p/Shop/Orders/run=shop-0123456789ab/_manifest-0123456789.json', 7, GETDATE(), '', 'publish', CAST('orders__ls_0123456789ab_old' AS VARCHAR(512)), CAST(DATEADD(day, 7, GETDATE()) AS TIMESTAMPTZ));
