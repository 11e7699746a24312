"""check: claim the run, read the config whole, ask every place it names, and answer beside it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import structlog

from lakeshift.check.probe import probe
from lakeshift.errors import ConfigInvalid, Problem, TerminalError
from lakeshift.lake import keys
from lakeshift.model import Failure, Noun, RunRecord, RunState
from lakeshift.plan.accepted import refuse_other_config
from lakeshift.ports import Defaults, Ports
from lakeshift.report.answer import write_answer
from lakeshift.spec import Migration, read

log = structlog.get_logger()
# A ledger record may have 400 KB; the answer beside the file names every problem in full.
MAX_MESSAGE = 20_000


class Checked(Noun):
    """What came of a check. A refused config and a duplicate event start nothing."""

    outcome: Literal["accepted", "refused", "duplicate"]
    run: str


def check(ports: Ports, bucket: str, key: str, version: str, execution: str) -> Checked:
    """Check one uploaded config; repeating it for the same execution changes nothing.

    Raises:
        TransientError: a place could not be asked just now.
    """
    run = keys.run_id(bucket, key, version)
    record = ports.ledger.claim(_claim(ports, run, bucket, key, version, execution))
    if record.execution != execution:
        log.info("check.duplicate", run=run, owner=record.execution)
        return Checked(outcome="duplicate", run=run)
    if record.state is not RunState.CHECKING:
        return Checked(outcome="refused" if record.state is RunState.REFUSED else "accepted", run=run)
    try:
        migration = with_defaults(read(_body(ports, bucket, key, version)), ports.defaults)
        probe(ports, migration)
        refuse_other_config(ports, migration)
        return _accept(ports, record, migration)
    except TerminalError as error:
        return _refuse(ports, record, error)


def with_defaults(migration: Migration, defaults: Defaults) -> Migration:
    """The migration with the stage's values where the file is silent."""
    target = migration.target
    named = bool(target.workgroup or target.cluster)
    return migration.model_copy(
        update={
            "sources": [
                source.model_copy(update={"credentials": source.credentials or defaults.secret or None})
                for source in migration.sources
            ],
            "target": target.model_copy(
                update={
                    "workgroup": target.workgroup if named else defaults.workgroup or None,
                    "cluster": target.cluster if named or defaults.workgroup else defaults.cluster or None,
                    "database": target.database or defaults.database or None,
                    # Whoever names another warehouse says who its user is as well.
                    "secret": target.secret or (None if named or target.db_user else defaults.target_secret or None),
                    "db_user": target.db_user or (None if named or target.secret else _user(defaults)),
                }
            ),
            "input_max_parallelism": migration.input_max_parallelism or defaults.input_max_parallelism,
            "initiate_schema_detection": defaults.initiate_schema_detection
            if migration.initiate_schema_detection is None
            else migration.initiate_schema_detection,
        }
    )


def _user(defaults: Defaults) -> str | None:
    return None if defaults.workgroup or defaults.target_secret else defaults.target_user or None


def migration_of(ports: Ports, run: str) -> Migration:
    """The accepted config of a run, with defaults filled in."""
    body = ports.objects.get(ports.places.staging, keys.run_file(run, "config.json"))
    return Migration.model_validate_json(body)


def _claim(ports: Ports, run: str, bucket: str, key: str, version: str, execution: str) -> RunRecord:
    return RunRecord(
        run=run,
        state=RunState.CHECKING,
        config_bucket=bucket,
        config_key=key,
        config_version=version,
        execution=execution,
        started=ports.clock(),
    )


def _body(ports: Ports, bucket: str, key: str, version: str) -> bytes:
    if not keys.is_config(key):
        raise ConfigInvalid((Problem("", f"{key} is no config: configs are {keys.CONFIGS}<name>.json"),))
    try:
        return ports.objects.get(bucket, key, version)
    except KeyError as error:
        raise ConfigInvalid((Problem("", f"{key} version {version or 'null'} is gone"),)) from error


def _refuse(ports: Ports, record: RunRecord, error: TerminalError) -> Checked:
    failure = Failure(code=error.code, message=str(error)[:MAX_MESSAGE])
    refused = record.model_copy(update={"state": RunState.REFUSED, "ended": ports.clock(), "failure": failure})
    write_answer(ports, refused, problems=error.problems if isinstance(error, ConfigInvalid) else ())
    ports.ledger.save_run(refused, record.state)
    log.warning("check.refused", run=record.run)
    return Checked(outcome="refused", run=record.run)


def _snapshot(ports: Ports, migration: Migration) -> datetime:
    """The source's present; of a reload, the instant that its run has read."""
    if migration.reload is None:
        return ports.source(migration.sources[0]).now()
    try:
        found = ports.ledger.run(migration.reload.run).snapshot
    except KeyError:
        found = None
    if found is None:
        raise ConfigInvalid((Problem("/reload/run", "there is no such run, or it has read nothing"),))
    return found


def _accept(ports: Ports, record: RunRecord, migration: Migration) -> Checked:
    snapshot = _snapshot(ports, migration)
    body = migration.model_dump_json(by_alias=True, indent=1).encode()
    ports.objects.put(ports.places.staging, keys.run_file(record.run, "config.json"), body, "application/json")
    accepted = record.model_copy(update={"state": RunState.ACCEPTED, "snapshot": snapshot})
    write_answer(ports, accepted)
    ports.ledger.save_run(accepted, record.state)
    log.info("check.accepted", run=record.run)
    return Checked(outcome="accepted", run=record.run)
