"""Ask every place a config names whether it is there and may be used, before anything starts."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from lakeshift.errors import ConfigInvalid, Problem, SecretMissing, StoreRefused, TargetMissing, TerminalError
from lakeshift.ports import Ports
from lakeshift.spec import Migration, Source


def probe(ports: Ports, migration: Migration) -> None:
    """Raise ConfigInvalid with every secret, project, data set, database or role that is missing or forbidden."""
    # A reload reads the lake alone; the source may be gone by now.
    sources = [] if migration.reload else migration.sources
    problems = [problem for index, source in enumerate(sources) for problem in _source(ports, index, source)]
    problems += _target(ports, migration)
    if problems:
        raise ConfigInvalid(tuple(problems))


def probed(migration: Migration) -> tuple[str, ...]:
    """What `probe` has found in its place, in words; what a run needs beyond that shows when it is used."""
    found = []
    for source in migration.sources:
        found.append(f"secret {source.credentials}: read, and its key is taken by project {source.project}")
        found += [f"data set {source.project}.{dataset.name}: listed" for dataset in source.datasets]
    target = migration.target
    place = target.workgroup or target.cluster
    return (*found, f"database {target.database} on {place}: a statement ran", "COPY role: named by the stage")


def _source(ports: Ports, index: int, spec: Source) -> Iterator[Problem]:
    pointer = f"/sources/{index}"
    if not spec.credentials:
        yield Problem(f"{pointer}/credentials", "no secret is named, and the stage's BigQuerySecretName is empty")
        return
    try:
        known = list(ports.source(spec).datasets())
    except (SecretMissing, StoreRefused) as error:
        yield Problem(f"{pointer}/credentials", str(error), found=spec.credentials)
    except TerminalError as error:
        yield Problem(f"{pointer}/project", str(error), found=spec.project)
    else:
        for position, dataset in enumerate(spec.datasets):
            if dataset.name not in known:
                near = get_close_matches(dataset.name, known, n=1, cutoff=0.5)
                place = f"{pointer}/datasets/{position}/name"
                yield Problem(place, "no such data set in the project", dataset.name, nearest="".join(near))


def _target(ports: Ports, migration: Migration) -> Iterator[Problem]:
    target = migration.target
    if not ports.defaults.copy_role:
        yield Problem("", "the stage's parameter RedshiftIAMRoleARN is empty: COPY has no role to read the lake")
    if not (target.workgroup or target.cluster):
        yield Problem("/target", "neither the file nor the stage names a Redshift workgroup or cluster")
        return
    if not target.database:
        yield Problem("/target/database", "neither the file nor the stage names a database")
        return
    try:
        ports.warehouse(target).query("SELECT 1")
    except TerminalError as error:
        database = isinstance(error, TargetMissing) and "database" in str(error).lower()
        place = "/target/database" if database else "/target"
        yield Problem(place, str(error), found=target.database)
