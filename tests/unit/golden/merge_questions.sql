SELECT COUNT(*), COUNT("id") FROM "shop"."orders__ls_0123456789ab";

SELECT COUNT(*) FROM (SELECT "id" FROM "shop"."orders__ls_0123456789ab" GROUP BY "id" HAVING COUNT(*) > 1) AS d;

SELECT COUNT(*) FROM (SELECT "id" FROM (SELECT DISTINCT ls_s."id", ls_s."no_te_a6500123", ls_s."date", ls_s."datetime", ls_s."timestamp", ls_s."numeric"
FROM "shop"."orders__ls_0123456789ab" AS ls_s INNER JOIN (SELECT "id", MAX("timestamp") AS "__ls_latest" FROM "shop"."orders__ls_0123456789ab" GROUP BY "id" HAVING COUNT(*) > 1) AS ls_d ON ls_s."id" = ls_d."id"
WHERE ls_s."timestamp" = ls_d."__ls_latest" OR (ls_s."timestamp" IS NULL AND ls_d."__ls_latest" IS NULL)) AS ls_r GROUP BY "id" HAVING COUNT(*) > 1) AS u;

SELECT COUNT(*) FROM (SELECT DISTINCT "id" FROM "shop"."orders__ls_0123456789ab_keys") AS ls_k
LEFT JOIN (SELECT DISTINCT "id" FROM "shop"."orders") AS ls_t0 ON ls_k."id" = ls_t0."id"
LEFT JOIN (SELECT DISTINCT "id" FROM "shop"."orders__ls_0123456789ab") AS ls_t1 ON ls_k."id" = ls_t1."id"
LEFT JOIN (SELECT DISTINCT "id" FROM "shop"."orders__quarantine__ls_0123456789ab") AS ls_t2 ON ls_k."id" = ls_t2."id"
LEFT JOIN (SELECT DISTINCT "id" FROM "shop"."orders__quarantine") AS ls_t3 ON ls_k."id" = ls_t3."id"
WHERE ls_t0."id" IS NULL AND ls_t1."id" IS NULL AND ls_t2."id" IS NULL AND ls_t3."id" IS NULL;
