"""datasets.list, insert, get, patch and delete."""

from __future__ import annotations

import re
import time
from typing import Any

from werkzeug.wrappers import Request

from localcloud.bigquery.auth import Authority
from localcloud.bigquery.errors import invalid, not_found
from localcloud.bigquery.rest import resources
from localcloud.bigquery.rest.body import body
from localcloud.bigquery.rest.paging import page
from localcloud.bigquery.settings import Settings
from localcloud.bigquery.storage.catalog import Catalog

_NAME = re.compile(r"^\w{1,1024}$", re.ASCII)


class Datasets:
    """The datasets collection."""

    def __init__(self, catalog: Catalog, authority: Authority, settings: Settings) -> None:
        self._catalog = catalog
        self._authority = authority
        self._location = settings.location

    def list(self, request: Request, project: str) -> dict[str, Any]:
        """The datasets of a project; a project exists when it has one, or is the service account's own."""
        if project not in self._catalog.projects() | {self._authority.project}:
            raise not_found("Project", project)
        found, token = page(self._catalog.datasets(project), request)
        items = [resources.dataset_item(d) for d in found]
        answer: dict[str, Any] = {"kind": "bigquery#datasetList", "etag": "0"}
        return {**answer, **({"datasets": items} if items else {}), **token}

    def insert(self, request: Request, project: str) -> dict[str, Any]:
        """A new dataset; a project comes into being with its first one."""
        wanted = body(request)
        name = str((wanted.get("datasetReference") or {}).get("datasetId", ""))
        if not _NAME.match(name):
            raise invalid(f'Invalid dataset ID "{name}". Dataset IDs must be alphanumeric (plus underscores).')
        meta = {"location": self._location, **_known(wanted)}
        return resources.dataset(self._catalog.create_dataset(project, name, meta), self._location)

    def get(self, _: Request, project: str, dataset: str) -> dict[str, Any]:
        """One dataset."""
        return resources.dataset(self._catalog.dataset(project, dataset), self._location)

    def patch(self, request: Request, project: str, dataset: str) -> dict[str, Any]:
        """Change properties; null removes one."""
        with self._catalog.lock:
            found = self._catalog.dataset(project, dataset)
            changed = _known(body(request))
            if changed.get("location", found.location) != found.location:
                raise invalid("The location of a dataset cannot be changed")
            found.meta = {k: v for k, v in {**found.meta, **changed}.items() if v is not None}
            found.modified = time.time_ns() // 1_000_000
            self._catalog.save_dataset(found)
        return resources.dataset(found, self._location)

    def delete(self, request: Request, project: str, dataset: str) -> None:
        """Delete; tables go with it only when deleteContents says so."""
        contents = request.args.get("deleteContents", "false").lower() == "true"
        self._catalog.drop_dataset(project, dataset, contents=contents)


def _known(wanted: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in wanted.items() if k in resources.DATASET_KEYS}
