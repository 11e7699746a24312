"""The config file: one JSON document that names sources, target and how to move.

`read` turns bytes into a `Migration` or raises `ConfigInvalid` with every problem found, each with its JSON pointer.
"""

from __future__ import annotations

import json
import re
from difflib import get_close_matches
from string import Formatter
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from lakeshift.errors import ConfigInvalid, Problem
from lakeshift.types import condition
from lakeshift.types.names import is_system_schema


class Part(BaseModel):
    """Base of all parts of the config: closed, immutable, camelCase in JSON, no silent type conversion."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, alias_generator=to_camel)


Name = Annotated[str, Field(min_length=1, max_length=1024)]
# https://docs.aws.amazon.com/redshift-serverless/latest/APIReference/API_CreateWorkgroup.html
Workgroup = Annotated[str, Field(pattern=r"^[a-z0-9-]{3,64}$")]
# https://docs.aws.amazon.com/redshift/latest/APIReference/API_CreateCluster.html
Cluster = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")]


REGEX = "regex:"


def _compiles(pattern: str) -> str:
    """A glob as it is; a regular expression only when Python can read it."""
    if pattern.startswith(REGEX):
        try:
            re.compile(pattern.removeprefix(REGEX))
        except re.error as error:
            msg = f"not a regular expression: {error}"
            raise ValueError(msg) from error
    return pattern


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Pattern = Annotated[Name, AfterValidator(_compiles)]
Patterns = Annotated[
    list[Pattern],
    Field(min_length=1),
    BeforeValidator(_listed),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]


class Sample(Part):
    """A part of the rows, for a rehearsal: the same rows each time, and rows with NULLs and extremes among them."""

    percent: Annotated[float, Field(gt=0, le=100)] = Field(description="About how many percent of the rows to keep.")


class Incremental(Part):
    """How a run after the first finds what is new."""

    by: Literal["partition", "column", "key", "append"] = Field(
        description="partition: partitions that changed are replaced. column: rows from its greatest value on are. "
        "key: rows are merged by their key. append: rows above its greatest value are added."
    )
    column: Name | None = Field(
        default=None,
        description="With column and append: a column that only grows, as rows are added. With key: one that grows as "
        "rows change, e.g. updated_at; without it all rows are read and merged.",
    )
    key: list[Name] = Field(
        default=[], description="With key: columns that name a row; by default the source's primary key."
    )
    deletes: Literal["none", "keys"] = Field(
        default="none",
        description="With key. keys: the key of every row is read, and rows whose key is gone go. none: they stay.",
    )

    @model_validator(mode="after")
    def _column_where_needed(self) -> Incremental:
        if (self.by == "partition" and self.column) or (self.by in ("column", "append") and not self.column):
            msg = '"column" stands with "by": "column" and "append", may stand with "key", and only there'
            raise ValueError(msg)
        if self.by != "key" and (self.key or self.deletes != "none"):
            msg = '"key" and "deletes" stand with "by": "key", and only there'
            raise ValueError(msg)
        return self


Misfits = Literal["fail", "quarantine", "truncate", "null"]
_MISFITS = (
    "Rows with values that Redshift cannot hold. fail: the table fails. quarantine: they are left out. truncate: their "
    "text is cut. null: without the value. All but fail are recorded in TABLE__quarantine; the lake keeps them whole."
)


Handled = Literal["super", "flatten", "child_table", "json_text"]


class Nested(Part):
    """What becomes of nested columns: docs/how-to/nested.md says how to choose."""

    default: Handled = Field(
        default="super",
        description="super: kept whole. flatten: a STRUCT's fields become columns. child_table: so do they, and arrays "
        "become tables of their own. json_text: JSON in a VARCHAR.",
    )
    columns: dict[Name, Handled] = Field(
        default={}, description="By dotted path of a nested column, e.g. device.os; it holds for what is inside, too."
    )
    key: list[Name] = Field(
        default=[], description="Columns that name a row in its child tables; by default a column __ls_row is added."
    )


class Tolerance(Part):
    """How many rows may differ; the larger number counts. By default none may."""

    rows: Annotated[int, Field(ge=0)] = Field(default=0, description="So many rows of a table may differ.")
    percent: Annotated[float, Field(ge=0, le=100)] = Field(
        default=0.0, description="So many percent of a table's rows may differ."
    )


class Validation(Part):
    """How deep the gate looks before a table is published; each depth includes those before it."""

    depth: Literal["schema", "count", "aggregates", "checksum", "rows"] = Field(
        default="checksum",
        description="schema: names and types. count: rows in source, lake and target. aggregates: NULLs, bounds, sums, "
        "lengths of every column. checksum: every value, by sums over segments of rows. rows: also which rows differ.",
    )
    tolerance: Tolerance = Field(default=Tolerance(), description="How many rows may differ.")
    max_rows_compared: Annotated[int, Field(ge=1)] = Field(
        default=1_000_000,
        description="Rows that are compared one by one at most; a table where more would have to be fails.",
    )
    mask: Literal["none", "text", "all"] = Field(
        default="text", description="Values of rows that results and reports hide: none, texts and bytes, or all."
    )
    anomalies: Literal["report", "block", "off"] = Field(
        default="report",
        description="Rows, NULLs and values unlike those of the runs before. report: the report says so. block: the "
        "table is not published. off: nothing is compared or remembered.",
    )
    anomaly_score: Annotated[float, Field(gt=0)] = Field(
        default=3.5, description="With three earlier runs or more: standard deviations (robust ones) that are usual."
    )
    anomaly_change: Annotated[float, Field(gt=0)] = Field(
        default=0.5, description="With fewer: change that is usual, as a part of what was there; 0.5 is 50 %."
    )
    source: Literal["extract", "query"] = Field(
        default="extract",
        description="What stands for the source. extract: checksums taken while it was read, at no second read. query: "
        "it is asked for the same sums itself as well, which bills a scan of the columns.",
    )
    max_source_bytes: Annotated[int, Field(ge=0)] = Field(
        default=1024**4,
        description="Bytes that the source may scan, and bill, for the questions of one run or one command; more is "
        "refused by its estimate, before anything is asked. The file's counts, not a table's.",
    )
    share_megabytes: Annotated[int, Field(ge=1, le=1024**2)] = Field(
        default=4096,
        description="MiB of lake files that one function reads; those of a table with more are read by several side by "
        "side, by 16 at most.",
    )


class TableRule(Part):
    """What holds for some tables of a data set; the first rule that matches a table counts, alone."""

    match: Patterns = Field(
        description="Glob or regex:EXPRESSION of table names, or a list of them; a date-sharded family by its name."
    )
    columns: list[Pattern] = Field(
        default=["*"], min_length=1, description="Patterns of columns to take, in the order of the table."
    )
    exclude_columns: list[Pattern] = Field(
        default=[], description="Patterns of columns to leave out; stronger than columns."
    )
    filter: Annotated[str, Field(min_length=1, max_length=100_000)] | None = Field(
        default=None, description="GoogleSQL condition on the rows to take: one expression, without subqueries."
    )
    priority: Annotated[int, Field(ge=-1000, le=1000)] = Field(
        default=0, description="Tables with a higher one start first."
    )
    sample: Sample | None = Field(default=None, description="A sample of these tables; stronger than the file's.")
    incremental: Incremental | None = Field(default=None, description="Take only what is new since the last publish.")
    nested: Nested = Field(default=Nested(), description="What becomes of nested columns.")
    wide: Literal["refuse", "super", "split"] = Field(
        default="refuse",
        description="Tables over 1,600 columns. refuse: by name. super: the last columns are folded into __ls_wide. "
        "split: they go into more tables, <table>__part_2 and so on, each with the key of nested.",
    )
    misfits: Misfits | None = Field(default=None, description="As the file's; stronger than it.")
    validation: Validation | None = Field(default=None, description="As the file's, in its place as a whole.")

    @field_validator("filter")
    @classmethod
    def _one_condition(cls, value: str | None) -> str | None:
        problem = condition.problem(value) if value is not None else ""
        if problem:
            raise ValueError(problem)
        return value


def _of_tables(schema: str) -> str:
    if is_system_schema(schema):
        msg = f"{schema} is a schema of Redshift's own, or of the history of loads; name another one"
        raise ValueError(msg)
    return schema


class Dataset(Part):
    """A BigQuery data set and the tables of it that are meant."""

    name: Name = Field(description="Name of the data set.")
    include: list[Pattern] = Field(
        default=["*"],
        min_length=1,
        description="Globs, or regex:EXPRESSION for the whole name, of the tables to take.",
    )
    exclude: list[Pattern] = Field(
        default=[], description="Globs or regex:EXPRESSION of tables to leave out; stronger than include."
    )
    shards: Literal["family", "tables"] = Field(
        default="family",
        description="family: tables NAME_YYYYMMDD are one table NAME on the target. tables: each is its own.",
    )
    tables: list[TableRule] = Field(default=[], description="What holds for some of the tables.")
    target_schema: Name | None = Field(
        default=None, alias="schema", description="Schema on the target; by default the name of the data set."
    )

    @field_validator("target_schema")
    @classmethod
    def _a_name(cls, value: str | None) -> str | None:
        if value and ("{" in value or "}" in value):
            msg = "this is a name as it is; {project} and {dataset} may stand in target.schema"
            raise ValueError(msg)
        return _of_tables(value) if value else value


class Views(Part):
    """Views, materialized views and external tables, which can only be read through a query that bills."""

    read: Literal["refuse", "query"] = Field(
        default="refuse", description="refuse: they are reported, not moved. query: through a table of their result."
    )
    dataset: Name | None = Field(
        default=None, description="With query: data set of the project that the results are written to."
    )
    max_bytes: Annotated[int, Field(ge=1)] = Field(
        default=1024**4, description="What one query may scan and bill, in bytes; a view above it is refused."
    )
    convert: Literal["skip", "deliver", "create"] = Field(
        default="skip",
        description="Views' own SQL. skip: read them as tables, or not. deliver: translated, as files beside the "
        "report. create: views on the target as well, where the translation is sure.",
    )

    @model_validator(mode="after")
    def _somewhere_to_write(self) -> Views:
        if self.read == "query" and not self.dataset:
            msg = '"read": "query" needs "dataset", where the results are written'
            raise ValueError(msg)
        return self


class Source(Part):
    """A BigQuery project to read."""

    type: Literal["bigquery"] = Field(description="Kind of source.")
    project: Name = Field(description="Project that holds the data sets and is billed for reading.")
    datasets: list[Dataset] = Field(min_length=1, description="Data sets to move.")
    views: Views = Field(default=Views(), description="Whether and how views and external tables are read.")
    credentials: Name | None = Field(
        default=None,
        description="Secrets Manager name of a service account key, beginning with lakeshift/; by default the stage's.",
    )


def _only_names(template: str) -> bool:
    """True for what str.format can fill with a project and a data set, without conversions or widths."""
    try:
        fields = [found for _, *found in Formatter().parse(template) if found[0] is not None]
    except ValueError:
        return False
    return all(found in (["project", "", None], ["dataset", "", None]) for found in fields)


class Target(Part):
    """The Redshift that receives the tables; what is left out comes from the stage's parameters."""

    type: Literal["redshift"] = Field(default="redshift", description="Kind of target.")
    workgroup: Workgroup | None = Field(
        default=None, description="Redshift Serverless workgroup, in a stage that is deployed with one."
    )
    cluster: Cluster | None = Field(
        default=None, description="Provisioned cluster, the one of the stage; not together with workgroup."
    )
    database: Name | None = Field(default=None, description="Database to load into.")
    secret: Name | None = Field(
        default=None,
        description="Secrets Manager name of the database user's password, beginning with lakeshift/ or the stage's; "
        "by default IAM is asked.",
    )
    db_user: Name | None = Field(
        default=None,
        description="Database user of the cluster, the one of the stage, for temporary credentials; not together with "
        "secret.",
    )
    schema_name: str = Field(
        default="{dataset}",
        alias="schema",
        min_length=1,
        description="Schema of the tables; may hold {project} and {dataset}.",
    )

    @field_validator("schema_name")
    @classmethod
    def _known_placeholders(cls, value: str) -> str:
        if not _only_names(value):
            msg = "only {project} and {dataset} may stand in braces"
            raise ValueError(msg)
        return _of_tables(value)

    @model_validator(mode="after")
    def _one_endpoint(self) -> Target:
        if self.workgroup and self.cluster:
            msg = "name a workgroup or a cluster, not both"
            raise ValueError(msg)
        if self.db_user and (self.secret or self.workgroup):
            msg = "dbUser stands with a cluster only, and not together with secret"
            raise ValueError(msg)
        return self


class Lake(Part):
    """Where the files go in the stage's lake bucket."""

    prefix: Annotated[str, Field(pattern=r"^([A-Za-z0-9._=-]+/)*$", max_length=256)] = Field(
        default="", description='Key prefix, "" or ending in "/"; the zones raw/, processed/, archive/ stand below it.'
    )
    catalog: bool = Field(
        default=True, description="Show the files of published tables in the Glue Data Catalog, for Athena."
    )


class Extract(Part):
    """How the source is read."""

    statistics: bool = Field(
        default=True, description="Take minimum, maximum, NULLs, lengths and checksums of all columns while reading."
    )
    file_megabytes: Annotated[int, Field(ge=128, le=512)] = Field(
        default=256, description="Size of a Parquet file, in MiB."
    )
    chunk_megabytes: Annotated[int, Field(ge=64)] = Field(
        default=2048, description="Source bytes of a chunk, in MiB: what is lost at most with a read session."
    )
    stall_seconds: Annotated[float, Field(ge=1, le=3600)] = Field(
        default=120, description="A reader without a message for so long is cut off and goes on where it was."
    )
    read_streams: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        default=None, description="Streams that all tables of the run may read at a time; by default the stage's."
    )
    engine: Literal["auto", "lambda", "glue"] = Field(
        default="auto", description="What reads the tables; auto: Lambda, and Glue for large ones."
    )


class Load(Part):
    """When the target is loaded."""

    mode: Literal["immediate", "scheduled"] = Field(
        default="immediate", description="immediate: after each table's extract. scheduled: by CopyCommandSchedule."
    )
    keep_previous_days: Annotated[int, Field(ge=0, le=365)] = Field(
        default=7,
        description="How long what a publish takes the place of is kept, so that `rollback` finds it; 0: not.",
    )
    keep_previous_versions: Annotated[int, Field(ge=1, le=100)] = Field(
        default=1, description="How many such versions of a table are kept at most."
    )


Policy = Literal["apply", "approve", "refuse"]


class SchemaChange(Part):
    """What happens to a table whose columns differ from those that were published last.

    apply: it moves. approve: only by `lakeshift run --plan`, with a plan that shows the difference. refuse: never.
    """

    safe: Policy = Field(default="apply", description="Columns that are new, and what changes nothing that was there.")
    widen: Policy = Field(default="apply", description="Types that hold all values of the old ones.")
    breaking: Policy = Field(default="approve", description="Columns that are gone, and all other changes of types.")


class Types(Part):
    """How wide the target's types are."""

    measured: bool = Field(
        default=False,
        description="Ask the source how long texts and how large BIGNUMERICs are, by a query that bills, when the run "
        "is planned; by default the declared types decide.",
    )
    headroom: Annotated[float, Field(ge=1, le=1000)] = Field(
        default=2.0, description="How many times the longest value a measured text may have, before it is rounded up."
    )
    max_bytes: Annotated[int, Field(ge=1)] = Field(
        default=1024**4, description="What the question may scan, in bytes; a table above it keeps the types it has."
    )


class AcceptedPlan(Part):
    """The plan that a run follows; `lakeshift run --plan` writes this."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] = Field(
        description="Digest of the plan, which stands at plans/SHA256.json in the config bucket."
    )


class Reload(Part):
    """Load again what an earlier run has extracted, without touching the source; `lakeshift load` writes this."""

    run: Name = Field(description="The run whose extracts are loaded.")
    tables: list[Name] = Field(default=[], description="Full names of its tables; by default all of them.")
    replace_later: bool = Field(
        default=False, description="Also where a later run has published; what that one published counts as taken back."
    )


class Migration(Part):
    """The whole config file."""

    sources: list[Source] = Field(min_length=1, description="What to move.")
    target: Target = Field(default=Target(), description="Where to.")
    lake: Lake = Field(default=Lake(), description="Where in the lake.")
    input_max_parallelism: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=None, description="Tables that are migrated at the same time; by default the stage's."
    )
    initiate_schema_detection: bool | None = Field(
        default=None, description="false: the target tables exist already and are checked, not created."
    )
    sample: Sample | None = Field(default=None, description="A sample of all tables, for a rehearsal.")
    misfits: Misfits = Field(default="quarantine", description=_MISFITS)
    extract: Extract = Field(default=Extract(), description="How to read.")
    load: Load = Field(default=Load(), description="When to load.")
    validation: Validation = Field(default=Validation(), description="What must hold before publishing.")
    schema_change: SchemaChange = Field(
        default=SchemaChange(), description="What may happen to tables whose columns have changed."
    )
    types: Types = Field(default=Types(), description="How wide the target's types are.")
    plan: AcceptedPlan | None = Field(default=None, description="The plan to follow; written by `run --plan`.")
    reload: Reload | None = Field(default=None, description="What to load again; written by `lakeshift load`.")


def read(body: bytes) -> Migration:
    """Parse a config file. Raises ConfigInvalid with all problems."""
    data = _parse(body)
    try:
        return Migration.model_validate_json(json.dumps(data))
    except ValidationError as error:
        raise ConfigInvalid(tuple(_problem(data, detail) for detail in error.errors())) from error


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the config file, as published in docs/reference."""
    schema = Migration.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Lakeshift migration"}


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body.decode("utf-8-sig"), object_pairs_hook=_no_doubles, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise ConfigInvalid((Problem("", f"not UTF-8 text: {error.reason} at byte {error.start}"),)) from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ConfigInvalid((Problem("", f"not JSON: {error.msg} at {place}"),)) from error
    except RecursionError as error:
        raise ConfigInvalid((Problem("", "not a config file: nested too deep"),)) from error
    except ValueError as error:
        raise ConfigInvalid((Problem("", f"not JSON: {error}"),)) from error


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    if len(set(keys)) < len(keys):
        doubled = next(key for key in keys if keys.count(key) > 1)
        raise ConfigInvalid((Problem("", f"the key {doubled!r} stands twice in one object"),))
    return dict(pairs)


def _no_constant(text: str) -> None:
    msg = f"{text} is no JSON value"
    raise ValueError(msg)


def _problem(data: Any, detail: ErrorDetails) -> Problem:
    pointer, parent, last = _walk(data, detail["loc"])
    allowed = _allowed(detail)
    kind = detail["type"]
    if kind == "extra_forbidden":
        return Problem(pointer, f"unknown key {last!r}", allowed=allowed, nearest=nearest(str(last), allowed))
    if kind == "missing":
        return Problem(pointer, "this key is required", allowed=allowed)
    found = parent[last] if last is not None else parent
    message = detail["msg"].removeprefix("Value error, ")
    return Problem(pointer, message, json.dumps(found)[:200], allowed, nearest(str(found), allowed))


def _walk(data: Any, loc: tuple[int | str, ...]) -> tuple[str, Any, int | str | None]:
    """Pointer of an error's place, the value that holds it, and the last step (None for the file itself)."""
    parts, parent, here, last = [], data, data, None
    for step in loc:
        if isinstance(here, str):
            # A text where a list may stand as well was read as a list of one.
            break
        parts.append(str(step).replace("~", "~0").replace("/", "~1"))
        parent, last = here, step
        inside = (isinstance(here, dict) and step in here) or (isinstance(here, list) and isinstance(step, int))
        here = here[step] if inside else None
    return "".join(f"/{part}" for part in parts), parent, last


def _allowed(detail: ErrorDetails) -> tuple[str, ...]:
    if detail["type"] == "literal_error":
        return tuple(re.findall(r"'([^']*)'", detail["ctx"]["expected"]))
    if detail["type"] == "extra_forbidden":
        model = _model_at(detail["loc"][:-1])
        return tuple(sorted(field.alias or name for name, field in model.model_fields.items()))
    return ()


def _model_at(loc: tuple[int | str, ...]) -> type[Part]:
    model: type[Part] = Migration
    for step in loc:
        if isinstance(step, str):
            model = _MODELS[step]
    return model


_MODELS: dict[str, type[Part]] = {
    "sources": Source,
    "datasets": Dataset,
    "tables": TableRule,
    "sample": Sample,
    "incremental": Incremental,
    "nested": Nested,
    "views": Views,
    "extract": Extract,
    "target": Target,
    "lake": Lake,
    "load": Load,
    "validation": Validation,
    "tolerance": Tolerance,
    "schemaChange": SchemaChange,
    "types": Types,
    "plan": AcceptedPlan,
    "reload": Reload,
}


def nearest(found: str, allowed: tuple[str, ...]) -> str:
    """The allowed value that looks most like the one found, whatever its letter case; "" where none does."""
    folded = {value.lower(): value for value in allowed}
    return next((folded[match] for match in get_close_matches(found.lower(), folded, n=1, cutoff=0.5)), "")
