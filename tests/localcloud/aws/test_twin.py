"""Both processes of a twin: started once, found again, ended with everything they started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from localcloud.twin import BIGQUERY_SECRET, COPY_ROLE, Endpoints, Twin, TwinError, install
from tests.localcloud.aws.cloud import Cloud, eventually
from tests.localcloud.aws.templates import AssemblyWriter


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(found.stdout.strip()) and not found.stdout.startswith("Z")


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twin]:
    """One running twin; starting takes seconds."""
    twin = Twin(tmp_path_factory.mktemp("twin") / "home")
    assert twin.status().running == {"aws": False, "bigquery": False}
    twin.up()
    yield twin
    twin.down()


def worker_of(endpoints: Endpoints, home: Path) -> int:
    """The pid of a Lambda worker, whose environment knows the local BigQuery."""
    cloud = Cloud(endpoints.aws, home / "aws")
    name = cloud.function("import os\ndef handler(e, c): return [os.getpid(), os.environ['BIGQUERY_EMULATOR_HOST']]")
    (pid, host), _ = cloud.invoke(name, {})
    assert host == endpoints.bigquery
    return int(pid)


def test_up_again_changes_nothing(twin: Twin) -> None:
    first = twin.status().endpoints
    assert twin.up() == first
    assert first is not None
    assert json.loads((twin.home / "endpoints.json").read_text()) == asdict(first)


def test_another_home_is_another_twin_and_down_leaves_nothing(twin: Twin, tmp_path: Path) -> None:
    other = Twin(tmp_path / "other")
    try:
        one, two = twin.up(), other.up()
        assert one.aws != two.aws
        assert one.bigquery != two.bigquery
        worker = worker_of(two, other.home)
    finally:
        other.down()
    assert not any(alive(pid) for pid in (*two.pids.values(), worker))
    assert other.status().endpoints is None
    assert twin.status().endpoints == one


def test_install_makes_what_an_account_has_already(twin: Twin, tmp_path: Path) -> None:
    writer = AssemblyWriter(tmp_path / "assembly")
    names = ("BigQuerySecretName", "RedshiftIAMRoleARN", "RedshiftServerlessWorkgroup", "RedshiftClusterIdentifier")
    template = {
        "Parameters": {name: {"Type": "String", "Default": ""} for name in names},
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {name: {"Value": {"Ref": name}} for name in names},
    }
    writer.stack("Lakeshift-dev-Pipeline", template)
    assembly = writer.write()
    endpoints = twin.up()
    outputs = install(twin.home, assembly, {})["Lakeshift-dev-Pipeline"]
    assert outputs["BigQuerySecretName"] == BIGQUERY_SECRET
    assert outputs["RedshiftIAMRoleARN"] == f"arn:aws:iam::123456789012:role/{COPY_ROLE}"
    assert outputs["RedshiftServerlessWorkgroup"] == "lakeshift"
    assert json.loads((twin.home / "outputs.json").read_text()) == {"Lakeshift-dev-Pipeline": outputs}
    cloud = Cloud(endpoints.aws, twin.home / "aws")
    secret = cloud.client("secretsmanager").get_secret_value(SecretId=BIGQUERY_SECRET)["SecretString"]
    assert json.loads(secret)["project_id"] == endpoints.project
    given = {"Lakeshift-dev-Pipeline": {"RedshiftClusterIdentifier": "lakeshift"}}
    again = install(twin.home, assembly, given)["Lakeshift-dev-Pipeline"]
    assert (again["RedshiftClusterIdentifier"], again["RedshiftServerlessWorkgroup"]) == ("lakeshift", "")


def test_a_killed_server_takes_its_workers_along_and_is_noticed(twin: Twin) -> None:
    first = twin.up()
    worker = worker_of(first, twin.home)
    os.kill(first.pids["aws"], signal.SIGKILL)
    eventually(lambda: not alive(worker))
    assert twin.status().running == {"aws": False, "bigquery": True}
    second = twin.up()
    assert second.pids["aws"] != first.pids["aws"]
    assert not alive(first.pids["bigquery"])
    assert all(alive(pid) for pid in second.pids.values())


def test_a_pid_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    twin = Twin(tmp_path)
    other = subprocess.Popen(["sleep", "60"])
    (tmp_path / "aws.ready.json").write_text(json.dumps({"port": 1, "pid": other.pid}))
    twin.down()
    assert other.poll() is None
    other.kill()
    other.wait()


def test_a_twin_that_does_not_start_says_why(tmp_path: Path) -> None:
    twin = Twin(tmp_path)
    with pytest.raises(TwinError, match="unrecognized arguments: --nonsense"):
        twin.up(aws_options=("--nonsense",))
    assert twin.status().running == {"aws": False, "bigquery": False}
    with pytest.raises(TwinError, match="not running"):
        install(tmp_path, tmp_path, {})
