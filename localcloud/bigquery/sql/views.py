"""Views: their schema is that of their query, which must work when the view is made."""

from __future__ import annotations

from localcloud.bigquery.schema import Schema
from localcloud.bigquery.sql import engine
from localcloud.bigquery.sql.context import Context
from localcloud.bigquery.storage.catalog import Catalog, TableRef


def check(catalog: Catalog, ref: TableRef, query: str) -> Schema:
    """The schema of a view over `query`; raises `invalidQuery`."""
    context = Context(ref.project, (ref.project, ref.dataset))
    outcome = engine.run(catalog, context, query, dry_run=True)
    return outcome.fields or ()
