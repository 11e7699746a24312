"""What a query brings along besides its text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from localcloud.bigquery.errors import invalid_query
from localcloud.bigquery.storage.catalog import TableRef


@dataclass(frozen=True)
class Context:
    """The project that pays, the default dataset, the parameters, the location asked for."""

    project: str
    dataset: tuple[str, str] | None = None
    parameters: tuple[Mapping[str, Any], ...] = ()
    location: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @staticmethod
    def parse(project: str, query: Mapping[str, Any], location: str | None) -> Context:
        """Read a query configuration."""
        default = query.get("defaultDataset")
        dataset = (default.get("projectId", project), default["datasetId"]) if default else None
        return Context(project, dataset, tuple(query.get("queryParameters") or ()), location, query)

    def table(self, parts: tuple[str, ...]) -> TableRef:
        """A table name of one to three parts; raises `invalidQuery` without a dataset."""
        if len(parts) == 3:
            return TableRef(*parts)
        if len(parts) == 2:
            return TableRef(self.project, *parts)
        if self.dataset is None or len(parts) != 1:
            raise invalid_query(f'Table "{".".join(parts)}" must be qualified with a dataset (e.g. dataset.table).')
        return TableRef(*self.dataset, parts[0])
