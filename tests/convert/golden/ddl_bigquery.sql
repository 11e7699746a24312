CREATE TABLE `p.d.orders` (
  id INT64 NOT NULL OPTIONS(description="who, and what"),
  name STRING(10) DEFAULT 'x', day DATE,
  device STRUCT<os STRING NOT NULL, seen ARRAY<STRUCT<at TIMESTAMP, price NUMERIC(10, 2)>>>,
  tags ARRAY<STRING>, span RANGE<DATE>, big BIGNUMERIC(60, 5), small BIGNUMERIC(20, 3),
  PRIMARY KEY (id) NOT ENFORCED
)
PARTITION BY day
CLUSTER BY name, id
OPTIONS(description="all of them");
