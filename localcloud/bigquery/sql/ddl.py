"""CREATE, DROP, ALTER TABLE (ADD COLUMN, SET OPTIONS) and TRUNCATE TABLE.

https://cloud.google.com/bigquery/docs/reference/standard-sql/data-definition-language
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from localcloud.bigquery.errors import BigQueryError, invalid_query, unsupported
from localcloud.bigquery.schema import Field, Schema, arrow_schema
from localcloud.bigquery.sql import columns, engine, external, views
from localcloud.bigquery.sql.context import Context
from localcloud.bigquery.sql.engine import Outcome
from localcloud.bigquery.sql.sources import name_parts
from localcloud.bigquery.storage import partitions, writer
from localcloud.bigquery.storage.catalog import Catalog, Table, TableRef

KINDS = (exp.Create, exp.Drop, exp.Alter, exp.TruncateTable)
_LOCATION = "US"


def run(catalog: Catalog, context: Context, statement: exp.Expr) -> Outcome:
    """Run a DDL statement."""
    if isinstance(statement, exp.Create):
        return _create(catalog, context, statement)
    if isinstance(statement, exp.Drop):
        return _drop(catalog, context, statement)
    if isinstance(statement, exp.TruncateTable):
        return _truncate(catalog, context, statement)
    return _alter(catalog, context, statement)


def _create(catalog: Catalog, context: Context, statement: exp.Create) -> Outcome:
    makers: dict[str, Callable[[Catalog, Context, exp.Create], Outcome]] = {
        "SCHEMA": _create_schema,
        "TABLE": _create_table,
        "VIEW": _create_view,
    }
    kind = str(statement.kind).upper()
    if kind not in makers or statement.args.get("clone"):
        raise unsupported(f"this CREATE {kind}")
    with catalog.lock:
        return makers[kind](catalog, context, statement)


def _schema_name(context: Context, node: exp.Table) -> tuple[str, str]:
    parts = name_parts(node)
    names = [p for p in parts if p]
    return (context.project, names[0]) if len(names) == 1 else (names[0], names[1])


def _create_schema(catalog: Catalog, context: Context, statement: exp.Create) -> Outcome:
    project, name = _schema_name(context, statement.this)
    options = columns.options(statement.args.get("properties"))
    meta = {"location": options.get("location", context.location or _LOCATION)}
    try:
        catalog.create_dataset(project, name, {**meta, **{k: v for k, v in options.items() if k == "description"}})
    except BigQueryError as error:
        if error.reason != "duplicate" or not statement.args.get("exists"):
            raise
    return Outcome("CREATE_SCHEMA")


def _target(context: Context, statement: exp.Create) -> tuple[TableRef, list[exp.Expr]]:
    node = statement.this
    if isinstance(node, exp.Schema):
        return context.table(name_parts(node.this)), list(node.expressions)
    return context.table(name_parts(node)), []


def _create_table(catalog: Catalog, context: Context, statement: exp.Create) -> Outcome:
    ref, definitions = _target(context, statement)
    if catalog.has(ref) and statement.args.get("exists"):
        return Outcome("CREATE_TABLE", target=ref)
    fields, constraints = columns.definitions(definitions)
    if statement.find(exp.ExternalProperty):
        return _create_external(catalog, ref, fields, columns.options(statement.args.get("properties")))
    meta = {**columns.table_options(statement.args.get("properties")), **constraints}
    query = statement.args.get("expression")
    outcome = engine.select(catalog, context, query) if query is not None else None
    if outcome is not None:
        fields = _matched(fields, outcome.fields or ())
    if not fields:
        raise invalid_query("CREATE TABLE needs columns or a query")
    table = _make(catalog, ref, fields, meta, replace=bool(statement.args.get("replace")))
    if outcome is not None and outcome.table is not None:
        rows = (writer.conform(b, arrow_schema(fields)) for b in engine.batches(outcome.table))
        writer.rewrite(catalog, table, fields, rows)
    kind = "CREATE_TABLE" if outcome is None else "CREATE_TABLE_AS_SELECT"
    return Outcome(kind, bytes=outcome.bytes if outcome else 0, tables=outcome.tables if outcome else (), target=ref)


def _create_external(catalog: Catalog, ref: TableRef, given: Schema, options: dict[str, Any]) -> Outcome:
    config = external.configuration(options)
    meta = {"externalDataConfiguration": config, **{k: v for k, v in options.items() if k == "description"}}
    catalog.create(ref, external.fields(config, given), meta, "EXTERNAL")
    return Outcome("CREATE_EXTERNAL_TABLE", target=ref)


def _matched(declared: Schema, found: Schema) -> Schema:
    if not declared:
        return found
    if [(f.name.lower(), f.type, f.repeated) for f in declared] != [
        (f.name.lower(), f.type, f.repeated) for f in found
    ]:
        raise invalid_query("The columns of CREATE TABLE AS SELECT do not match those of the query")
    return declared


def _make(catalog: Catalog, ref: TableRef, fields: Schema, meta: dict[str, Any], *, replace: bool) -> Table:
    if not (replace and catalog.has(ref)):
        return catalog.create(ref, fields, meta)
    table = catalog.table(ref)
    if table.kind != "TABLE":
        raise invalid_query(f"{ref} is not a table")
    # OR REPLACE keeps the older versions, so that time travel still reads them.
    partitions.parse(meta, fields)
    writer.replace_table(catalog, table, fields, meta)
    return table


def _create_view(catalog: Catalog, context: Context, statement: exp.Create) -> Outcome:
    ref, _ = _target(context, statement)
    materialized = statement.find(exp.MaterializedProperty) is not None
    kind = "MATERIALIZED_VIEW" if materialized else "VIEW"
    if catalog.has(ref):
        if statement.args.get("exists"):
            return Outcome(f"CREATE_{kind}", target=ref)
        if statement.args.get("replace"):
            catalog.drop(ref)
    query = statement.expression.sql("bigquery")
    fields = views.check(catalog, ref, query)
    definition = {"materializedView": {"query": query}} if materialized else {"view": _view(query)}
    catalog.create(ref, fields, definition, kind)
    return Outcome(f"CREATE_{kind}", target=ref)


def _view(query: str) -> dict[str, Any]:
    return {"query": query, "useLegacySql": False}


def _drop(catalog: Catalog, context: Context, statement: exp.Drop) -> Outcome:
    kind = str(statement.args.get("kind")).upper()
    if statement.args.get("materialized"):
        kind = f"MATERIALIZED_{kind}"
    if kind not in ("TABLE", "VIEW", "MATERIALIZED_VIEW", "SCHEMA", "SNAPSHOT", "EXTERNAL"):
        raise unsupported(f"DROP {kind}")
    for node in statement.args.get("tables") or [statement.this]:
        try:
            _drop_one(catalog, context, node, kind, cascade=bool(statement.args.get("cascade")))
        except BigQueryError as error:
            if error.reason != "notFound" or not statement.args.get("exists"):
                raise
    return Outcome(f"DROP_{kind}")


def _drop_one(catalog: Catalog, context: Context, node: exp.Table, kind: str, *, cascade: bool) -> None:
    if kind == "SCHEMA":
        catalog.drop_dataset(*_schema_name(context, node), contents=cascade)
        return
    ref = context.table(name_parts(node))
    if catalog.table(ref).kind != kind:
        raise invalid_query(f"{ref} is not a {kind}")
    catalog.drop(ref)


def _truncate(catalog: Catalog, context: Context, statement: exp.TruncateTable) -> Outcome:
    ref = context.table(name_parts(statement.expressions[0]))
    with catalog.lock:
        table = catalog.table(ref)
        rows = table.current.rows
        writer.rewrite(catalog, table, table.fields, ())
    return Outcome("TRUNCATE_TABLE", affected=rows, target=ref)


def _alter(catalog: Catalog, context: Context, statement: exp.Expr) -> Outcome:
    ref = context.table(name_parts(statement.this))
    actions = statement.args.get("actions") or []
    if len(actions) == 1 and isinstance(actions[0], exp.AlterSet) and len(actions[0].expressions) == 1:
        return _set_options(catalog, ref, columns.options(actions[0].expressions[0]))
    if not actions or not all(isinstance(a, exp.ColumnDef) for a in actions):
        raise unsupported("ALTER other than ADD COLUMN and SET OPTIONS")
    with catalog.lock:
        table = catalog.table(ref)
        fields = list(table.fields)
        for action in actions:
            _add(fields, columns.definition(action), ref, exists=bool(action.args.get("exists")))
        writer.change_schema(catalog, table, tuple(fields))
    return Outcome("ALTER_TABLE", target=ref)


def _set_options(catalog: Catalog, ref: TableRef, options: dict[str, Any]) -> Outcome:
    with catalog.lock:
        table = catalog.table(ref)
        table.meta = {k: v for k, v in {**table.meta, **columns.named(options)}.items() if v not in (None, {})}
        table.modified = catalog.now() // 1000
        catalog.save(table)
    return Outcome("ALTER_TABLE", target=ref)


def _add(fields: list[Field], new: Field, ref: TableRef, *, exists: bool) -> None:
    if any(f.name.lower() == new.name.lower() for f in fields):
        if exists:
            return
        raise invalid_query(f"Column already exists: {new.name} in {ref}")
    if new.mode == "REQUIRED":
        raise invalid_query(f"Cannot add REQUIRED column {new.name} to {ref}")
    fields.append(new)
