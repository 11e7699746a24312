CREATE TABLE "shop"."orders__quarantine__ls_0123456789ab_old" AS
SELECT *
FROM "shop"."orders__quarantine"
WHERE ("day" >= CAST('2026-01-02' AS DATE) AND "day" < CAST('2026-01-03' AS DATE));

DELETE FROM "shop"."orders__quarantine"
WHERE ("day" >= CAST('2026-01-02' AS DATE) AND "day" < CAST('2026-01-03' AS DATE));

INSERT INTO "shop"."orders__quarantine" ("__ls_run", "id", "at", "day", "__ls_column", "__ls_reason", "__ls_action", "__ls_bytes", "__ls_limit", "__ls_file", "__ls_row")
SELECT "__ls_run", "id", "at", "day", "__ls_column", "__ls_reason", "__ls_action", "__ls_bytes", "__ls_limit", "__ls_file", "__ls_row"
FROM "shop"."orders__quarantine__ls_0123456789ab";

DROP TABLE "shop"."orders__quarantine__ls_0123456789ab";
