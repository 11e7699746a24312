SELECT COUNT(*), COUNT("id") FROM "shop"."orders__ls_0123456789ab";

SELECT COUNT(*) FROM (SELECT "id" FROM "shop"."orders__ls_0123456789ab" GROUP BY "id" HAVING COUNT(*) > 1) AS d;

SELECT COUNT(*) FROM (SELECT "id" FROM (SELECT DISTINCT s."id", s."no_te_a6500123", s."date", s."datetime", s."timestamp", s."numeric"
FROM "shop"."orders__ls_0123456789ab" AS s INNER JOIN (SELECT "id", MAX("timestamp") AS "__ls_latest" FROM "shop"."orders__ls_0123456789ab" GROUP BY "id" HAVING COUNT(*) > 1) AS d ON s."id" = d."id"
WHERE s."timestamp" = d."__ls_latest" OR (s."timestamp" IS NULL AND d."__ls_latest" IS NULL)) AS r GROUP BY "id" HAVING COUNT(*) > 1) AS u;

SELECT COUNT(*) FROM (SELECT DISTINCT "id" FROM "shop"."orders__ls_0123456789ab_keys") AS k
LEFT JOIN (SELECT DISTINCT "id" FROM "shop"."orders") AS t0 ON k."id" = t0."id"
LEFT JOIN (SELECT DISTINCT "id" FROM "shop"."orders__ls_0123456789ab") AS t1 ON k."id" = t1."id"
LEFT JOIN (SELECT DISTINCT "id" FROM "shop"."orders__quarantine__ls_0123456789ab") AS t2 ON k."id" = t2."id"
LEFT JOIN (SELECT DISTINCT "id" FROM "shop"."orders__quarantine") AS t3 ON k."id" = t3."id"
WHERE t0."id" IS NULL AND t1."id" IS NULL AND t2."id" IS NULL AND t3."id" IS NULL;
