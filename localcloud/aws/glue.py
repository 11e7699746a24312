"""Glue jobs on the twin: a run is a process of this interpreter that executes the job's script from S3."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.glue.exceptions import ConcurrentRunsExceededException
from moto.glue.models import FakeJob, FakeJobRun, GlueBackend
from moto.glue.responses import GlueResponse
from moto.s3.exceptions import S3ClientError
from moto.s3.models import s3_backends

from localcloud.aws import roles
from localcloud.aws.log_groups import put_lines
from localcloud.aws.settings import ACCOUNT, REGION, TwinSettings

SERVICE = "glue.amazonaws.com"
DEFAULT_TIMEOUT_MINUTES = 2880
OPEN_STATES = ("STARTING", "RUNNING", "STOPPING")
MESSAGE_LINES = 3
# Arguments that Glue takes for itself: https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-glue-arguments.html
MODULES = "--extra-py-files"
DISTRIBUTIONS = "--additional-python-modules"
INSTALLER = "--python-modules-installer-option"
UNSUPPORTED = ("--extra-jars", "--extra-files")
WORKERS = {"G.1X", "G.2X", "G.4X", "G.8X", "G.025X", "Standard"}


class JobError(Exception):
    """Why a run cannot begin."""


class JobService:
    """Starts, watches and stops job runs."""

    def __init__(self, settings: TwinSettings) -> None:
        self._settings = settings
        self._root = settings.data / "glue"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()

    def install(self) -> None:
        """Makes moto's Glue jobs run for real."""
        service = self
        job: Any = FakeJob
        run: Any = FakeJobRun
        backend: Any = GlueBackend
        response: Any = GlueResponse
        start = job.start_job_run

        def start_job_run(this: Any, **options: Any) -> str:
            return service.start(this, start, options)

        job.start_job_run = start_job_run
        backend.create_job = _create_checked(backend.create_job)
        run.as_dict = _described(run.as_dict)
        run.status = property(lambda this: this._status, _set_status)
        response.batch_stop_job_run = lambda this: service.batch_stop(this)  # noqa: PLW0108
        response.update_job = _no_update

    def start(self, job: Any, start: Any, options: Mapping[str, Any]) -> str:
        """Starts a run; its id. ConcurrentRunsExceededException when as many are open as the job allows."""
        roles.require_role(_role_arn(job.role), SERVICE)
        with self._lock:
            open_runs = [run for run in job.job_runs if run.status in OPEN_STATES]
            if len(open_runs) >= int(job.execution_property.get("MaxConcurrentRuns", 1)):
                raise ConcurrentRunsExceededException(f"Concurrent runs exceeded for {job.name}")
            run_id: str = start(job, **options)
        run = job.job_runs[-1]
        _set(run, "STARTING")
        run.completed_on = None
        run.error_message = None
        run.glue_version = job.glue_version
        threading.Thread(target=self._run, args=(job, run), daemon=True).start()
        return run_id

    def _run(self, job: Any, run: Any) -> None:
        folder = self._root / run.job_run_id
        try:
            command = self._command(job, run, folder)
        except JobError as error:
            _finish(run, "FAILED", str(error))
            return
        log = folder / "output.log"
        with log.open("wb") as output:
            process = self._launch(command, folder, output, job)
            self._processes[run.job_run_id] = process
            if run.status == "STARTING":
                _set(run, "RUNNING")
            self._watch(run, process, log)

    def _command(self, job: Any, run: Any, folder: Path) -> list[str]:
        folder.mkdir(parents=True, exist_ok=True)
        location = job.command["ScriptLocation"]
        script = folder / Path(location).name
        script.write_bytes(_read(location))
        arguments = dict(run.arguments or {})
        refused = [name for name in UNSUPPORTED if name in arguments]
        if refused:
            raise JobError(f"the local twin does not support {', '.join(refused)}; put modules into {MODULES}")
        _require_distributions(arguments)
        for uri in filter(None, arguments.get(MODULES, "").split(",")):
            _add_module(uri.strip(), folder / "modules")
        given = {"--JOB_NAME": job.name, "--JOB_RUN_ID": run.job_run_id, **arguments}
        return [sys.executable, "-u", str(script), *(part for pair in given.items() for part in pair)]

    def _launch(self, command: list[str], folder: Path, output: Any, job: Any) -> subprocess.Popen[bytes]:
        modules = folder / "modules"
        paths = [str(path) for path in sorted(modules.glob("*.d"))]
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "PYTHONPATH": os.pathsep.join([*paths, str(modules)]),
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self._settings.endpoint_url,
            **{name: os.environ[name] for name in ("HOME", "JAVA_HOME", "SPARK_HOME") if name in os.environ},
            **roles.credentials(_role_arn(job.role)),
            **self._settings.lambda_env,
        }
        return subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )

    def _watch(self, run: Any, process: subprocess.Popen[bytes], log: Path) -> None:
        minutes = float(run.timeout or DEFAULT_TIMEOUT_MINUTES)
        started = time.monotonic()
        try:
            code = process.wait(minutes * 60)
        except subprocess.TimeoutExpired:
            _kill(process)
            _finish(run, "TIMEOUT", f"The job run timed out after {minutes:g} minutes")
        else:
            _conclude(run, code, log)
        run.execution_time = int(time.monotonic() - started)
        self._processes.pop(run.job_run_id, None)
        lines = log.read_text(errors="replace").splitlines()
        put_lines("/aws-glue/jobs/output", run.job_run_id, lines)

    def stop(self, run: Any) -> None:
        """Ends a run; its state becomes STOPPED once the process is gone."""
        if run.status not in OPEN_STATES:
            raise JsonRESTError("JobRunNotInTerminalStateException", f"Job run {run.job_run_id} has ended")
        _set(run, "STOPPING")
        process = self._processes.get(run.job_run_id)
        if process is not None:
            _kill(process)

    def batch_stop(self, response: Any) -> Any:
        """BatchStopJobRun, which moto does not have."""
        from moto.core.responses import ActionResult

        name = response._get_param("JobName")
        job = response.glue_backend.get_job(name)
        stopped = []
        for run_id in response._get_param("JobRunIds"):
            self.stop(job.get_job_run(run_id))
            stopped.append({"JobName": name, "JobRunId": run_id})
        return ActionResult({"SuccessfulSubmissions": stopped, "Errors": []})

    def close(self) -> None:
        """Ends all running jobs."""
        for process in list(self._processes.values()):
            _kill(process)


def _read(location: str) -> bytes:
    bucket, _, key = location.removeprefix("s3://").partition("/")
    try:
        found = s3_backends[ACCOUNT]["aws"].get_object(bucket, key)
    except S3ClientError:
        found = None
    if found is None:
        raise JobError(f"Failed to download {location}: The specified key does not exist")
    return bytes(found.value)


def _require_distributions(arguments: Mapping[str, str]) -> None:
    """The twin installs nothing: what Glue would install must be in the current environment, in any version."""
    listed = arguments.get(DISTRIBUTIONS, "")
    entries = [entry.strip() for entry in listed.split(",") if entry.strip()]
    if arguments.get(INSTALLER, "").strip() == "-r":
        entries = [line for entry in entries for line in _read(entry).decode().splitlines()]
    names = [match.group() for entry in entries if (match := re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", entry.strip()))]
    missing = sorted({name for name in names if not _installed(name)})
    if missing:
        raise JobError(f"not in the environment that runs the twin: {', '.join(missing)}")


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _add_module(uri: str, folder: Path) -> None:
    """Puts a .zip, .whl or .py of `--extra-py-files` where the script can import it."""
    name = Path(uri).name
    folder.mkdir(exist_ok=True)
    target = folder / name
    target.write_bytes(_read(uri))
    if target.suffix in (".zip", ".whl"):
        unpacked = folder / f"{name}.d"
        shutil.rmtree(unpacked, ignore_errors=True)
        try:
            with zipfile.ZipFile(target) as package:
                package.extractall(unpacked)
        except zipfile.BadZipFile as error:
            raise JobError(f"{uri}: {error}") from error


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _conclude(run: Any, code: int, log: Path) -> None:
    if run.status == "STOPPING":
        _finish(run, "STOPPED", None)
    elif code == 0:
        _finish(run, "SUCCEEDED", None)
    else:
        last = log.read_text(errors="replace").splitlines()[-MESSAGE_LINES:]
        _finish(run, "FAILED", "\n".join(last) or f"the script ended with status {code}")


def _set_status(run: Any, status: str) -> None:
    """In the place of moto's status, which advances by itself."""
    run._status = status


def _set(run: Any, status: str) -> None:
    run.status = status
    run.modified_on = datetime.now(UTC)


def _finish(run: Any, status: str, message: str | None) -> None:
    run.error_message = message
    run.completed_on = datetime.now(UTC)
    _set(run, status)


def _role_arn(role: str) -> str:
    return role if role.startswith("arn:") else f"arn:aws:iam::{ACCOUNT}:role/{role}"


def _described(as_dict: Any) -> Any:
    """GetJobRun as the run really is, where moto has constants."""

    def described(run: Any) -> dict[str, Any]:
        answer: dict[str, Any] = as_dict(run)
        answer["ExecutionTime"] = getattr(run, "execution_time", 0)
        answer["GlueVersion"] = run.glue_version
        answer["LogGroupName"] = "/aws-glue/jobs"
        answer["CompletedOn"] = run.completed_on
        answer["ErrorMessage"] = run.error_message
        return {name: value for name, value in answer.items() if value is not None}

    return described


def _create_checked(create: Any) -> Any:
    def create_job(backend: Any, **properties: Any) -> None:
        problem = _job_problem(backend, properties)
        if problem:
            raise JsonRESTError("InvalidInputException", problem)
        roles.require_role(_role_arn(properties["role"]), SERVICE)
        create(backend, **properties)

    return create_job


def _job_problem(backend: Any, job: Mapping[str, Any]) -> str | None:
    command = job.get("command") or {}
    if job["name"] in backend.jobs:
        return f"Job {job['name']} already exists"
    if not job.get("glue_version"):
        return "GlueVersion must be given: without it a newer default may change the job"
    if command.get("Name") not in ("glueetl", "pythonshell"):
        return f"Command.Name {command.get('Name')!r} is not glueetl or pythonshell"
    if not str(command.get("ScriptLocation", "")).startswith("s3://"):
        return "Command.ScriptLocation must be an s3:// address"
    if job.get("worker_type") and job["worker_type"] not in WORKERS:
        return f"WorkerType {job['worker_type']} does not exist"
    return None


def _no_update(response: Any) -> None:  # noqa: ARG001
    raise JsonRESTError("InvalidInputException", "The local twin does not update jobs; create them anew")
