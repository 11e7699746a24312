"""COPY as text -> CopyStatement, under the rules for columnar files.

https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-columnar.html
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from localcloud.redshift.errors import NotInTwinError, RedshiftError, syntax_error
from localcloud.redshift.tokens import TokenReader

COLUMNAR = "https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-columnar.html"
_NOT_COLUMNAR = frozenset(
    [
        "ACCEPTANYDATE",
        "BLANKSASNULL",
        "BZIP2",
        "COMPROWS",
        "COMPUPDATE",
        "DATEFORMAT",
        "DELIMITER",
        "EMPTYASNULL",
        "ENCODING",
        "ENCRYPTED",
        "ESCAPE",
        "FILLTARGET",
        "FIXEDWIDTH",
        "GZIP",
        "IGNOREALLERRORS",
        "IGNOREBLANKLINES",
        "IGNOREHEADER",
        "LZOP",
        "MASTER_SYMMETRIC_KEY",
        "MAXERROR",
        "NOLOAD",
        "NULL",
        "QUOTE",
        "READRATIO",
        "REGION",
        "REMOVEQUOTES",
        "ROUNDEC",
        "SSH",
        "TIMEFORMAT",
        "TRIMBLANKS",
        "TRUNCATECOLUMNS",
        "ZSTD",
    ]
)
_FORMATS = frozenset({"AVRO", "CSV", "FIXEDWIDTH", "JSON", "ORC", "SHAPEFILE"})


@dataclass
class CopyStatement:
    table: tuple[str, ...]
    columns: list[str]
    bucket: str
    key: str
    role: str = ""
    parquet: bool = False
    flags: set[str] = field(default_factory=set)

    @property
    def manifest(self) -> bool:
        return "MANIFEST" in self.flags

    @property
    def source(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def read_copy(reader: TokenReader) -> CopyStatement:
    reader.expect("COPY")
    table = reader.path()
    columns = reader.names() if reader.peek("(") else []
    reader.expect("FROM")
    statement = CopyStatement(table, columns, *split_url(reader.string()))
    while not reader.done and not reader.peek(";"):
        _option(reader, statement)
    reader.end()
    _check(statement)
    return statement


def split_url(url: str) -> tuple[str, str]:
    """Bucket and key of an s3:// address."""
    parts = urlsplit(url, allow_fragments=False)
    if parts.scheme != "s3" or not parts.netloc:
        raise NotInTwinError(f"COPY from {url}; only s3:// is read")
    return parts.netloc, url.split("/", 3)[3] if url.count("/") > 2 else ""


def _option(reader: TokenReader, statement: CopyStatement) -> None:
    word = reader.word()
    if word in _READERS:
        _READERS[word](reader, statement)
    elif word in _NOT_COLUMNAR:
        raise RedshiftError(f"{word} argument is not supported for PARQUET based COPY", code="0A000", link=COLUMNAR)
    elif word in _FORMATS:
        raise NotInTwinError(f"COPY of {word} files; only PARQUET is read")
    else:
        raise syntax_error(word)
    statement.flags.add(word)


def _role(reader: TokenReader, statement: CopyStatement) -> None:
    if reader.accept("DEFAULT"):
        raise NotInTwinError("IAM_ROLE default; name the role")
    statement.role = reader.string()


def _credentials(reader: TokenReader, statement: CopyStatement) -> None:
    reader.accept("AS")
    text = reader.string()
    if not text.startswith("aws_iam_role="):
        raise NotInTwinError("COPY with access keys; use IAM_ROLE")
    statement.role = text.removeprefix("aws_iam_role=")


def _access_keys(_: TokenReader, __: CopyStatement) -> None:
    raise NotInTwinError("COPY with access keys; use IAM_ROLE")


def _format(reader: TokenReader, statement: CopyStatement) -> None:
    reader.accept("AS")
    word = reader.word()
    if word != "PARQUET":
        raise NotInTwinError(f"COPY of {word} files; only PARQUET is read")
    statement.parquet = True


def _parquet(_: TokenReader, statement: CopyStatement) -> None:
    statement.parquet = True


def _flag(_: TokenReader, __: CopyStatement) -> None:
    """The word alone."""


def _replacement(reader: TokenReader, _: CopyStatement) -> None:
    reader.accept("AS")
    if reader.peek(""):
        raise NotInTwinError("ACCEPTINVCHARS with a replacement character; the default ? is used")


def _statupdate(reader: TokenReader, _: CopyStatement) -> None:
    reader.accept_one("ON", "OFF", "TRUE", "FALSE")


_READERS = {
    "IAM_ROLE": _role,
    "CREDENTIALS": _credentials,
    "ACCESS_KEY_ID": _access_keys,
    "FORMAT": _format,
    "PARQUET": _parquet,
    "MANIFEST": _flag,
    "SERIALIZETOJSON": _flag,
    "FILLRECORD": _flag,
    "EXPLICIT_IDS": _flag,
    "ACCEPTINVCHARS": _replacement,
    "STATUPDATE": _statupdate,
}


def _check(statement: CopyStatement) -> None:
    if not statement.parquet:
        raise NotInTwinError("COPY of delimited text; only PARQUET is read")
    if not statement.role:
        raise RedshiftError("COPY from S3 requires credentials: IAM_ROLE or CREDENTIALS", code="42601", link=COLUMNAR)
    if "EXPLICIT_IDS" in statement.flags:
        raise RedshiftError("EXPLICIT_IDS needs an IDENTITY column in the table", code="42601", link=COLUMNAR)
