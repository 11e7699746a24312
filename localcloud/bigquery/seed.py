"""Load a file into the twin the way a BigQuery user would: with Google's own client, over the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from google.api_core.client_options import ClientOptions
from google.cloud import bigquery
from google.oauth2 import service_account

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_FORMATS = {
    ".parquet": "PARQUET",
    ".jsonl": "NEWLINE_DELIMITED_JSON",
    ".ndjson": "NEWLINE_DELIMITED_JSON",
    ".json": "NEWLINE_DELIMITED_JSON",
    ".jsonl.gz": "NEWLINE_DELIMITED_JSON",
}


def credentials(info: Mapping[str, Any]) -> service_account.Credentials:
    """The twin's service account.

    A subject keeps google-auth from asking iamcredentials.googleapis.com for the account's allowed locations,
    which it otherwise does in the background wherever the endpoint is.
    """
    found = service_account.Credentials.from_service_account_info(info, scopes=[SCOPE])  # type: ignore[no-untyped-call]
    own: service_account.Credentials = found.with_subject(found.service_account_email)
    return own


def client(endpoint: str, credentials_info: Mapping[str, Any], project: str) -> bigquery.Client:
    """Google's client, pointed at the twin."""
    options = ClientOptions(api_endpoint=endpoint)
    return bigquery.Client(project=project, credentials=credentials(credentials_info), client_options=options)


def seed(  # noqa: PLR0913 - the nouns of one load
    endpoint: str,
    credentials_info: Mapping[str, Any],
    project: str,
    dataset: str,
    table: str,
    file: Path | str,
    schema: Sequence[Mapping[str, Any]] | None = None,
    partition: Mapping[str, Any] | None = None,
    cluster: Sequence[str] = (),
    *,
    append: bool = False,
) -> int:
    """Load a Parquet or JSON lines file and return the rows loaded; the dataset is made when it is missing.

    `schema` is BigQuery's schema JSON (a list of fields). `partition` is a TimePartitioning resource such as
    {"type": "DAY", "field": "day"}, or a RangePartitioning resource (with a "range"). Raises ValueError for
    another file ending and `google.api_core.exceptions.GoogleAPICallError` when the load is refused.
    """
    path = Path(file)
    config = _config(path, schema, partition or {}, cluster, append=append)
    with client(endpoint, credentials_info, project) as bq:
        bq.create_dataset(f"{project}.{dataset}", exists_ok=True)
        with path.open("rb") as source:
            job = bq.load_table_from_file(source, f"{project}.{dataset}.{table}", job_config=config)
        job.result()
    return int(job.output_rows)


def source_format(path: Path) -> str:
    """BigQuery's name for the format of a file."""
    for ending, name in _FORMATS.items():
        if path.name.lower().endswith(ending):
            return name
    raise ValueError(f"{path.name}: expected a file ending in {', '.join(_FORMATS)}")


def _config(
    path: Path, schema: Sequence[Mapping[str, Any]] | None, partition: Mapping[str, Any], cluster: Sequence[str], *,
    append: bool,
) -> bigquery.LoadJobConfig:  # fmt: skip
    kind = source_format(path)
    config = bigquery.LoadJobConfig(
        source_format=kind, write_disposition="WRITE_APPEND" if append else "WRITE_TRUNCATE"
    )
    if schema is not None:
        config.schema = [bigquery.SchemaField.from_api_repr(dict(field)) for field in schema]
    elif kind != "PARQUET":
        config.autodetect = True
    if kind == "PARQUET":
        config.parquet_options = bigquery.ParquetOptions.from_api_repr({"enableListInference": True})
        config.decimal_target_types = ["NUMERIC", "BIGNUMERIC"]
    if "range" in partition:
        config.range_partitioning = bigquery.RangePartitioning(_properties=dict(partition))
    elif partition:
        config.time_partitioning = bigquery.TimePartitioning.from_api_repr(dict(partition))
    if cluster:
        config.clustering_fields = list(cluster)
    return config
