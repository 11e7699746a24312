DROP TABLE IF EXISTS "shop"."orders__ls_0123456789ab";

CREATE TABLE "shop"."orders__ls_0123456789ab" (LIKE "shop"."orders" INCLUDING DEFAULTS);
