SELECT COUNT(*) FROM "shop"."orders"
WHERE (("id" < -5) OR "id" IS NULL)
   OR ("date" >= CAST('2024-01-01' AS DATE) AND "date" < CAST('2024-02-01' AS DATE));
