"""What a commit does to a chunk's record. Pure."""

from __future__ import annotations

from lakeshift.errors import LedgerConflict
from lakeshift.model import ChunkRecord, LakeFile


def with_file(chunk: ChunkRecord, file: LakeFile) -> ChunkRecord:
    """The chunk after a file. Raises LedgerConflict when the file does not begin where the chunk ends."""
    if file.offset != chunk.offset:
        raise LedgerConflict(f"the file begins at row {file.offset}, the chunk ends at {chunk.offset}", where=file.key)
    return chunk.model_copy(
        update={
            "offset": chunk.offset + file.rows,
            "bytes": chunk.bytes + file.bytes,
            "files": (*chunk.files, file),
        }
    )
