"""The local twin as a whole: two background processes with one home directory, and what is installed in them."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from localcloud.aws.api import Api
from localcloud.aws.assembly import read
from localcloud.aws.deploy import Parameters, deploy
from localcloud.aws.settings import ACCOUNT

HOME_VARIABLE = "LAKESHIFT_HOME"
# "0" lets every role do everything.
IAM_VARIABLE = "LAKESHIFT_TWIN_ENFORCE_IAM"
DEFAULT_HOME = Path(".lakeshift") / "local"
START_SECONDS = 60.0
STOP_SECONDS = 15.0
LOG_LINES = 20

BIGQUERY_SECRET = "lakeshift/bigquery"  # noqa: S105 - the name of a secret
COPY_ROLE = "lakeshift-redshift-copy"
WORKGROUP = "lakeshift"


class TwinError(RuntimeError):
    """The twin did not start, or is not running; the message says what to look at."""


@dataclass(frozen=True)
class Endpoints:
    """Where a running twin answers; the content of endpoints.json."""

    aws: str
    bigquery: str
    bigquery_storage: str
    pids: dict[str, int]
    project: str


@dataclass(frozen=True)
class Status:
    """What is running. `endpoints` is None unless both processes are."""

    running: dict[str, bool]
    endpoints: Endpoints | None


def home_directory() -> Path:
    """LAKESHIFT_HOME, or .lakeshift/local below the current directory."""
    return Path(os.environ.get(HOME_VARIABLE) or DEFAULT_HOME).absolute()


class Twin:
    """Both processes of one home directory. Several twins with different homes do not touch each other."""

    def __init__(self, home: Path) -> None:
        self.home = home.absolute()

    def up(
        self,
        aws_port: int = 0,
        bigquery_port: int = 0,
        aws_options: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
    ) -> Endpoints:
        """Starts what is not running and returns where it answers; changes nothing when all is.

        Port 0 takes a free one. `environment` is added to that of both processes. TwinError with the end of the log
        when a process does not start. The AWS side keeps its state in memory: a new process begins empty.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        with self._locked():
            found = self._running_endpoints()
            if found is not None:
                return found
            self._down()
            return self._start(aws_port, bigquery_port, aws_options, {**os.environ, **(environment or {})})

    def down(self) -> None:
        """Ends both processes and, with them, all Lambda workers and jobs. Data on disk stays."""
        if self.home.exists():
            with self._locked():
                self._down()

    def status(self) -> Status:
        """Which processes are alive."""
        pids = self._pids()
        running = {name: name in pids and self._is_ours(name, pids[name]) for name in ("aws", "bigquery")}
        return Status(running, self._endpoints() if all(running.values()) else None)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One `up` or `down` at a time."""
        with (self.home / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _start(
        self, aws_port: int, bigquery_port: int, aws_options: tuple[str, ...], environment: dict[str, str]
    ) -> Endpoints:
        try:
            bigquery = self._launch("bigquery", ["--port", str(bigquery_port), "--grpc-port", "0"], environment)
            rest, grpc = f"http://127.0.0.1:{bigquery['rest_port']}", f"127.0.0.1:{bigquery['grpc_port']}"
            variables = {"BIGQUERY_EMULATOR_HOST": rest, "LAKESHIFT_BIGQUERY_STORAGE_ENDPOINT": grpc}
            pairs = [part for name, value in variables.items() for part in ("--lambda-env", f"{name}={value}")]
            switches = [] if environment.get(IAM_VARIABLE) == "0" else ["--enforce-iam"]
            aws = self._launch("aws", ["--port", str(aws_port), *pairs, *switches, *aws_options], environment)
        except TwinError:
            self._down()
            raise
        pids = {"aws": aws["pid"], "bigquery": bigquery["pid"]}
        endpoints = Endpoints(f"http://127.0.0.1:{aws['port']}", rest, grpc, pids, self._project())
        _write(self.home / "endpoints.json", asdict(endpoints))
        return endpoints

    def _launch(self, name: str, options: list[str], environment: dict[str, str]) -> dict[str, int]:
        """Starts a process of the twin and waits for its ready file."""
        ready, log = self.home / f"{name}.ready.json", self.home / f"{name}.log"
        ready.unlink(missing_ok=True)
        command = [sys.executable, "-m", f"localcloud.{name}", "--data", str(self.home / name)]
        pid = _spawn([*command, "--ready", str(ready), *options], environment, log)
        deadline = time.monotonic() + START_SECONDS
        while not ready.exists():
            if _is_gone(pid) or time.monotonic() > deadline:
                _end(pid)
                raise TwinError(f"the local {name} did not start; the end of {log}:\n{_tail(log)}")
            time.sleep(0.02)
        content: dict[str, int] = json.loads(ready.read_text())
        return content

    def _down(self) -> None:
        pids = self._pids()
        for name, pid in pids.items():
            if self._is_ours(name, pid):
                _end(pid)
        for name in ("endpoints.json", "aws.ready.json", "bigquery.ready.json", "outputs.json"):
            (self.home / name).unlink(missing_ok=True)

    def _running_endpoints(self) -> Endpoints | None:
        return self.status().endpoints

    def _endpoints(self) -> Endpoints | None:
        path = self.home / "endpoints.json"
        return Endpoints(**json.loads(path.read_text())) if path.exists() else None

    def _pids(self) -> dict[str, int]:
        """The pids that were written down last, of processes that may be gone."""
        files = {name: self.home / f"{name}.ready.json" for name in ("aws", "bigquery")}
        return {name: json.loads(path.read_text())["pid"] for name, path in files.items() if path.exists()}

    def _is_ours(self, name: str, pid: int) -> bool:
        """Whether this pid is still the process that was started here, and not another one with its number."""
        found = subprocess.run(
            ["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        return f"localcloud.{name}" in found.stdout and str(self.home / name) in found.stdout

    def _project(self) -> str:
        account = json.loads((self.home / "bigquery" / "service-account.json").read_text())
        return str(account["project_id"])


def _spawn(command: list[str], environment: Mapping[str, str], log: Path) -> int:
    """Starts a process in a session of its own, which therefore outlives this one; its pid."""
    with log.open("ab") as output:
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, output.fileno(), 1),
            (os.POSIX_SPAWN_DUP2, output.fileno(), 2),
        ]
        return os.posix_spawn(command[0], command, dict(environment), file_actions=actions, setsid=True)


def _end(pid: int) -> None:
    """SIGTERM, then SIGKILL when that takes too long; returns when the process is gone."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            if _is_gone(pid):
                return
            time.sleep(0.02)


def _is_gone(pid: int) -> bool:
    """Whether a process has ended; one that is our own child is taken off the process table."""
    with contextlib.suppress(ChildProcessError):
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-LOG_LINES:])


def _write(path: Path, content: Mapping[str, Any]) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(content, indent=2) + "\n")
    partial.replace(path)


def install(home: Path, assembly_dir: Path, parameters: Parameters) -> dict[str, dict[str, str]]:
    """Deploys a cloud assembly to the running twin of `home` and returns the outputs by stack name.

    Before that it makes what an account would have already: the secret `lakeshift/bigquery` with the credentials of
    the local BigQuery, and the role `lakeshift-redshift-copy` for COPY. Stacks that declare the parameters for these
    get them unless `parameters` says otherwise. The outputs are kept in outputs.json of the home directory.
    """
    endpoints = Twin(home).status().endpoints
    if endpoints is None:
        raise TwinError(f"the local twin in {home} is not running; start it first")
    api = Api(endpoints.aws)
    _put_secret(api, (home / "bigquery" / "service-account.json").read_text())
    role = _put_copy_role(api)
    given = _with_defaults(assembly_dir, parameters, role)
    outputs = deploy(assembly_dir, endpoints.aws, given)
    _write(home / "outputs.json", outputs)
    return outputs


def _put_secret(api: Api, text: str) -> None:
    try:
        api.call("secretsmanager", "CreateSecret", {"Name": BIGQUERY_SECRET, "SecretString": text})
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceExistsException":
            raise
        api.call("secretsmanager", "PutSecretValue", {"SecretId": BIGQUERY_SECRET, "SecretString": text})


def _put_copy_role(api: Api) -> str:
    services = ["redshift.amazonaws.com", "redshift-serverless.amazonaws.com"]
    trust = {"Effect": "Allow", "Principal": {"Service": services}, "Action": "sts:AssumeRole"}
    allow = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket", "kms:Decrypt"], "Resource": "*"}
    values = {"RoleName": COPY_ROLE, "AssumeRolePolicyDocument": _policy(trust)}
    with contextlib.suppress(api.client("iam").exceptions.EntityAlreadyExistsException):
        api.call("iam", "CreateRole", values)
    policy = {"RoleName": COPY_ROLE, "PolicyName": "read-lake", "PolicyDocument": _policy(allow)}
    api.call("iam", "PutRolePolicy", policy)
    return f"arn:aws:iam::{ACCOUNT}:role/{COPY_ROLE}"


def _policy(statement: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _with_defaults(assembly_dir: Path, parameters: Parameters, role: str) -> Parameters:
    local = {
        "BigQuerySecretName": BIGQUERY_SECRET,
        "RedshiftIAMRoleARN": role,
        "RedshiftServerlessWorkgroup": WORKGROUP,
    }
    filled: dict[str, Mapping[str, str]] = {}
    for stack in read(assembly_dir).stacks:
        given = dict(parameters.get(stack.name, {}))
        declared = json.loads(stack.template).get("Parameters", {})
        if given.get("RedshiftClusterIdentifier"):
            given.setdefault("RedshiftServerlessWorkgroup", "")
        filled[stack.name] = {**{name: value for name, value in local.items() if name in declared}, **given}
    return filled
