"""Lakeshift moves BigQuery projects and relational databases into an S3 data lake and Amazon Redshift."""

import gc

__version__ = "0.1.0"

# The clients' modules make half a million objects that stay for good. At Python's own threshold of 700 the collector
# walks through them hundreds of times while they are imported, a tenth of the start of a process.
gc.set_threshold(100_000)
