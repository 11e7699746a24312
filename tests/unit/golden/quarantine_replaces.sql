ALTER TABLE "shop"."orders__quarantine" RENAME TO "orders__quarantine__ls_0123456789ab_old";

ALTER TABLE "shop"."orders__quarantine__ls_0123456789ab" RENAME TO "orders__quarantine";
