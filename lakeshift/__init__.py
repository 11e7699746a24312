"""Lakeshift moves BigQuery projects and relational databases into an S3 data lake and Amazon Redshift."""

__version__ = "0.1.0"
