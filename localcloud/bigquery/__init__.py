"""A local BigQuery: REST v2 and the gRPC Storage Read API over Arrow files and DuckDB."""
