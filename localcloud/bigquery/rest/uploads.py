"""The upload side of jobs.insert."""

from __future__ import annotations

import json
from typing import Any

from werkzeug.wrappers import Request, Response

from localcloud.bigquery.errors import invalid
from localcloud.bigquery.jobs import Jobs
from localcloud.bigquery.rest import upload
from localcloud.bigquery.rest.body import body
from localcloud.bigquery.settings import Settings


class LoadUploads:
    """Load jobs with their data."""

    def __init__(self, jobs: Jobs, settings: Settings) -> None:
        self._jobs = jobs
        self._uploads = upload.Uploads(settings.data / "uploads")

    def start(self, request: Request, project: str) -> Response | dict[str, Any]:
        """A whole multipart upload, or the beginning of a resumable one."""
        kind = request.args.get("uploadType")
        if kind == "resumable":
            name = self._uploads.start(project, body(request))
            return Response(headers={"Location": f"{request.base_url}?uploadType=resumable&upload_id={name}"})
        if kind == "multipart":
            return self._multipart(request, project)
        raise invalid(f"Invalid uploadType {kind}")

    def _multipart(self, request: Request, project: str) -> dict[str, Any]:
        job, data = upload.split_related(request.get_data(), request.headers.get("Content-Type", ""))
        path = self._uploads.file()
        path.write_bytes(data)
        try:
            return self._jobs.load(project, job, path)
        finally:
            path.unlink()

    def receive(self, request: Request, project: str) -> Response | dict[str, Any]:
        """One chunk; the last one runs the job."""
        name = request.args.get("upload_id", "")
        header = request.headers.get("Content-Range", "")
        found, complete = self._uploads.receive(name, header, request.stream, request.content_length or 0)
        if not complete:
            headers = {"Range": f"bytes=0-{found.received - 1}"} if found.received else {}
            return Response(json.dumps({}), 308, headers, content_type="application/json")
        try:
            return self._jobs.load(project, found.job, found.path)
        finally:
            self._uploads.finish(name)
