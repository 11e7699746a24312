"""The manifest that COPY reads. https://docs.aws.amazon.com/redshift/latest/dg/loading-data-files-using-manifest.html"""

from __future__ import annotations

import json
from collections.abc import Sequence

from lakeshift.errors import TerminalError
from lakeshift.model import LakeFile, SideFile


def text(bucket: str, files: Sequence[LakeFile | SideFile]) -> bytes:
    """Manifest of all files that hold rows, each exactly once, with the byte length Parquet requires.

    Raises:
        TerminalError: a file stands twice; COPY would load it twice.
    """
    keys = [file.key for file in files if file.rows]
    if len(set(keys)) < len(keys):
        raise TerminalError("a file stands twice in the extract", next_step="submit the config again: a new run.")
    entries = [
        {"url": f"s3://{bucket}/{file.key}", "mandatory": True, "meta": {"content_length": file.bytes}}
        for file in sorted(files, key=lambda file: file.key)
        if file.rows
    ]
    return json.dumps({"entries": entries}, indent=1).encode()
