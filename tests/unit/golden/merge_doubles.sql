CREATE TABLE "shop"."orders__ls_0123456789ab_dup" AS
SELECT "id", MAX("timestamp") AS "__ls_latest"
FROM "shop"."orders__ls_0123456789ab"
GROUP BY "id"
HAVING COUNT(*) > 1;

DELETE FROM "shop"."orders__ls_0123456789ab"
USING "shop"."orders__ls_0123456789ab_dup"
WHERE "shop"."orders__ls_0123456789ab"."id" = "shop"."orders__ls_0123456789ab_dup"."id" AND ("shop"."orders__ls_0123456789ab"."timestamp" < "shop"."orders__ls_0123456789ab_dup"."__ls_latest" OR ("shop"."orders__ls_0123456789ab"."timestamp" IS NULL AND "shop"."orders__ls_0123456789ab_dup"."__ls_latest" IS NOT NULL));

CREATE TABLE "shop"."orders__ls_0123456789ab_one" AS
SELECT DISTINCT ls_s."id", ls_s."no_te_a6500123", ls_s."date", ls_s."datetime", ls_s."timestamp", ls_s."numeric"
FROM "shop"."orders__ls_0123456789ab" AS ls_s INNER JOIN "shop"."orders__ls_0123456789ab_dup" AS ls_d ON ls_s."id" = ls_d."id";

DELETE FROM "shop"."orders__ls_0123456789ab"
USING "shop"."orders__ls_0123456789ab_dup"
WHERE "shop"."orders__ls_0123456789ab"."id" = "shop"."orders__ls_0123456789ab_dup"."id";

INSERT INTO "shop"."orders__ls_0123456789ab" ("id", "no_te_a6500123", "date", "datetime", "timestamp", "numeric")
SELECT "id", "no_te_a6500123", "date", "datetime", "timestamp", "numeric"
FROM "shop"."orders__ls_0123456789ab_one";

DROP TABLE "shop"."orders__ls_0123456789ab_dup", "shop"."orders__ls_0123456789ab_one";
