"""COPY from Parquet: the manifest, the options, all or nothing, and the records it leaves."""

from __future__ import annotations

from contextlib import suppress

import pyarrow as pa
import pytest

from localcloud.redshift.errors import RedshiftError
from localcloud.redshift.session import Session
from tests.localcloud.redshift.files import BUCKET, Files, copy_sql, entry, manifest, parquet

TWO_ROWS = {"id": pa.array([1, 2], pa.int64()), "name": pa.array(["é", None])}


@pytest.fixture
def target(session: Session, files: Files) -> Session:
    session.execute("CREATE TABLE t (id BIGINT, name VARCHAR(4))")
    files.put_table("a.parquet", TWO_ROWS)
    return session


def count(session: Session) -> int:
    return int(str(session.execute("SELECT COUNT(*) FROM t").rows[0][0]))


def test_rows_of_a_manifest(target: Session) -> None:
    assert target.execute(copy_sql("t", "a.parquet.manifest")).rows_affected == 2
    assert target.execute("SELECT id, name FROM t ORDER BY id").rows == [(1, "é"), (2, None)]
    assert target.execute("SELECT PG_LAST_COPY_COUNT()").rows == [(2,)]
    history = target.execute("SELECT table_name, status, loaded_rows, source_file_count FROM sys_load_history").rows
    assert history == [("t", "completed", 2, 1)]


def test_an_entry_listed_twice_loads_twice(target: Session, files: Files) -> None:
    files.put_manifest("twice", "a.parquet", "a.parquet")
    assert target.execute(copy_sql("t", "twice")).rows_affected == 4
    assert target.execute("SELECT id, COUNT(*) FROM t GROUP BY id ORDER BY id").rows == [(1, 2), (2, 2)]


def test_a_prefix_loads_every_file_under_it(target: Session, files: Files) -> None:
    files.put("part/1.parquet", parquet(TWO_ROWS))
    files.put("part/2.parquet", parquet(TWO_ROWS))
    assert target.execute(copy_sql("t", "part/", options="STATUPDATE OFF")).rows_affected == 4
    with pytest.raises(RedshiftError, match="The specified S3 prefix 'none/' does not exist"):
        target.execute(copy_sql("t", "none/", options=""))


def test_a_column_list_fills_the_rest_with_defaults(session: Session, files: Files) -> None:
    session.execute("CREATE TABLE t (id BIGINT, extra VARCHAR(9) DEFAULT 'made', name VARCHAR(4))")
    files.put_table("a.parquet", TWO_ROWS)
    session.execute(copy_sql("t (id, name)", "a.parquet.manifest"))
    assert session.execute("SELECT * FROM t ORDER BY id").rows == [(1, "made", "é"), (2, "made", None)]


def test_fillrecord_adds_missing_last_columns(session: Session, files: Files) -> None:
    session.execute("CREATE TABLE t (id BIGINT, name VARCHAR(4), late INT)")
    files.put_table("a.parquet", TWO_ROWS)
    with pytest.raises(RedshiftError, match="Table columns: 3, Data columns: 2"):
        session.execute(copy_sql("t", "a.parquet.manifest"))
    session.execute(copy_sql("t", "a.parquet.manifest", "MANIFEST FILLRECORD"))
    assert session.execute("SELECT late FROM t").rows == [(None,), (None,)]


BAD_MANIFESTS = [
    (b"{", "invalid JSON"),
    (b'{"entries": []}', "it has no entries"),
    (manifest([entry("a.parquet", None)]), "has no meta.content_length"),
    (manifest([entry("a.parquet", 5)]), "but the manifest says content_length 5"),
    (manifest([entry("gone.parquet", 5)]), "mandatory file s3://lake/gone.parquet.*NoSuchKey"),
    (manifest([entry("gone.parquet", 5, mandatory=False)]), "names no file that exists"),
    (manifest([{"url": "s3://other/a.parquet", "mandatory": True}]), "NoSuchBucket"),
    (manifest([{"url": "s3://far/a.parquet", "mandatory": True}]), "different region"),
]


@pytest.mark.parametrize(("content", "message"), BAD_MANIFESTS)
def test_bad_manifests(target: Session, files: Files, content: bytes, message: str) -> None:
    files.objects.buckets["far"] = {"a.parquet": b""}
    files.objects.regions["far"] = "eu-west-1"
    files.put("bad", content)
    with pytest.raises(RedshiftError, match=message):
        target.execute(copy_sql("t", "bad"))
    assert count(target) == 0


def test_an_optional_file_may_be_missing(target: Session, files: Files) -> None:
    size = len(files.objects.buckets[BUCKET]["a.parquet"])
    files.put("some", manifest([entry("gone", 1, mandatory=False), entry("a.parquet", size)]))
    assert target.execute(copy_sql("t", "some")).rows_affected == 2


def test_a_missing_manifest(target: Session) -> None:
    with pytest.raises(RedshiftError, match="Problem reading manifest file - S3ServiceException"):
        target.execute(copy_sql("t", "nosuch"))


@pytest.mark.parametrize(
    "option", ["MAXERROR 5", "REGION 'eu-west-1'", "COMPUPDATE OFF", "TRUNCATECOLUMNS", "GZIP", "ACCEPTANYDATE"]
)
def test_options_of_text_files_are_refused_by_name(target: Session, option: str) -> None:
    word = option.split(maxsplit=1)[0]
    with pytest.raises(RedshiftError, match=f"{word} argument is not supported for PARQUET based COPY"):
        target.execute(copy_sql("t", "a.parquet.manifest", f"MANIFEST {option}"))


def test_roles_and_credentials(target: Session) -> None:
    stranger = "arn:aws:iam::123456789012:role/stranger"
    with pytest.raises(RedshiftError, match=f"not authorized to assume IAM Role {stranger}"):
        target.execute(copy_sql("t", "a.parquet.manifest", role=stranger))
    with pytest.raises(RedshiftError, match="Invalid IAM role ARN"):
        target.execute(copy_sql("t", "a.parquet.manifest", role="copy"))
    with pytest.raises(RedshiftError, match="requires credentials"):
        target.execute("COPY t FROM 's3://lake/a.parquet.manifest' FORMAT AS PARQUET MANIFEST")
    with pytest.raises(RedshiftError, match="EXPLICIT_IDS needs an IDENTITY column"):
        target.execute(copy_sql("t", "a.parquet.manifest", "MANIFEST EXPLICIT_IDS"))


def test_columns_must_have_the_order_of_the_table(session: Session, files: Files) -> None:
    session.execute("CREATE TABLE t (name VARCHAR(4), id BIGINT)")
    files.put_table("a.parquet", TWO_ROWS)
    with pytest.raises(RedshiftError, match=r'column 1 of .* is "id" where the table has "name"'):
        session.execute(copy_sql("t", "a.parquet.manifest"))


def test_a_string_wider_than_its_column_in_bytes(target: Session, files: Files) -> None:
    files.put_table("wide.parquet", {"id": pa.array([1, 2, 3], pa.int64()), "name": ["ok", "ééé", "ok"]})
    with pytest.raises(RedshiftError, match=r"The length of the data column name is longer .* Table: 4, Data: 6"):
        target.execute(copy_sql("t", "wide.parquet.manifest"))
    assert count(target) == 0
    rows = target.execute(
        "SELECT e.table_id = i.table_id, TRIM(e.file_name), TRIM(e.column_name), e.column_type, TRIM(e.column_length), "
        "e.line_number, e.position, e.error_code, TRIM(e.database_name), LEFT(e.error_message, 20) "
        "FROM sys_load_error_detail AS e LEFT JOIN svv_table_info AS i ON i.table_id = e.table_id"
    ).rows
    place = ("s3://lake/wide.parquet", "name", "varchar   ", "4", 2, 0, 15001, "dev", "Spectrum Scan Error.")
    assert rows == [(None, *place)]  # SVV_TABLE_INFO does not show empty tables
    values = target.execute("SELECT TRIM(raw_field_value), err_code, colname = 'name' FROM stl_load_errors").rows
    assert values == [("ééé", 15001, True)]


def test_an_error_is_joined_to_its_load_and_names_its_table(target: Session, files: Files) -> None:
    target.execute("INSERT INTO t VALUES (9, 'kept')")
    files.put_table("bad.parquet", {"id": ["text"], "name": ["ok"]})
    for key in ("bad.parquet.manifest", "a.parquet.manifest"):
        with suppress(RedshiftError):
            target.execute(copy_sql("t", key))
    loads = target.execute(
        'SELECT h.table_name, h.status, h.loaded_rows, h.error_count, h.file_format, e.line_number, i."table" '
        "FROM sys_load_history AS h LEFT JOIN sys_load_error_detail AS e ON e.query_id = h.query_id "
        "LEFT JOIN svv_table_info AS i ON i.table_id = e.table_id ORDER BY h.query_id"
    ).rows
    assert loads == [("t", "aborted", 0, 1, "parquet", 0, "t"), ("t", "completed", 2, 0, "parquet", None, None)]


def test_a_load_that_is_undone_leaves_no_record_and_a_failed_one_does(target: Session, files: Files) -> None:
    target.execute("BEGIN")
    target.execute(copy_sql("t", "a.parquet.manifest"))
    assert target.execute("SELECT PG_LAST_COPY_COUNT()").rows == [(2,)]
    target.execute("ROLLBACK")
    assert target.execute("SELECT COUNT(*) FROM sys_load_history").rows == [(0,)]
    files.put_table("wide.parquet", {"id": pa.array([1], pa.int64()), "name": ["too wide"]})
    target.execute("BEGIN")
    target.execute(copy_sql("t", "a.parquet.manifest"))
    with pytest.raises(RedshiftError, match="longer than the length"):
        target.execute(copy_sql("t", "wide.parquet.manifest"))
    target.execute("COMMIT")
    assert (count(target), target.execute("SELECT status FROM sys_load_history").rows) == (0, [("aborted",)])


def test_a_string_of_65536_bytes_never_fits(session: Session, files: Files) -> None:
    session.execute("CREATE TABLE t (a VARCHAR(65535))")
    files.put_table("fits.parquet", {"a": ["x" * 65_535]})
    files.put_table("over.parquet", {"a": ["é" * 32_768]})
    session.execute(copy_sql("t", "fits.parquet.manifest"))
    with pytest.raises(RedshiftError, match="Table: 65535, Data: 65536"):
        session.execute(copy_sql("t", "over.parquet.manifest"))
    assert session.execute("SELECT LEN(a) FROM t").rows == [(65_535,)]


def test_copy_is_all_or_nothing_over_files(target: Session, files: Files) -> None:
    files.put("b.parquet", parquet({"id": pa.array([3], pa.int64()), "name": ["too long"]}))
    files.put_manifest("both", "a.parquet", "b.parquet")
    with pytest.raises(RedshiftError, match="longer than the length"):
        target.execute(copy_sql("t", "both"))
    assert count(target) == 0
    assert target.execute("SELECT status FROM sys_load_history").rows == [("aborted",)]


def test_nulls_in_not_null_columns(session: Session, files: Files) -> None:
    session.execute("CREATE TABLE t (id BIGINT, name VARCHAR(4) NOT NULL)")
    files.put_table("a.parquet", TWO_ROWS)
    with pytest.raises(RedshiftError, match="Cannot insert a NULL value into column name"):
        session.execute(copy_sql("t", "a.parquet.manifest"))
    assert session.execute("SELECT line_number FROM sys_load_error_detail").rows == [(2,)]


def test_invalid_utf8_needs_acceptinvchars(target: Session, files: Files) -> None:
    broken = pa.array([b"a\xffb"]).view(pa.string())
    files.put_table("bad.parquet", {"id": pa.array([1], pa.int64()), "name": broken})
    with pytest.raises(RedshiftError, match="invalid or unsupported UTF8"):
        target.execute(copy_sql("t", "bad.parquet.manifest"))
    target.execute(copy_sql("t", "bad.parquet.manifest", "MANIFEST ACCEPTINVCHARS"))
    assert target.execute("SELECT name FROM t").rows == [("a?b",)]


def test_a_file_that_is_not_parquet(target: Session, files: Files) -> None:
    files.put("a.csv", b"1,x\n")
    files.put_manifest("csv", "a.csv")
    with pytest.raises(RedshiftError, match="is not a valid Parquet file"):
        target.execute(copy_sql("t", "csv"))


def test_copy_rolls_back_with_its_transaction(target: Session) -> None:
    target.begin()
    target.execute(copy_sql("t", "a.parquet.manifest"))
    target.rollback()
    assert count(target) == 0
    assert target.execute("SELECT COUNT(*) FROM sys_load_history").rows == [(0,)]


def test_empty_files_and_empty_tables(target: Session, files: Files) -> None:
    files.put_table("none.parquet", {"id": pa.array([], pa.int64()), "name": pa.array([], pa.string())})
    assert target.execute(copy_sql("t", "none.parquet.manifest")).rows_affected == 0
    assert count(target) == 0


def test_several_batches_of_one_file(session: Session, files: Files) -> None:
    session.execute("CREATE TABLE t (id BIGINT, name VARCHAR(20))")
    rows = 300_000
    files.put_table(
        "big.parquet", {"id": pa.array(range(rows), pa.int64()), "name": [f"name {n}" for n in range(rows)]}
    )
    assert session.execute(copy_sql("t", "big.parquet.manifest")).rows_affected == rows
    assert session.execute("SELECT SUM(id), COUNT(DISTINCT name) FROM t").rows == [(str(rows * (rows - 1) // 2), rows)]
